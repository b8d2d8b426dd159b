//! What a node is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rivermark_cluster::Node;
use rivermark_fs::SharedFileSystem;
use rivermark_store::Cache;
use rivermark_stream::Effect;
use rivermark_types::{Clock, NodeId, ShardId};

use crate::transport::Dialer;

/// Snapshots are taken once a shard's log holds this many bytes, unless the options say otherwise.
pub const SNAPSHOT_LOG_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// Everything a node needs from outside.
pub struct NodeOptions {
    /// This node. Never reused, not even after the node lost its disk.
    pub node_id: NodeId,
    /// Whether it holds replicas.
    pub role: Role,
    /// The disk.
    pub fs: SharedFileSystem,
    /// Where identity, log, snapshots and cache live.
    pub data_dir: PathBuf,
    /// Wall-clock time, for stamps.
    pub clock: Arc<dyn Clock>,
    /// How connections to peers are made.
    pub dialer: Arc<dyn Dialer>,
    /// The nodes the cluster is founded with, or, on a node that joins later, whom to ask.
    pub initial: InitialCluster,
    /// Remembers the topology as last seen, for a start without peers.
    pub cache: Option<Arc<Cache>>,
    /// Heartbeats and elections.
    pub timing: Timing,
    /// The log's own settings.
    pub log: rivermark_raft_log::Options,
    /// A shard whose log holds this many bytes is snapshotted, see [`SNAPSHOT_LOG_BYTES_DEFAULT`].
    pub snapshot_log_bytes: u64,
    /// Who acts on effects.
    pub effect_sink: Arc<dyn EffectSink>,
}

/// Whether a node holds replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the replicas the topology gives it.
    Replica,
    /// Holds none; follows the topology and forwards.
    Router,
}

/// The cluster as first configured. Equal on all nodes it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialCluster {
    /// The founding nodes. A node named here whose addresses differ from the topology's makes them known.
    pub nodes: Vec<Node>,
    /// Shards that hold streams.
    pub shards: u32,
    /// Replicas a shard, the metadata shard included.
    pub replication: u32,
}

/// Heartbeats and elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between heartbeats of an idle leader.
    pub heartbeat_ms: u64,
    /// Least random wait before an election.
    pub election_min_ms: u64,
    /// Greatest random wait, and the leader's lease.
    pub election_max_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat_ms: 100, election_min_ms: 300, election_max_ms: 600 }
    }
}

impl Timing {
    pub(crate) fn election_max(&self) -> Duration {
        Duration::from_millis(self.election_max_ms)
    }
}

/// Acts on what apply leaves to do, on the node that leads the shard.
///
/// Called on the task that applies: it must not block. A waiter that registers first, then sees
/// [`crate::Leadership::is_local_leader`], and only then looks at the machine, misses nothing.
pub trait EffectSink: Send + Sync + 'static {
    /// Effects of one batch, in order. The machine already shows them.
    fn effects(&self, shard: ShardId, effects: Vec<Effect>);
    /// This node no longer leads the shard: its waiters must go elsewhere.
    fn leadership_lost(&self, shard: ShardId);
}
