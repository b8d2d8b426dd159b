//! Tags of queries and of their arguments.

use super::wire::{wire_enum, wire_struct};
use crate::query::{
    DeadlineForm, Direction, GroupsExist, Keys, KeysInSlot, PendingRange, PendingSummary, Query, ReadFrom,
    Scan, TimeToLive, XInfoConsumers, XInfoStreamFull, XRange, XRead,
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
    }
    Direction { 0 => Forward, 1 => Backward }
    ReadFrom { 0 => After(id), 1 => Last, 2 => LastEntry }
    DeadlineForm { 0 => SecondsLeft, 1 => MillisLeft, 2 => UnixSeconds, 3 => UnixMillis }
}

wire_struct! {
    XRange { key, start, end, count, direction }
    XRead { count, streams }
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
