//! What reads a shard and changes nothing: served by the leader behind a read barrier, or as a step of a
//! transaction.

use rivermark_types::{DatabaseIndex, EntryId, GroupName, KeyPosition, Score, Slot, StreamKey};

use bytes::Bytes;
use rivermark_types::ConsumerName;

use crate::command::ReadBudget;

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// XLEN.
    XLen(StreamKey),
    /// XRANGE and XREVRANGE.
    XRange(XRange),
    /// XRANGEBYSCORE.
    XRangeByScore(XRangeByScore),
    /// XREAD, one attempt.
    XRead(XRead),
    /// XPENDING key group.
    XPendingSummary(PendingSummary),
    /// XPENDING key group start end count.
    XPendingRange(PendingRange),
    /// XINFO STREAM.
    XInfoStream(StreamKey),
    /// XINFO STREAM FULL.
    XInfoStreamFull(XInfoStreamFull),
    /// XINFO GROUPS.
    XInfoGroups(StreamKey),
    /// XINFO CONSUMERS.
    XInfoConsumers(XInfoConsumers),
    /// Whether every stream has the group: XREADGROUP over several shards asks before it reads anywhere.
    /// Answers `Done`, or the rejection XREADGROUP would give.
    GroupsExist(GroupsExist),
    /// EXISTS: how many of the keys exist, repeats counted.
    Exists(Vec<StreamKey>),
    /// TYPE.
    KeyType(StreamKey),
    /// TTL, PTTL, EXPIRETIME, PEXPIRETIME.
    TimeToLive(TimeToLive),
    /// KEYS, this shard's part.
    Keys(Keys),
    /// SCAN, one page of this shard.
    Scan(Scan),
    /// DBSIZE, this shard's part; `None` is all databases.
    KeyCount(Option<DatabaseIndex>),
    /// How many keys each database has and how many of them expire (INFO keyspace).
    KeyspaceCounts,
    /// CLUSTER COUNTKEYSINSLOT.
    CountKeysInSlot(Slot),
    /// CLUSTER GETKEYSINSLOT.
    KeysInSlot(KeysInSlot),
    /// DUMP: the stream as bytes, or null.
    Dump(StreamKey),
    /// OBJECT REFCOUNT, IDLETIME, FREQ and MEMORY USAGE: a number, or null without key.
    KeyProperty(KeyProperty),
    /// WATCH: a number per key that changes whenever the key does; 0 while it does not exist.
    KeyVersions(Vec<StreamKey>),
}

/// In which order a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// XRANGE: oldest first.
    Forward,
    /// XREVRANGE: newest first.
    Backward,
}

/// XRANGE's and XREVRANGE's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XRange {
    /// The stream.
    pub key: StreamKey,
    /// Lowest id, inclusive.
    pub start: EntryId,
    /// Greatest id, inclusive. Below `start`: nothing.
    pub end: EntryId,
    /// COUNT. `Some(0)` (COUNT of zero or less): null array if the stream exists.
    pub count: Option<u64>,
    /// Order of the answer.
    pub direction: Direction,
}

/// XRANGEBYSCORE's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XRangeByScore {
    /// The stream.
    pub key: StreamKey,
    /// BY: the field whose value, read as a [`Score`], selects and orders entries.
    pub field: Bytes,
    /// Lowest score, inclusive.
    pub start: Score,
    /// Greatest score, inclusive. Below `start`: nothing.
    pub end: Score,
    /// COUNT, as XRANGE's.
    pub count: Option<u64>,
}

/// From where XREAD reads one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// Entries with a greater id.
    After(EntryId),
    /// `$`: nothing now; resolves to the last id.
    Last,
    /// `+`: the last live entry.
    LastEntry,
}

/// XREAD's arguments, for the streams of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XRead {
    /// COUNT, for each stream; `None` is no bound.
    pub count: Option<u64>,
    /// MAXCOUNT and MAXSIZE.
    pub budget: ReadBudget,
    /// In the order given.
    pub streams: Vec<(StreamKey, ReadFrom)>,
}

/// XPENDING's short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSummary {
    /// The stream.
    pub key: StreamKey,
    /// The group.
    pub group: GroupName,
}

/// XPENDING's extended form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRange {
    /// The stream.
    pub key: StreamKey,
    /// The group.
    pub group: GroupName,
    /// IDLE: idle for at least so long; negative is parsed as zero.
    pub min_idle_ms: u64,
    /// Lowest id, inclusive.
    pub start: EntryId,
    /// Greatest id, inclusive.
    pub end: EntryId,
    /// Zero or less is parsed as zero: nothing.
    pub count: u64,
    /// Only this consumer's.
    pub consumer: Option<ConsumerName>,
}

/// XINFO STREAM FULL's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XInfoStreamFull {
    /// The stream.
    pub key: StreamKey,
    /// COUNT; 0 is all. 10 if not given or negative.
    pub count: u64,
}

/// XINFO CONSUMERS' arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XInfoConsumers {
    /// The stream.
    pub key: StreamKey,
    /// The group.
    pub group: GroupName,
}

/// The group to look for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsExist {
    /// The group.
    pub group: GroupName,
    /// The streams.
    pub keys: Vec<StreamKey>,
}

/// How a key's deadline is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineForm {
    /// TTL: seconds left, rounded as Redis does.
    SecondsLeft,
    /// PTTL.
    MillisLeft,
    /// EXPIRETIME.
    UnixSeconds,
    /// PEXPIRETIME.
    UnixMillis,
}

/// TTL's arguments. Answers -2 without key, -1 without deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeToLive {
    /// The key.
    pub key: StreamKey,
    /// The form.
    pub form: DeadlineForm,
}

/// KEYS' arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The database.
    pub database: DatabaseIndex,
    /// A glob as Redis writes them.
    pub pattern: Bytes,
}

/// SCAN's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The database.
    pub database: DatabaseIndex,
    /// Where to go on, inclusive.
    pub from: KeyPosition,
    /// Look at about so many keys; at least 1.
    pub count: u64,
    /// MATCH.
    pub pattern: Option<Bytes>,
}

/// CLUSTER GETKEYSINSLOT's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysInSlot {
    /// The slot.
    pub slot: Slot,
    /// At most so many.
    pub count: u64,
}

/// What is asked about a key as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// OBJECT REFCOUNT.
    ReferenceCount,
    /// OBJECT IDLETIME, which is not tracked.
    IdleTime,
    /// OBJECT FREQ, which is not tracked.
    AccessFrequency,
    /// MEMORY USAGE: about how many bytes the key takes.
    MemoryBytes,
}

/// OBJECT's and MEMORY USAGE's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProperty {
    /// The key.
    pub key: StreamKey,
    /// What of it.
    pub property: Property,
}
