//! Producing with idempotent ids: XADD's IDMP and IDMPAUTO, XCFGSET, XIDMPRECORD.

use bytes::Bytes;
use rivermark_types::{EntryId, StreamKey};

/// What makes an entry the same as one added before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentId {
    /// The producer.
    pub producer: Bytes,
    /// The producer's own id of the entry; with IDMPAUTO a hash of its pairs.
    pub id: Bytes,
}

/// XCFGSET's arguments; at least one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XCfgSet {
    /// The stream.
    pub key: StreamKey,
    /// IDMP-DURATION.
    pub duration_s: Option<u32>,
    /// IDMP-MAXSIZE.
    pub pairs_max: Option<u32>,
}

/// XIDMPRECORD's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XIdmpRecord {
    /// The stream.
    pub key: StreamKey,
    /// What the producer called the entry.
    pub pair: IdempotentId,
    /// The entry, which exists.
    pub entry: EntryId,
}
