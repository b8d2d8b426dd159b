//! What a client asked for and what it was told, reduced to what the checkers look at.
//!
//! An entry is known by its *payload*, a token the workload never uses for two entries of a stream; a
//! recorder puts it in one field of the entry and reads it back from there. One operation names one
//! stream: a client that reads several streams at once records nothing here, because the product
//! promises an order for each stream, not across them.
//!
//! Deliberately absent: DEL, RENAME, XSETID, XADD with NOMKSTREAM, XCLAIM with FORCE, LASTID or RETRYCOUNT, XREADGROUP with
//! CLAIM, and transactions. A workload recorded for these checkers does not send them.

use rivermark_types::EntryId;
use serde::{Deserialize, Serialize};

use crate::id_text;

/// A stream entry: its id and its payload token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The id the server gave.
    #[serde(with = "id_text")]
    pub id: EntryId,
    /// The token the producer gave.
    pub payload: String,
}

/// An entry handed to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The entry's id.
    #[serde(with = "id_text")]
    pub id: EntryId,
    /// Its token; none if the reply had none (JUSTID, or the entry is deleted).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// The names of an idempotent XADD: `IDMP producer number`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Idempotence {
    /// The producer id.
    pub producer: String,
    /// The id of the one entry, chosen by the producer.
    pub number: String,
}

/// Where an XREAD starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// After this id.
    After(#[serde(with = "id_text")] EntryId),
    /// `$`: after the last id at the moment the server looked first.
    Newest,
}

/// Whether a read with nothing to return waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// It answers at once.
    No,
    /// BLOCK, with any timeout.
    Block,
}

/// Where XGROUP CREATE and SETID put a group's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// At this id.
    At(#[serde(with = "id_text")] EntryId),
    /// `$`: at the stream's last id.
    Newest,
}

/// What an XREADGROUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupFrom {
    /// `>`: entries no consumer has been given.
    New,
    /// The consumer's own pending entries after this id.
    History(#[serde(with = "id_text")] EntryId),
}

/// Whether a delivery makes the entry pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledgement {
    /// It is pending until XACK.
    Expected,
    /// NOACK.
    None,
}

/// What a claim returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimForm {
    /// Entries; counts as a delivery.
    Entries,
    /// JUSTID: ids; does not count.
    IdsOnly,
}

/// What an XTRIM keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrimBound {
    /// The newest this many.
    MaxLen(u64),
    /// This id and later ones.
    MinId(#[serde(with = "id_text")] EntryId),
}

/// `=` or `~`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// All that the bound names goes.
    Exact,
    /// Some of the oldest of what the bound names go.
    Approximate,
}

/// One command on one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the command's arguments under their own names")]
pub enum Operation {
    /// `max_len` is an exact MAXLEN.
    Xadd {
        key: String,
        payload: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotence: Option<Idempotence>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_len: Option<u64>,
    },
    Xlen {
        key: String,
    },
    /// Bounds are inclusive.
    Xrange {
        key: String,
        #[serde(with = "id_text")]
        start: EntryId,
        #[serde(with = "id_text")]
        end: EntryId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
    },
    /// Bounds are inclusive, `start` the lower one; entries come newest first.
    Xrevrange {
        key: String,
        #[serde(with = "id_text")]
        start: EntryId,
        #[serde(with = "id_text")]
        end: EntryId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
    },
    Xread {
        key: String,
        from: ReadFrom,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        wait: Wait,
    },
    Xdel {
        key: String,
        #[serde(with = "id_text::list")]
        ids: Vec<EntryId>,
    },
    Xtrim {
        key: String,
        bound: TrimBound,
        precision: Precision,
    },
    /// With MKSTREAM.
    XgroupCreate {
        key: String,
        group: String,
        cursor: Cursor,
    },
    XgroupSetid {
        key: String,
        group: String,
        cursor: Cursor,
    },
    XgroupDestroy {
        key: String,
        group: String,
    },
    XgroupDelconsumer {
        key: String,
        group: String,
        consumer: String,
    },
    Xreadgroup {
        key: String,
        group: String,
        consumer: String,
        from: GroupFrom,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        wait: Wait,
        acknowledgement: Acknowledgement,
    },
    Xack {
        key: String,
        group: String,
        #[serde(with = "id_text::list")]
        ids: Vec<EntryId>,
    },
    Xclaim {
        key: String,
        group: String,
        consumer: String,
        min_idle_ms: u64,
        #[serde(with = "id_text::list")]
        ids: Vec<EntryId>,
        form: ClaimForm,
    },
    Xautoclaim {
        key: String,
        group: String,
        consumer: String,
        min_idle_ms: u64,
        #[serde(with = "id_text")]
        start: EntryId,
        count: usize,
        form: ClaimForm,
    },
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is one field, named by its variant")]
pub enum Reply {
    /// `+OK`.
    Done,
    /// The id XADD gave.
    Added {
        #[serde(with = "id_text")]
        id: EntryId,
    },
    /// An integer.
    Count { count: u64 },
    /// What XRANGE, XREVRANGE or XREAD returned, in the reply's order; nothing for a null reply.
    Entries { entries: Vec<Entry> },
    /// What XREADGROUP or XCLAIM handed over.
    Deliveries { entries: Vec<Delivery> },
    /// XAUTOCLAIM's reply.
    Claimed {
        #[serde(with = "id_text")]
        next: EntryId,
        entries: Vec<Delivery>,
        #[serde(with = "id_text::list")]
        deleted: Vec<EntryId>,
    },
}

impl Operation {
    /// The stream.
    pub fn key(&self) -> &str {
        match self {
            Self::Xadd { key, .. }
            | Self::Xlen { key }
            | Self::Xrange { key, .. }
            | Self::Xrevrange { key, .. }
            | Self::Xread { key, .. }
            | Self::Xdel { key, .. }
            | Self::Xtrim { key, .. }
            | Self::XgroupCreate { key, .. }
            | Self::XgroupSetid { key, .. }
            | Self::XgroupDestroy { key, .. }
            | Self::XgroupDelconsumer { key, .. }
            | Self::Xreadgroup { key, .. }
            | Self::Xack { key, .. }
            | Self::Xclaim { key, .. }
            | Self::Xautoclaim { key, .. } => key,
        }
    }

    /// The group, of commands that name one.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::XgroupCreate { group, .. }
            | Self::XgroupSetid { group, .. }
            | Self::XgroupDestroy { group, .. }
            | Self::XgroupDelconsumer { group, .. }
            | Self::Xreadgroup { group, .. }
            | Self::Xack { group, .. }
            | Self::Xclaim { group, .. }
            | Self::Xautoclaim { group, .. } => Some(group),
            _ => None,
        }
    }

    /// Whether it may wait for as long as the client asked.
    pub fn may_wait(&self) -> bool {
        matches!(self, Self::Xread { wait: Wait::Block, .. } | Self::Xreadgroup { wait: Wait::Block, .. })
    }

    /// Whether `reply` is of the kind this command answers.
    pub fn accepts(&self, reply: &Reply) -> bool {
        match self {
            Self::Xadd { .. } => matches!(reply, Reply::Added { .. }),
            Self::Xlen { .. }
            | Self::Xdel { .. }
            | Self::Xtrim { .. }
            | Self::XgroupDestroy { .. }
            | Self::XgroupDelconsumer { .. }
            | Self::Xack { .. } => matches!(reply, Reply::Count { .. }),
            Self::Xrange { .. } | Self::Xrevrange { .. } | Self::Xread { .. } => {
                matches!(reply, Reply::Entries { .. })
            }
            Self::XgroupCreate { .. } | Self::XgroupSetid { .. } => *reply == Reply::Done,
            Self::Xreadgroup { .. } | Self::Xclaim { .. } => matches!(reply, Reply::Deliveries { .. }),
            Self::Xautoclaim { .. } => matches!(reply, Reply::Claimed { .. }),
        }
    }
}
