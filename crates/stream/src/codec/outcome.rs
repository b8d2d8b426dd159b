//! Tags of outcomes.

use super::wire::{wire_enum, wire_struct};
use crate::batch::PartOutcome;
use crate::outcome::{
    AutoClaimed, Claimed, ConsumerFull, ConsumerInfo, DatabaseCount, GroupFull, GroupInfo, KeyType, Outcome,
    PendingEntry, PendingRecord, PendingSummary, Rejection, ScanPage, StreamEntries, StreamFull, StreamHead,
    StreamInfo, StreamsRead,
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
        12 => StreamInfo(info),
        13 => StreamFull(info),
        14 => Groups(groups),
        15 => Consumers(consumers),
        16 => KeyType(kind),
        17 => Keys(keys),
        18 => ScanPage(page),
        19 => KeyspaceCounts(counts),
        20 => KeyVersions(versions),
        64 => Transaction(outcomes),
        65 => WatchFailed,
        66 => Rejected(rejection),
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
    PendingEntry { id, consumer, idle_ms, delivery_count }
    StreamHead { length, blocks, last_id, max_deleted_id, entries_added, first_id }
    StreamInfo { head, groups, first_entry, last_entry }
    StreamFull { head, entries, groups }
    GroupFull { name, last_delivered_id, entries_read, lag, pending_count, pending, consumers }
    PendingRecord { id, consumer, delivery_time_ms, delivery_count }
    ConsumerFull { name, seen_time_ms, active_time_ms, pending_count, pending }
    GroupInfo { name, consumers, pending, last_delivered_id, entries_read, lag }
    ConsumerInfo { name, pending, idle_ms, inactive_ms }
    ScanPage { next, keys }
    DatabaseCount { database, keys, expiring }
}
