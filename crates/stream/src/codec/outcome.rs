//! Tags of outcomes.

use super::reader::{DecodeError, Reader};
use super::wire::{Wire, wire_enum, wire_struct};
use crate::batch::PartOutcome;
use crate::outcome::{
    AutoClaimed, Claimed, ConsumerFull, ConsumerInfo, DatabaseCount, Delivery, GroupFull, GroupInfo,
    IdempotenceInfo, KeyType, Outcome, PendingEntry, PendingRecord, PendingSummary, Rejection, ScanPage,
    StreamClaims, StreamEntries, StreamFull, StreamHead, StreamInfo, StreamsRead,
};

wire_enum! {
    Outcome {
        1 => Done,
        2 => Integer(value),
        3 => Nil,
        4 => NilArray,
        5 => EntryId(id),
        6 => EntryIds(ids),
        7 => Entries(entries),
        8 => Streams(streams),
        9 => AutoClaimed(claimed),
        10 => PendingSummary(summary),
        11 => PendingRange(entries),
        21 => StreamInfo(info),
        22 => StreamFull(info),
        14 => Groups(groups),
        15 => Consumers(consumers),
        16 => KeyType(kind),
        17 => Keys(keys),
        18 => ScanPage(page),
        19 => KeyspaceCounts(counts),
        20 => KeyVersions(versions),
        23 => StreamsClaimed(streams),
        24 => Integers(values),
        25 => Bytes(bytes),
        64 => Transaction(outcomes),
        65 => WatchFailed,
        66 => Rejected(rejection),
        ; formerly 12 => super::former::stream_info, 13 => super::former::stream_full,
    }
    Rejection {
        1 => NoSuchKey,
        2 => KeyRequiredByXGroup,
        3 => GroupExists,
        4 => NoKeyOrGroup(key, group),
        5 => NoKeyOrGroupToRead(key, group),
        6 => NoGroup(key, group),
        7 => IdTooSmall,
        8 => IdsExhausted,
        9 => SetIdBelowGivenMaxDeleted,
        10 => SetIdBelowMaxDeleted,
        11 => SetIdBelowLastEntry,
        12 => EntriesAddedBelowLength,
        13 => NoSuchEntry,
        14 => IdempotentIdTaken,
        15 => KeyExists,
        16 => PayloadInvalid,
        17 => DumpTooLarge,
        18 => RangeTooLarge,
        19 => IdleTimeNotTracked,
        20 => AccessFrequencyNotTracked,
    }
    Claimed { 0 => Entries(entries), 1 => Ids(ids) }
    KeyType { 0 => None, 1 => Stream }
    PartOutcome { 1 => Applied(outcomes), 2 => Gap { expected }, 3 => SessionUnknown }
}

wire_struct! {
    StreamEntries { index, key, entries }
    StreamsRead { streams, resolved }
    AutoClaimed { cursor, claimed, deleted }
    PendingSummary { count, range, consumers }
    Delivery { idle_ms, delivery_count }
    StreamClaims { read, deliveries }
    IdempotenceInfo { duration_s, pairs_max, producers, pairs, added, duplicates }
    StreamHead { length, blocks, last_id, max_deleted_id, entries_added, first_id, idempotence }
    StreamInfo { head, groups, first_entry, last_entry }
    StreamFull { head, entries, groups }
    GroupFull { name, last_delivered_id, entries_read, lag, pending_count, nacked_count, pending, consumers }
    PendingRecord { id, consumer, delivery_time_ms, delivery_count }
    ConsumerFull { name, seen_time_ms, active_time_ms, pending_count, pending }
    GroupInfo { name, consumers, pending, last_delivered_id, entries_read, lag }
    ConsumerInfo { name, pending, idle_ms, inactive_ms }
    ScanPage { next, keys }
    DatabaseCount { database, keys, expiring }
}

/// As the first release wrote it; an idle time no clock has stands for an entry that nobody has.
impl Wire for PendingEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.consumer.encode(out);
        self.idle_ms.unwrap_or(u64::MAX).encode(out);
        self.delivery_count.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: Wire::decode(reader)?,
            consumer: Wire::decode(reader)?,
            idle_ms: Some(reader.varint()?).filter(|idle_ms| *idle_ms != u64::MAX),
            delivery_count: Wire::decode(reader)?,
        })
    }
}
