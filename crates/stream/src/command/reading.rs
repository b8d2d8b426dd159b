//! How much a read may return, and XREADGROUP.

use rivermark_types::{ConsumerName, EntryId, GroupName, StreamKey};

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

/// MAXCOUNT and MAXSIZE: bounds of a whole reply. Streams are served in the order given until one is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadBudget {
    /// MAXCOUNT: at most so many entries.
    pub entries: Option<u64>,
    /// MAXSIZE: at most so many bytes of the reply.
    pub bytes: Option<u64>,
    /// Whether the first entry goes out however large it is.
    pub first: FirstEntry,
}

/// What becomes of a first entry above MAXSIZE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstEntry {
    /// It goes out: else a reader would never get past it.
    #[default]
    Always,
    /// It is an entry like others, since the reply has entries of another shard already.
    IfItFits,
}

impl ReadBudget {
    /// No bound.
    pub const UNLIMITED: Self = Self { entries: None, bytes: None, first: FirstEntry::Always };
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
    /// MAXCOUNT and MAXSIZE.
    pub budget: ReadBudget,
    /// CLAIM: before new entries, pending ones of the whole group idle for at least so long.
    pub claim_min_idle_ms: Option<u64>,
    /// NOACK is [`Acknowledgement::Implicit`].
    pub acknowledgement: Acknowledgement,
    /// In the order given.
    pub streams: Vec<(StreamKey, GroupReadFrom)>,
}
