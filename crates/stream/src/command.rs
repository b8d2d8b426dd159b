//! What changes a shard: every command with its parsed, validated arguments.
//!
//! Commands enter the Raft log in this form, never as RESP text, so replicas cannot disagree on grammar.
//! What Redis calls a read but changes state (XREADGROUP moves the PEL) is a command.

mod claiming;
mod deletion;
mod idempotence;
mod keyspace;
mod reading;

use rivermark_types::limits::{
    BLOCK_BYTES_DEFAULT, BLOCK_ENTRIES_DEFAULT, IDEMPOTENT_PAIRS_DEFAULT, IDEMPOTENT_S_DEFAULT,
};
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, StreamKey};

use crate::fields::Fields;
use crate::query::Query;

pub use claiming::{ClaimReply, DeliveryTime, Force, NackMode, XAutoClaim, XClaim, XNack};
pub use deletion::{References, XAckDel, XDelEx};
pub use idempotence::{IdempotentId, XCfgSet, XIdmpRecord};
pub use keyspace::{CopyKey, Deadline, ExistingOnly, Expire, ExpireCondition, Occupied, Rename, Restore};
pub use reading::{Acknowledgement, FirstEntry, GroupReadFrom, ReadBudget, XReadGroup};

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
    /// XDELEX: for each id -1, 1 or 2.
    XDelEx(XDelEx),
    /// XACKDEL: for each id -1, 1 or 2.
    XAckDel(XAckDel),
    /// XNACK: how many entries have no owner now.
    XNack(XNack),
    /// XCFGSET.
    XCfgSet(XCfgSet),
    /// XIDMPRECORD.
    XIdmpRecord(XIdmpRecord),
    /// DEL and UNLINK: how many of the keys existed.
    Delete(Vec<StreamKey>),
    /// EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT.
    Expire(Expire),
    /// PERSIST.
    Persist(StreamKey),
    /// RENAME and RENAMENX.
    Rename(Rename),
    /// COPY.
    Copy(CopyKey),
    /// RESTORE.
    Restore(Restore),
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
    /// `stream-idmp-duration`: for how long a stream remembers an idempotent id, unless XCFGSET says otherwise.
    pub idempotent_s: u32,
    /// `stream-idmp-maxsize`: how many it remembers of one producer, unless XCFGSET says otherwise.
    pub idempotent_pairs_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            block_entries_max: BLOCK_ENTRIES_DEFAULT,
            block_bytes_max: BLOCK_BYTES_DEFAULT,
            idempotent_s: IDEMPOTENT_S_DEFAULT,
            idempotent_pairs_max: IDEMPOTENT_PAIRS_DEFAULT,
        }
    }
}

/// The id argument of XADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewEntryId {
    /// `*`: the stamp's millisecond, or the last id's successor.
    Auto,
    /// `ms-*`: the next sequence number of that millisecond.
    AutoSequence(u64),
    /// A full id; `0-0` is refused by the grammar.
    Exact(EntryId),
    /// `*` with IDMP or IDMPAUTO: as [`Self::Auto`], unless the entry was added before.
    Idempotent(IdempotentId),
}

/// How far to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What may stay.
    pub keep: TrimKeep,
    /// Exactly, or by whole blocks.
    pub precision: TrimPrecision,
    /// KEEPREF, DELREF or ACKED.
    pub references: References,
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

/// XACK's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAck {
    /// The group.
    pub target: GroupRef,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
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
