//! What the cluster holds when the workload has ended, faults are healed and groups are drained.

use std::collections::BTreeMap;

use rivermark_types::EntryId;
use serde::{Deserialize, Serialize};

use crate::id_text;
use crate::operation::Entry;

/// The state at the end, read through the product after the history's last event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Streams that were read whole. A stream that is missing here is not checked against its end.
    pub streams: BTreeMap<String, FinalStream>,
    /// What replicas say of themselves, all asked after the last write was applied everywhere.
    #[serde(default)]
    pub replicas: Vec<ReplicaDigest>,
    /// When the last fault was healed and how long an operation may take from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<Healed>,
}

/// One stream at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalStream {
    /// All entries, in the order `XRANGE - +` returned them.
    pub entries: Vec<Entry>,
    /// Its groups.
    #[serde(default)]
    pub groups: BTreeMap<String, FinalGroup>,
}

/// Whether consumers went on until `>` had nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drained {
    /// Entries after the cursor are none's fault.
    #[default]
    No,
    /// Every entry must have been delivered.
    Yes,
}

/// One group at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalGroup {
    /// XINFO GROUPS' last-delivered-id.
    #[serde(with = "id_text")]
    pub last_delivered: EntryId,
    /// Whether it was read to the end.
    #[serde(default)]
    pub drained: Drained,
    /// All pending entries, in the order XPENDING returned them.
    #[serde(default)]
    pub pending: Vec<FinalPending>,
}

/// One pending entry at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalPending {
    /// The entry.
    #[serde(with = "id_text")]
    pub id: EntryId,
    /// Its owner.
    pub consumer: String,
    /// How often it was delivered.
    pub delivery_count: u64,
}

/// The digest of one replica's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDigest {
    /// The shard.
    pub shard: u32,
    /// The node the replica is on.
    pub node: u64,
    /// The last log entry it had applied.
    pub applied: u64,
    /// The digest, as text.
    pub digest: String,
}

/// The end of the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// When, by the history's clock.
    pub at_ns: u64,
    /// How long an operation sent after that may take.
    pub budget_ns: u64,
}
