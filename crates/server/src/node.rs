//! What all connections of a node share.

use std::sync::Arc;

use rivermark_cluster::Topology;
use rivermark_raft::RaftNode;
use rivermark_router::Observation;
use rivermark_types::NodeId;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::AccessControl;
use crate::clients::Clients;
use crate::config::Config;
use crate::pauses::Pauses;
use crate::shards::{ShardClients, ShardHost};
use crate::stats::Stats;
use crate::tunables::Tunables;

/// The version of Redis whose commands are served, as INFO and HELLO tell it: the newest whose stream commands
/// and options are all here (XREAD's `+` came with 7.4). Clients switch features on by it, so it must not
/// promise more.
pub const REDIS_VERSION: &str = "7.4.0";
/// The version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A running node, as its connections see it.
pub struct Node {
    /// What it was told at its start.
    pub config: Config,
    /// What CONFIG SET changed since.
    pub tunables: Tunables,
    /// Users, and what was refused to them.
    pub access: AccessControl,
    /// Replicas, metadata and leaders.
    pub raft: Arc<RaftNode>,
    /// The way to the shards.
    pub shards: Arc<ShardClients>,
    /// The connections.
    pub clients: Arc<Clients>,
    /// CLIENT PAUSE.
    pub pauses: Pauses,
    /// What was counted.
    pub stats: Stats,
    /// This node as a leader of shards.
    pub host: Arc<ShardHost>,
    /// When it started.
    pub started: Instant,
    /// Distinguishes this run of the process from others, as INFO's `run_id`.
    pub run_id: String,
    /// No new connections are accepted.
    pub closing: CancellationToken,
    /// Connections end once what is under way is answered.
    pub stopping: CancellationToken,
    topology: watch::Receiver<Arc<Topology>>,
}

impl Node {
    /// A node around its parts.
    pub fn new(
        config: Config,
        raft: Arc<RaftNode>,
        host: Arc<ShardHost>,
        shards: Arc<ShardClients>,
    ) -> Arc<Self> {
        let topology = raft.topology();
        Arc::new(Self {
            tunables: Tunables::new(&config),
            access: AccessControl::new(config.requirepass.reveal()),
            clients: Arc::default(),
            pauses: Pauses::default(),
            stats: Stats::default(),
            started: Instant::now(),
            run_id: format!(
                "{:016x}{:016x}{:08x}",
                rand::random::<u64>(),
                rand::random::<u64>(),
                rand::random::<u32>()
            ),
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
            config,
            raft,
            host,
            shards,
            topology,
        })
    }

    /// This node's id.
    pub fn id(&self) -> NodeId {
        self.raft.node_id()
    }

    /// The cluster as last heard of.
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology.borrow())
    }

    /// Follows the topology.
    pub fn watch_topology(&self) -> watch::Receiver<Arc<Topology>> {
        self.topology.clone()
    }

    /// Who leads and who answers, as this node sees it.
    pub fn observation(&self) -> Observation {
        let topology = self.topology();
        let leaders =
            topology.shards().keys().filter_map(|shard| Some((*shard, self.raft.leader_of(*shard)?)));
        let up = self.raft.peers_up();
        let up = up.borrow();
        let others = topology.nodes().keys().filter(|node| **node != self.id() && !up.contains(node));
        Observation { local: self.id(), leaders: leaders.collect(), unreachable: others.copied().collect() }
    }
}
