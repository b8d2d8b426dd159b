//! What commands and queries answer. A refusal is an outcome like any other: replicated, remembered for
//! its session, never an error of apply.

use bytes::Bytes;
use rivermark_types::{ConsumerName, EntryId, GroupName, KeyPosition, StreamKey};

use crate::fields::Entries;

/// The answer to one command or query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `+OK`.
    Done,
    /// An integer.
    Integer(i64),
    /// Null bulk.
    Nil,
    /// Null array.
    NilArray,
    /// One id.
    EntryId(EntryId),
    /// An array of ids.
    EntryIds(Vec<EntryId>),
    /// An array of entries.
    Entries(Entries),
    /// XREAD's and XREADGROUP's answer. No streams is the null array.
    Streams(StreamsRead),
    /// XREADGROUP's answer with CLAIM, if there is anything: entries with what was known of their delivery.
    StreamsClaimed(Vec<StreamClaims>),
    /// XAUTOCLAIM's answer.
    AutoClaimed(AutoClaimed),
    /// XPENDING's short answer.
    PendingSummary(PendingSummary),
    /// XPENDING's extended answer.
    PendingRange(Vec<PendingEntry>),
    /// XINFO STREAM's answer.
    StreamInfo(Box<StreamInfo>),
    /// XINFO STREAM FULL's answer.
    StreamFull(Box<StreamFull>),
    /// XINFO GROUPS' answer.
    Groups(Vec<GroupInfo>),
    /// XINFO CONSUMERS' answer.
    Consumers(Vec<ConsumerInfo>),
    /// TYPE's answer: whether the key is a stream or missing.
    KeyType(KeyType),
    /// KEYS' and GETKEYSINSLOT's answer.
    Keys(Vec<StreamKey>),
    /// SCAN's answer.
    ScanPage(ScanPage),
    /// Keys and expiring keys of each database that has any.
    KeyspaceCounts(Vec<DatabaseCount>),
    /// One version a key.
    KeyVersions(Vec<u64>),
    /// XDELEX's and XACKDEL's answer: -1, 1 or 2 for each id.
    Integers(Vec<i64>),
    /// DUMP's answer.
    Bytes(Bytes),
    /// EXEC's answer: one outcome a step.
    Transaction(Vec<Outcome>),
    /// EXEC refused because a watched key changed: null array.
    WatchFailed,
    /// The command was refused.
    Rejected(Rejection),
}

/// Why a command was refused. The wording lives in the protocol crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// `no such key`.
    NoSuchKey,
    /// XGROUP on a missing key.
    KeyRequiredByXGroup,
    /// The group exists already.
    GroupExists,
    /// XPENDING, XCLAIM, XAUTOCLAIM: key or group missing.
    NoKeyOrGroup(StreamKey, GroupName),
    /// The same of XREADGROUP.
    NoKeyOrGroupToRead(StreamKey, GroupName),
    /// XGROUP SETID and the like, XINFO CONSUMERS: the key is there, the group is not.
    NoGroup(StreamKey, GroupName),
    /// XADD: id not greater than the last.
    IdTooSmall,
    /// XADD: the last possible id is taken.
    IdsExhausted,
    /// XSETID: below the given MAXDELETEDID.
    SetIdBelowGivenMaxDeleted,
    /// XSETID: below the stream's max deleted id.
    SetIdBelowMaxDeleted,
    /// XSETID: below the last live entry.
    SetIdBelowLastEntry,
    /// XSETID: ENTRIESADDED below the length.
    EntriesAddedBelowLength,
    /// XIDMPRECORD: the entry does not exist.
    NoSuchEntry,
    /// XIDMPRECORD: the producer's id stands for another entry.
    IdempotentIdTaken,
    /// RESTORE: the key exists.
    KeyExists,
    /// RESTORE: the payload is not DUMP's, or damaged.
    PayloadInvalid,
    /// DUMP: what it would answer could not be restored.
    DumpTooLarge,
    /// XRANGE: the range is larger than an answer may be.
    RangeTooLarge,
    /// OBJECT IDLETIME.
    IdleTimeNotTracked,
    /// OBJECT FREQ.
    AccessFrequencyNotTracked,
}

/// What was read of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntries {
    /// Which of the request's streams, from 0.
    pub index: u32,
    /// The stream.
    pub key: StreamKey,
    /// The entries; in a history read some may be deleted, or all absent.
    pub entries: Entries,
}

/// XREAD's and XREADGROUP's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamsRead {
    /// Streams with something to return, in request order.
    pub streams: Vec<StreamEntries>,
    /// XREAD only: for each of the request's streams the id after which a blocked read waits.
    pub resolved: Vec<EntryId>,
}

/// What was known of an entry before it was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Since its last delivery; 0 if this is the first.
    pub idle_ms: u64,
    /// How often it was delivered before.
    pub delivery_count: u64,
}

/// What was read of one stream by XREADGROUP with CLAIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamClaims {
    /// The entries.
    pub read: StreamEntries,
    /// One for each entry; none for a stream read from history.
    pub deliveries: Vec<Delivery>,
}

/// Entries or ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Without JUSTID.
    Entries(Entries),
    /// With JUSTID.
    Ids(Vec<EntryId>),
}

/// XAUTOCLAIM's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoClaimed {
    /// Where to go on; 0-0 at the end.
    pub cursor: EntryId,
    /// What was claimed.
    pub claimed: Claimed,
    /// Pending ids whose entries are gone; they are no longer pending.
    pub deleted: Vec<EntryId>,
}

/// XPENDING's short answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSummary {
    /// Pending entries of the group.
    pub count: u64,
    /// Lowest and greatest pending id.
    pub range: Option<(EntryId, EntryId)>,
    /// Consumers with at least one, in name order.
    pub consumers: Vec<(ConsumerName, u64)>,
}

/// One pending entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// The entry.
    pub id: EntryId,
    /// Who has it; empty if it was given back.
    pub consumer: ConsumerName,
    /// Since its last delivery; `None` if it was given back.
    pub idle_ms: Option<u64>,
    /// How often it was delivered.
    pub delivery_count: u64,
}

/// What both forms of XINFO STREAM tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamHead {
    /// Live entries.
    pub length: u64,
    /// Storage blocks, told as radix-tree-keys.
    pub blocks: u64,
    /// last-generated-id.
    pub last_id: EntryId,
    /// max-deleted-entry-id.
    pub max_deleted_id: EntryId,
    /// entries-added.
    pub entries_added: u64,
    /// recorded-first-entry-id.
    pub first_id: EntryId,
    /// What is known of idempotent ids.
    pub idempotence: IdempotenceInfo,
}

/// What XINFO STREAM tells of idempotent ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdempotenceInfo {
    /// idmp-duration.
    pub duration_s: u64,
    /// idmp-maxsize.
    pub pairs_max: u64,
    /// pids-tracked.
    pub producers: u64,
    /// iids-tracked.
    pub pairs: u64,
    /// iids-added.
    pub added: u64,
    /// iids-duplicates.
    pub duplicates: u64,
}

/// XINFO STREAM's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The stream.
    pub head: StreamHead,
    /// How many groups.
    pub groups: u64,
    /// At most one entry.
    pub first_entry: Entries,
    /// At most one entry.
    pub last_entry: Entries,
}

/// XINFO STREAM FULL's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFull {
    /// The stream.
    pub head: StreamHead,
    /// The first entries.
    pub entries: Entries,
    /// Every group, in name order.
    pub groups: Vec<GroupFull>,
}

/// A group in XINFO STREAM FULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFull {
    /// The group.
    pub name: GroupName,
    /// last-delivered-id.
    pub last_delivered_id: EntryId,
    /// entries-read, if known.
    pub entries_read: Option<u64>,
    /// lag, if known.
    pub lag: Option<u64>,
    /// All pending entries.
    pub pending_count: u64,
    /// Those given back by XNACK and not delivered since.
    pub nacked_count: u64,
    /// The first of all pending entries.
    pub pending: Vec<PendingRecord>,
    /// Every consumer, in name order.
    pub consumers: Vec<ConsumerFull>,
}

/// A pending entry in XINFO STREAM FULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRecord {
    /// The entry.
    pub id: EntryId,
    /// Who has it; empty if it was given back.
    pub consumer: ConsumerName,
    /// When it was last delivered, Unix milliseconds; 0 if it was given back.
    pub delivery_time_ms: u64,
    /// How often.
    pub delivery_count: u64,
}

/// A consumer in XINFO STREAM FULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerFull {
    /// The consumer.
    pub name: ConsumerName,
    /// Last attempt, Unix milliseconds.
    pub seen_time_ms: u64,
    /// Last time it got something, Unix milliseconds; `None` is never (-1).
    pub active_time_ms: Option<u64>,
    /// All its pending entries.
    pub pending_count: u64,
    /// The first of them (the consumer is this one).
    pub pending: Vec<PendingRecord>,
}

/// A group in XINFO GROUPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The group.
    pub name: GroupName,
    /// How many consumers.
    pub consumers: u64,
    /// How many pending entries.
    pub pending: u64,
    /// last-delivered-id.
    pub last_delivered_id: EntryId,
    /// entries-read, if known.
    pub entries_read: Option<u64>,
    /// lag, if known.
    pub lag: Option<u64>,
}

/// A consumer in XINFO CONSUMERS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// The consumer.
    pub name: ConsumerName,
    /// How many pending entries.
    pub pending: u64,
    /// Since its last attempt.
    pub idle_ms: u64,
    /// Since it last got something; `None` is never (-1).
    pub inactive_ms: Option<u64>,
}

/// TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `none`.
    None,
    /// `stream`.
    Stream,
}

/// SCAN's answer for one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage {
    /// Where this shard goes on; `None` at its end.
    pub next: Option<KeyPosition>,
    /// Keys of the database that match.
    pub keys: Vec<StreamKey>,
}

/// Keys of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseCount {
    /// The database's number.
    pub database: u8,
    /// Its keys.
    pub keys: u64,
    /// How many of them have a deadline.
    pub expiring: u64,
}
