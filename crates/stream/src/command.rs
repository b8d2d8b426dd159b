//! What changes a shard: every command with its parsed, validated arguments.
//!
//! Commands enter the Raft log in this form, never as RESP text, so replicas cannot disagree on grammar.
//! What Redis calls a read but changes state (XREADGROUP moves the PEL) is a command.

use rivermark_types::limits::{BLOCK_BYTES_DEFAULT, BLOCK_ENTRIES_DEFAULT};
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, StreamKey};

use crate::fields::Fields;
use crate::query::Query;

/// One replicated change. Each variant is one Redis command or subcommand, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// XADD.
    XAdd(XAdd),
    /// XTRIM.
    XTrim(XTrim),
    /// XDEL.
    XDel(XDel),
    /// XSETID.
    XSetId(XSetId),
    /// XGROUP CREATE.
    XGroupCreate(XGroupCreate),
    /// XGROUP SETID.
    XGroupSetId(XGroupSetId),
    /// XGROUP DESTROY.
    XGroupDestroy(GroupRef),
    /// XGROUP CREATECONSUMER.
    XGroupCreateConsumer(ConsumerRef),
    /// XGROUP DELCONSUMER.
    XGroupDelConsumer(ConsumerRef),
    /// XREADGROUP, one attempt: whether to wait is the host's affair.
    XReadGroup(XReadGroup),
    /// XACK.
    XAck(XAck),
    /// XCLAIM.
    XClaim(XClaim),
    /// XAUTOCLAIM.
    XAutoClaim(XAutoClaim),
    /// DEL and UNLINK: how many of the keys existed.
    Delete(Vec<StreamKey>),
    /// EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT.
    Expire(Expire),
    /// PERSIST.
    Persist(StreamKey),
    /// FLUSHDB of this shard's part of a database.
    FlushDatabase(DatabaseIndex),
    /// FLUSHALL of this shard.
    FlushAll,
    /// Replaces the shard's settings (CONFIG SET of replicated parameters).
    Configure(Settings),
    /// EXEC: all steps at once, or none if a watched key changed.
    Transaction(Transaction),
}

/// Settings that decide what apply does, hence replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `stream-node-max-entries`: entries of a block; 0 is no bound.
    pub block_entries_max: u32,
    /// `stream-node-max-bytes`: bytes of a block; 0 is no bound.
    pub block_bytes_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { block_entries_max: BLOCK_ENTRIES_DEFAULT, block_bytes_max: BLOCK_BYTES_DEFAULT }
    }
}

/// The id argument of XADD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewEntryId {
    /// `*`: the stamp's millisecond, or the last id's successor.
    Auto,
    /// `ms-*`: the next sequence number of that millisecond.
    AutoSequence(u64),
    /// A full id; `0-0` is refused by the grammar.
    Exact(EntryId),
}

/// How far to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What may stay.
    pub keep: TrimKeep,
    /// Exactly, or by whole blocks.
    pub precision: TrimPrecision,
}

/// What trimming keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimKeep {
    /// MAXLEN: at most so many entries, the newest.
    MaxLength(u64),
    /// MINID: entries with this id or a greater one.
    MinId(EntryId),
}

/// `=` or `~`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimPrecision {
    /// `=`, or no sign.
    Exact,
    /// `~`: only blocks that may go as a whole.
    Blocks {
        /// LIMIT; `Some(0)` is no limit, `None` the default budget of 100 blocks.
        limit: Option<u64>,
    },
}

/// Whether a missing key is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingKey {
    /// The key is created.
    Create,
    /// The command is refused or answers null.
    Keep,
}

/// XADD's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAdd {
    /// The stream.
    pub key: StreamKey,
    /// NOMKSTREAM is [`MissingKey::Keep`].
    pub missing_key: MissingKey,
    /// Trim after adding.
    pub trim: Option<Trim>,
    /// The id or how to make it.
    pub id: NewEntryId,
    /// At least one pair.
    pub fields: Fields,
}

/// XTRIM's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XTrim {
    /// The stream.
    pub key: StreamKey,
    /// How far.
    pub trim: Trim,
}

/// XDEL's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XDel {
    /// The stream.
    pub key: StreamKey,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
}

/// XSETID's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XSetId {
    /// The stream.
    pub key: StreamKey,
    /// The new last id.
    pub last_id: EntryId,
    /// ENTRIESADDED.
    pub entries_added: Option<u64>,
    /// MAXDELETEDID.
    pub max_deleted_id: Option<EntryId>,
}

/// A group of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRef {
    /// The stream.
    pub key: StreamKey,
    /// The group.
    pub group: GroupName,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRef {
    /// The stream.
    pub key: StreamKey,
    /// The group.
    pub group: GroupName,
    /// The consumer.
    pub consumer: ConsumerName,
}

/// Where a group's cursor is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupStart {
    /// `$`: after the stream's last id.
    Last,
    /// After this id.
    After(EntryId),
}

/// XGROUP CREATE's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XGroupCreate {
    /// The new group.
    pub target: GroupRef,
    /// Where it starts.
    pub start: GroupStart,
    /// MKSTREAM is [`MissingKey::Create`].
    pub missing_key: MissingKey,
    /// ENTRIESREAD; `None` is -1, unknown.
    pub entries_read: Option<u64>,
}

/// XGROUP SETID's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XGroupSetId {
    /// The group.
    pub target: GroupRef,
    /// Where it goes on.
    pub start: GroupStart,
    /// ENTRIESREAD; `None` is -1, unknown, and overwrites what was known.
    pub entries_read: Option<u64>,
}

/// What XREADGROUP reads of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupReadFrom {
    /// `>`: entries never delivered to the group.
    New,
    /// The consumer's own pending entries after this id.
    Pending(EntryId),
}

/// Whether delivered entries are recorded as pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Deliveries are pending until XACK.
    Explicit,
    /// NOACK: nothing is recorded.
    Implicit,
}

/// XREADGROUP's arguments, for the streams of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XReadGroup {
    /// The group, of every stream read.
    pub group: GroupName,
    /// The consumer, created on first mention.
    pub consumer: ConsumerName,
    /// COUNT, for each stream; `None` is no bound.
    pub count: Option<u64>,
    /// NOACK is [`Acknowledgement::Implicit`].
    pub acknowledgement: Acknowledgement,
    /// In the order given.
    pub streams: Vec<(StreamKey, GroupReadFrom)>,
}

/// XACK's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAck {
    /// The group.
    pub target: GroupRef,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
}

/// When a claimed entry counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryTime {
    /// Neither IDLE nor TIME: the stamp.
    Now,
    /// IDLE: so long before the stamp.
    IdleMs(i64),
    /// TIME: at this Unix millisecond.
    AtUnixMs(i64),
}

/// What a claim answers, and whether it counts as a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimReply {
    /// The entries; the delivery count goes up.
    Entries,
    /// JUSTID: the ids; the delivery count stays.
    Ids,
}

/// XCLAIM's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XClaim {
    /// The claiming consumer.
    pub target: ConsumerRef,
    /// Idle for at least so long; negative is parsed as zero.
    pub min_idle_ms: u64,
    /// In the order given.
    pub ids: Vec<EntryId>,
    /// IDLE or TIME.
    pub delivery_time: DeliveryTime,
    /// RETRYCOUNT.
    pub retry_count: Option<u64>,
    /// FORCE: also entries that are not pending.
    pub force: Force,
    /// JUSTID.
    pub reply: ClaimReply,
    /// LASTID.
    pub last_id: Option<EntryId>,
}

/// FORCE of XCLAIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Entries that are not pending are passed over.
    No,
    /// Entries that are not pending become so.
    Yes,
}

/// XAUTOCLAIM's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAutoClaim {
    /// The claiming consumer.
    pub target: ConsumerRef,
    /// Idle for at least so long; negative is parsed as zero.
    pub min_idle_ms: u64,
    /// The first id to look at, inclusive.
    pub start: EntryId,
    /// COUNT, 100 if not given; at least 1.
    pub count: u64,
    /// JUSTID.
    pub reply: ClaimReply,
}

/// When a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So many milliseconds after the stamp; may be negative.
    InMs(i64),
    /// At this Unix millisecond; may be in the past.
    AtUnixMs(i64),
}

/// NX, XX, GT, LT of the EXPIRE family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireCondition {
    /// No option.
    Always,
    /// NX: only if there is no deadline.
    IfNone,
    /// XX: only if there is one.
    IfSome,
    /// GT: only if later; no deadline counts as never.
    IfLater,
    /// LT: only if earlier; no deadline counts as never.
    IfEarlier,
}

/// The EXPIRE family's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expire {
    /// The key.
    pub key: StreamKey,
    /// When. The grammar has checked that it does not overflow.
    pub deadline: Deadline,
    /// On what condition; XX with GT or LT is [`ExpireCondition::IfLater`]/[`ExpireCondition::IfEarlier`]
    /// with `existing_only`.
    pub condition: ExpireCondition,
    /// XX together with GT or LT.
    pub existing_only: ExistingOnly,
}

/// Whether XX accompanies GT or LT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingOnly {
    /// It does not.
    No,
    /// It does.
    Yes,
}

/// EXEC's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// WATCHed keys with the versions seen at WATCH time (see [`crate::query::Query::KeyVersions`]).
    pub watches: Vec<(StreamKey, u64)>,
    /// The queued commands, in order.
    pub steps: Vec<Step>,
}

/// One queued command of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changes the shard. Never a [`Command::Transaction`].
    Command(Command),
    /// Reads what the earlier steps left.
    Query(Query),
}
