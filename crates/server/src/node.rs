//! What all connections of a node share.

use std::sync::Arc;
use std::time::Duration;

use rivermark_cluster::Topology;
use rivermark_protocol::commands::{CommandFlags, CommandSpec};
use rivermark_raft::RaftNode;
use rivermark_router::Observation;
use rivermark_types::NodeId;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::AccessControl;
use crate::clients::{Client, Clients};
use crate::clock::unix_time;
use crate::config::Config;
use crate::latency::{LatencyEvent, LatencyMonitor};
use crate::monitors::Monitors;
use crate::pauses::Pauses;
use crate::sampling::Rates;
use crate::saves::Saves;
use crate::shards::{ShardClients, ShardHost};
use crate::shutdown::ShutdownOrder;
use crate::slow_log::{SlowLog, Told};
use crate::stats::Stats;
use crate::status::position;
use crate::tunables::Tunables;

/// The version of Redis whose commands are served, as INFO and HELLO tell it: the newest whose stream commands
/// and options are all here (MAXCOUNT and MAXSIZE came with 8.10). Clients switch features on by it, so it must not
/// promise more.
pub const REDIS_VERSION: &str = "8.10.0";
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
    /// How fast it was counted of late.
    pub rates: Rates,
    /// SLOWLOG.
    pub slow_log: SlowLog,
    /// LATENCY.
    pub latency: LatencyMonitor,
    /// MONITOR.
    pub monitors: Arc<Monitors>,
    /// SAVE and BGSAVE.
    pub saves: Saves,
    /// SHUTDOWN.
    pub shutdown: ShutdownOrder,
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
            rates: Rates::default(),
            slow_log: SlowLog::default(),
            latency: LatencyMonitor::default(),
            monitors: Arc::default(),
            saves: Saves::new(unix_time().0),
            shutdown: ShutdownOrder::default(),
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

    /// Log entries applied by this node's replicas, all together: what there is to tell as a replication offset.
    pub fn applied_total(&self) -> u64 {
        self.raft.statuses().iter().map(|replica| position(replica.applied)).sum()
    }

    /// Whether what took so long belongs into the slow log.
    pub fn is_slow(&self, elapsed: Duration) -> bool {
        self.tunables.slow_log_threshold().is_some_and(|threshold| elapsed >= threshold)
    }

    /// Enters requests of one connection that took equally long into the slow log.
    pub fn note_slow(&self, slow: Vec<Told>, elapsed: Duration, client: &Client) {
        self.slow_log.note(slow, elapsed, client, self.tunables.slow_log_length_max());
    }

    /// Notes commands that took equally long, if the latency monitor is on and it was long.
    pub fn note_latency(&self, elapsed: Duration, specs: impl IntoIterator<Item = &'static CommandSpec>) {
        if self.tunables.latency_threshold().is_none_or(|threshold| elapsed < threshold) {
            return;
        }
        let (mut fast, mut other) = (false, false);
        for spec in specs {
            let is_fast = spec.flags.contains(CommandFlags::FAST);
            (fast, other) = (fast || is_fast, other || !is_fast);
        }
        let (unix_s, _) = unix_time();
        for (noted, event) in [(fast, LatencyEvent::FastCommand), (other, LatencyEvent::Command)] {
            if noted {
                self.latency.note(event, unix_s, elapsed);
            }
        }
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
