//! Wires a node together, top to bottom, and runs it until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rivermark_cluster as cluster;
use rivermark_fs::OsFileSystem;
use rivermark_raft::{InitialCluster, NodeOptions, RaftNode, TcpDialer, Timing};
use rivermark_store::Cache;
use rivermark_types::NodeId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::retire_connections_of_deleted_users;
use crate::clock::SystemClock;
use crate::config::{Config, Role};
use crate::data_lock::DataLock;
use crate::net::listener::{accept, accept_tls, listen};
use crate::node::Node;
use crate::shards::{ClientOptions, Counters, ShardClients, ShardHost};
use crate::shutdown::{self, Ended};
use crate::tls::{Certificates, TlsDialer};
use crate::{http, metrics, rpc, sampling, settings};

const METRICS_UPKEEP_EVERY: Duration = Duration::from_secs(5);
const CACHE_FOLDER: &str = "cache";
const MIB: u64 = 1024 * 1024;

/// A node that runs.
pub struct Running {
    /// What its connections share.
    pub node: Arc<Node>,
    /// Client connections.
    pub connections: TaskTracker,
    /// Listeners and background work.
    pub services: TaskTracker,
    /// Ends the listener of the other nodes, after everything else.
    pub rpc_closing: CancellationToken,
    /// Held to the end.
    pub data_lock: DataLock,
}

/// Starts a node.
///
/// # Errors
/// An address is taken, or the data folder cannot be used.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    tracing::info!(version = crate::node::VERSION, config = %config.redacted(), "starting");
    for variable in Config::unknown_variables() {
        tracing::warn!(variable, "this environment variable names no configuration key");
    }
    let certificates = Certificates::load(&config)?;
    let resp = config.resp_listen().map(|address| listen(address, "clients")).transpose()?;
    let resp_tls = config.resp_tls_listen().map(|address| listen(address, "clients")).transpose()?;
    let rpc_listener = listen(config.rpc_address, "other nodes")?;
    let http = listen(config.http_address, "HTTP")?;
    let data_lock = DataLock::take(&config.data_dir)?;
    let counters = Arc::new(Counters::default());
    let host = ShardHost::new(Arc::clone(&counters));
    let raft = RaftNode::start(raft_options(&config, &host, certificates.as_ref())?)
        .await
        .context("starting the replicas")?;
    host.attach(&raft);
    let clients = shard_clients(&config, &raft, &host, counters);
    let node = Node::new(config, Arc::clone(&raft), Arc::clone(&host), clients);

    let services = TaskTracker::new();
    let connections = TaskTracker::new();
    let rpc_closing = CancellationToken::new();
    services.spawn(rpc::serve(Arc::clone(&node), rpc_listener, certificates.clone(), rpc_closing.clone()));
    let serving = http::serve(Arc::clone(&node), http);
    services.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "HTTP ended");
        }
    });
    services.spawn(settings::follow(Arc::clone(&node)));
    services.spawn(retire_connections_of_deleted_users(Arc::clone(&node)));
    services.spawn(keep_metrics(node.stopping.clone()));
    services.spawn(sampling::run(Arc::clone(&node)));
    if let Some(listener) = resp {
        services.spawn(accept(Arc::clone(&node), listener, connections.clone()));
    }
    if let Some(certificates) = certificates {
        if let Some(listener) = resp_tls {
            let tls = Arc::clone(&certificates);
            services.spawn(accept_tls(Arc::clone(&node), listener, connections.clone(), tls));
        }
        services.spawn(certificates.follow(node.stopping.clone()));
    }
    tracing::info!(
        node = %node.id(),
        resp = node.config.resp_listen().map(tracing::field::display),
        resp_tls = node.config.resp_tls_listen().map(tracing::field::display),
        rpc = %node.config.rpc_address,
        http = %node.config.http_address,
        "listening"
    );
    Ok(Running { node, connections, services, rpc_closing, data_lock })
}

/// Runs a node until a signal or a failure that leaves no choice.
///
/// # Errors
/// The node could not start, or had to stop because its disk or its machine can no longer be trusted.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let running = start(config).await?;
    match shutdown::wait(&running).await {
        Ended::Asked(by, hand_over) => {
            tracing::info!(by, "stopping");
            shutdown::stop(running, hand_over).await;
            Ok(())
        }
        Ended::Fatal(error) => Err(error).context("the node stopped to protect its data"),
    }
}

fn raft_options(
    config: &Config,
    host: &Arc<ShardHost>,
    certificates: Option<&Arc<Certificates>>,
) -> anyhow::Result<NodeOptions> {
    let nodes = config.founders().into_iter().map(|node| cluster::Node {
        id: NodeId::new(node.id),
        rpc_address: node.rpc_address,
        resp_address: node.resp_address,
        resp_tls_address: node.resp_tls_address,
        http_address: node.http_address,
        state: cluster::NodeState::Active,
    });
    Ok(NodeOptions {
        node_id: NodeId::new(config.node_id),
        role: match config.role {
            Role::Replica => rivermark_raft::Role::Replica,
            Role::Router => rivermark_raft::Role::Router,
        },
        fs: Arc::new(OsFileSystem),
        data_dir: config.data_dir.clone(),
        clock: Arc::new(SystemClock),
        dialer: match certificates.filter(|_| config.tls_cluster) {
            Some(certificates) => Arc::new(TlsDialer::new(Arc::clone(certificates))),
            None => Arc::new(TcpDialer),
        },
        initial: InitialCluster {
            nodes: nodes.collect(),
            shards: config.shards,
            replication: config.founding_replication(),
        },
        timing: Timing {
            heartbeat_ms: config.heartbeat_ms,
            election_min_ms: config.election_min_ms,
            election_max_ms: config.election_max_ms,
        },
        log: rivermark_raft_log::Options::default(),
        snapshot_log_bytes: config.snapshot_log_mib * MIB,
        effect_sink: Arc::clone(host) as _,
        cache: open_cache(config),
    })
}

/// The cache only saves time: a node starts without it just as well.
fn open_cache(config: &Config) -> Option<Arc<Cache>> {
    match Cache::open(&config.data_dir.join(CACHE_FOLDER)) {
        Ok(cache) => Some(Arc::new(cache)),
        Err(error) => {
            tracing::warn!(%error, "starting without the cache");
            None
        }
    }
}

fn shard_clients(
    config: &Config,
    raft: &Arc<RaftNode>,
    host: &Arc<ShardHost>,
    counters: Arc<Counters>,
) -> Arc<ShardClients> {
    let options = ClientOptions { retry_ms_max: config.retry_ms_max, ..ClientOptions::default() };
    ShardClients::of_node(raft, host, options, counters)
}

async fn keep_metrics(stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => metrics::upkeep(),
            () = stopping.cancelled() => return,
        }
    }
}
