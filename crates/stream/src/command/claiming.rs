//! Who has pending entries: XCLAIM, XAUTOCLAIM, XNACK.

use rivermark_types::EntryId;

use super::{ConsumerRef, GroupRef};

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

/// FORCE of XCLAIM and XNACK.
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

/// Why a consumer gives an entry back: what it does to the delivery count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NackMode {
    /// SILENT: the delivery did not happen.
    Silent,
    /// FAIL: the delivery counts.
    Fail,
    /// FATAL: no delivery will succeed; the count becomes the greatest there is.
    Fatal,
}

/// XNACK's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XNack {
    /// The group.
    pub target: GroupRef,
    /// SILENT, FAIL or FATAL.
    pub mode: NackMode,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
    /// RETRYCOUNT: overrules the mode's count.
    pub retry_count: Option<u64>,
    /// FORCE: also entries that are not pending.
    pub force: Force,
}
