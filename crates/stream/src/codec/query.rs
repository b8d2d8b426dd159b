//! Tags of queries and of their arguments.

use super::reader::{DecodeError, Reader};
use super::wire::{EXTENDED, Wire, take_mark, wire_enum, wire_struct};
use crate::command::ReadBudget;
use crate::query::{
    DeadlineForm, Direction, GroupsExist, KeyProperty, Keys, KeysInSlot, PendingRange, PendingSummary,
    Property, Query, ReadFrom, Scan, TimeToLive, XInfoConsumers, XInfoStreamFull, XRange, XRangeByScore,
    XRead,
};

wire_enum! {
    Query {
        1 => XLen(key),
        2 => XRange(arguments),
        3 => XRead(arguments),
        4 => XPendingSummary(arguments),
        5 => XPendingRange(arguments),
        6 => XInfoStream(key),
        7 => XInfoStreamFull(arguments),
        8 => XInfoGroups(key),
        9 => XInfoConsumers(arguments),
        10 => GroupsExist(arguments),
        11 => XRangeByScore(arguments),
        32 => Exists(keys),
        33 => KeyType(key),
        34 => TimeToLive(arguments),
        35 => Keys(arguments),
        36 => Scan(arguments),
        37 => KeyCount(database),
        38 => KeyspaceCounts,
        39 => CountKeysInSlot(slot),
        40 => KeysInSlot(arguments),
        41 => KeyVersions(keys),
        42 => Dump(key),
        43 => KeyProperty(arguments),
    }
    Direction { 0 => Forward, 1 => Backward }
    ReadFrom { 0 => After(id), 1 => Last, 2 => LastEntry }
    Property { 0 => ReferenceCount, 1 => IdleTime, 2 => AccessFrequency, 3 => MemoryBytes }
    DeadlineForm { 0 => SecondsLeft, 1 => MillisLeft, 2 => UnixSeconds, 3 => UnixMillis }
}

wire_struct! {
    XRange { key, start, end, count, direction }
    XRangeByScore { key, field, start, end, count }
    KeyProperty { key, property }
    PendingSummary { key, group }
    PendingRange { key, group, min_idle_ms, start, end, count, consumer }
    XInfoStreamFull { key, count }
    XInfoConsumers { key, group }
    GroupsExist { group, keys }
    TimeToLive { key, form }
    Keys { database, pattern }
    Scan { database, from, count, pattern }
    KeysInSlot { slot, count }
}

/// As the first release wrote it, unless it has a budget: then a mark, which is no tag of an optional count, and
/// the budget come first.
impl Wire for XRead {
    fn encode(&self, out: &mut Vec<u8>) {
        if self.budget != ReadBudget::UNLIMITED {
            out.push(EXTENDED);
            self.budget.encode(out);
        }
        self.count.encode(out);
        self.streams.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let budget = if take_mark(reader)? { Wire::decode(reader)? } else { ReadBudget::UNLIMITED };
        Ok(Self { count: Wire::decode(reader)?, budget, streams: Wire::decode(reader)? })
    }
}
