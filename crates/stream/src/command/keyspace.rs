//! Commands about keys as such: the EXPIRE family, RENAME, COPY, RESTORE.

use bytes::Bytes;
use rivermark_types::StreamKey;

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

/// What becomes of a key that stands where another is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// It is replaced.
    Replace,
    /// It stays, and the command does nothing.
    Keep,
}

/// RENAME's ([`Occupied::Replace`], answers `+OK`) and RENAMENX's ([`Occupied::Keep`], answers 1 or 0) arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The key.
    pub from: StreamKey,
    /// Its new name, on the same shard.
    pub to: StreamKey,
    /// If the new name is a key's.
    pub occupied: Occupied,
}

/// COPY's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyKey {
    /// The key.
    pub from: StreamKey,
    /// The copy, another key of the same shard.
    pub to: StreamKey,
    /// REPLACE is [`Occupied::Replace`].
    pub occupied: Occupied,
}

/// RESTORE's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The key.
    pub key: StreamKey,
    /// When it expires; the grammar made 0 `None`.
    pub deadline: Option<Deadline>,
    /// What DUMP answered.
    pub payload: Bytes,
    /// REPLACE is [`Occupied::Replace`].
    pub occupied: Occupied,
}
