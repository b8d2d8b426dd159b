//! A node: its identity, log and snapshots, the replicas it hosts, and what it knows of the cluster.
//!
//! The first start of a founding node founds the metadata shard together with the other founding nodes,
//! whose leader then proposes Bootstrap. From then on the topology says which shards a node hosts.
//! Every later start resumes from the disk; a shard with data is never founded again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rivermark_cluster::{Command, Outcome, Topology};
use rivermark_raft_log::RaftLog;
use rivermark_store::{Cache, ClusterId, NodeIdentity, SnapshotStore};
use rivermark_types::{Clock, NodeId, ShardId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::apply::Audience;
use crate::balance;
use crate::error::{FatalError, ProposeError, ReplicaError, StartError};
use crate::leaders::Leaders;
use crate::membership::Readmission;
use crate::network::Network;
use crate::options::{InitialCluster, NodeOptions, Role, Timing};
use crate::reconcile;
use crate::replica::{Replica, ReplicaContext};
use crate::service::Service;
use crate::status::ReplicaStatus;
use crate::transport::Peers;

const LOG_FOLDER: &str = "log";
/// Where the cache keeps the topology as last seen.
pub(crate) const TOPOLOGY_CACHE_KEY: &[u8] = b"topology";
/// Bits of a session id left to the caller of [`RaftNode::session_seed`].
pub const SESSION_SEED_FREE_BITS: u32 = 20;
const SESSION_INCARNATION_BITS: u32 = 24;

/// A node's share of the cluster's replication.
pub struct RaftNode {
    shared: Arc<Shared>,
    session_seed: u64,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the node's parts share.
pub(crate) struct Shared {
    pub(crate) node_id: NodeId,
    pub(crate) role: Role,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timing: Timing,
    pub(crate) initial: InitialCluster,
    /// Low half of the cluster's id; zero until known.
    pub(crate) cluster: Arc<AtomicU64>,
    pub(crate) topology: watch::Sender<Arc<Topology>>,
    pub(crate) leaders: Arc<Leaders>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) snapshots: SnapshotStore,
    /// None on a router.
    pub(crate) log: Option<RaftLog>,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) handing_over: AtomicBool,
    replicas: RwLock<BTreeMap<ShardId, Arc<Replica>>>,
    /// Replicas that could not start: damaged, to be rebuilt.
    pub(crate) broken: RwLock<BTreeMap<ShardId, ReplicaError>>,
    /// The peers this node is following now.
    up: watch::Sender<BTreeSet<NodeId>>,
    fatal: watch::Sender<Option<FatalError>>,
    context: Option<ReplicaContext>,
}

impl RaftNode {
    /// Opens what the disk holds and starts the replicas this node hosts. They elect and serve as soon as
    /// the routes of [`Self::grpc_routes`] are reachable for the peers.
    ///
    /// # Errors
    /// See [`StartError`]. A damaged replica does not fail the start: it is left out and shown in
    /// [`Self::statuses`].
    pub async fn start(options: NodeOptions) -> Result<Arc<Self>, StartError> {
        check(&options)?;
        let opened = Opened::open(&options).await?;
        let session_seed = session_seed(options.node_id, opened.identity.incarnation);
        let shared = Arc::new_cyclic(|weak| Shared::new(options, opened, weak));
        reconcile::resume(&shared).await?;
        let tasks = vec![
            tokio::spawn(reconcile::run(Arc::clone(&shared))),
            tokio::spawn(balance::run(Arc::clone(&shared))),
        ];
        Ok(Arc::new(Self { shared, session_seed, tasks: Mutex::new(tasks) }))
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.shared.node_id
    }

    /// A number that no start of any node shares, with the lowest [`SESSION_SEED_FREE_BITS`] zero: by
    /// adding to it, session ids unique in the cluster are made.
    pub fn session_seed(&self) -> u64 {
        self.session_seed
    }

    /// Follows the cluster's topology. Empty, at epoch zero, until it is known.
    pub fn topology(&self) -> watch::Receiver<Arc<Topology>> {
        self.shared.topology.subscribe()
    }

    /// The replica of a stream shard, if hosted here.
    pub fn replica(&self, shard: ShardId) -> Option<Arc<Replica>> {
        if shard == ShardId::METADATA { None } else { self.shared.any_replica(shard) }
    }

    /// The stream shards hosted here.
    pub fn replicas(&self) -> Vec<Arc<Replica>> {
        let mut replicas = self.shared.all_replicas();
        replicas.retain(|replica| replica.shard() != ShardId::METADATA);
        replicas
    }

    /// What the server's RPC listener serves for this crate.
    pub fn grpc_routes(&self) -> tonic::service::Routes {
        Service::routes(Arc::clone(&self.shared))
    }

    /// The leader of a shard, hosted here or not, as far as known. A hint: ask it and see.
    pub fn leader_of(&self, shard: ShardId) -> Option<NodeId> {
        self.shared.leaders.leader_of(shard)
    }

    /// Follows the leaders of all shards, as far as known.
    pub fn leaders(&self) -> watch::Receiver<BTreeMap<ShardId, NodeId>> {
        self.shared.leaders.latest()
    }

    /// The peers that answer this node at present.
    pub fn peers_up(&self) -> watch::Receiver<BTreeSet<NodeId>> {
        self.shared.up.subscribe()
    }

    /// Proposes a change of the metadata, wherever its leader is. Commands may be repeated to the same
    /// end, so this retries through changes of leadership, for some seconds.
    ///
    /// # Errors
    /// What stood in the way when time ran out.
    pub async fn propose_metadata(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.shared.propose_metadata(&command).await
    }

    /// [`Replica::readmit`] for all shards hosted here, the metadata shard included.
    pub fn readmit(&self, readmission: Readmission) {
        self.shared.all_replicas().iter().for_each(|replica| replica.readmit(readmission));
    }

    /// One line a replica, for metrics, health and the console.
    pub fn statuses(&self) -> Vec<ReplicaStatus> {
        crate::status::collect(&self.shared)
    }

    /// The channels to the other nodes, for the server's own calls.
    pub fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.shared.peers)
    }

    /// Counters of the log; `None` on a router.
    pub fn log_counters(&self) -> Option<rivermark_raft_log::Counters> {
        self.shared.log.as_ref().map(RaftLog::counters)
    }

    /// Ends when the node must stop at once: what it holds or would apply is no longer certain. The process
    /// exits and recovers from its disk.
    pub fn fatal(&self) -> impl Future<Output = FatalError> + Send + 'static {
        let mut fatal = self.shared.fatal.subscribe();
        async move {
            match fatal.wait_for(Option::is_some).await.map(|found| (*found).clone()) {
                Ok(Some(error)) => error,
                // The node was dropped.
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Gives every shard led here to a follower that has caught up, and takes none back. Returns whether all
    /// were given away in time.
    pub async fn hand_over_leadership(&self, deadline: Duration) -> bool {
        balance::hand_over(&self.shared, deadline).await
    }

    /// Ends all tasks, replicas and the log. What was proposed and not answered is answered now.
    pub async fn shutdown(&self) {
        self.shared.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the node panicked");
            }
        }
        let replicas = std::mem::take(&mut *self.shared.replicas.write());
        futures_util::future::join_all(replicas.values().map(|replica| replica.stop())).await;
        if let Some(log) = self.shared.log.clone() {
            let closing = tokio::task::spawn_blocking(move || log.close());
            if let Err(error) = closing.await {
                tracing::error!(%error, "the log did not close");
            }
        }
    }
}

/// What the disk held.
struct Opened {
    identity: NodeIdentity,
    snapshots: SnapshotStore,
    log: Option<RaftLog>,
    topology: Option<Topology>,
}

impl Opened {
    async fn open(options: &NodeOptions) -> Result<Self, StartError> {
        let (fs, data_dir) = (Arc::clone(&options.fs), options.data_dir.clone());
        let (node, log_options) = (options.node_id, options.log.clone());
        let holds_replicas = options.role == Role::Replica;
        let cache = options.cache.clone();
        let open = move || {
            let identity = NodeIdentity::open(&*fs, &data_dir, node, ClusterId::new(0))?;
            let snapshots = SnapshotStore::open(Arc::clone(&fs), &data_dir)?;
            let log = if holds_replicas {
                let (log, recovered) = RaftLog::open(fs, data_dir.join(LOG_FOLDER), log_options)?;
                for corruption in &recovered.corruptions {
                    tracing::error!(%corruption, "the log is damaged");
                }
                tracing::info!(records = recovered.records, torn = recovered.torn_records, "log recovered");
                Some(log)
            } else {
                None
            };
            let topology = cache.and_then(|cache| cached_topology(&cache));
            Ok(Self { identity, snapshots, log, topology })
        };
        let opening = tokio::task::spawn_blocking(open);
        opening.await.map_err(|error| StartError::Options(error.to_string()))?
    }
}

/// A cache that cannot be read is a cache that is empty.
fn cached_topology(cache: &Cache) -> Option<Topology> {
    match cache.get(TOPOLOGY_CACHE_KEY) {
        Ok(bytes) => Topology::decode(&bytes?).ok(),
        Err(error) => {
            tracing::warn!(%error, "the cached topology is lost");
            None
        }
    }
}

fn session_seed(node: NodeId, incarnation: u64) -> u64 {
    let incarnation = incarnation & ((1 << SESSION_INCARNATION_BITS) - 1);
    (node.get() << (SESSION_INCARNATION_BITS + SESSION_SEED_FREE_BITS))
        | (incarnation << SESSION_SEED_FREE_BITS)
}

fn check(options: &NodeOptions) -> Result<(), StartError> {
    let refuse = |what: &str| Err(StartError::Options(what.to_owned()));
    let InitialCluster { nodes, shards, replication } = &options.initial;
    let Timing { heartbeat_ms, election_min_ms, election_max_ms } = options.timing;
    let ids: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
    if options.node_id.get() == 0 || options.node_id.get() >> SESSION_SEED_FREE_BITS != 0 {
        return refuse("node ids run from 1 to 1048575");
    }
    if nodes.is_empty() || ids.len() != nodes.len() {
        return refuse("the initial nodes must be named, each once");
    }
    if *shards == 0 || *replication == 0 || *replication as usize > nodes.len() {
        return refuse(
            "shards and replication must be at least 1, and replication no more than the initial nodes",
        );
    }
    if election_min_ms >= election_max_ms || election_min_ms * 2 <= heartbeat_ms * 5 {
        return refuse(
            "elections must wait longer than two and a half heartbeats, and the greatest wait must exceed the least",
        );
    }
    Ok(())
}

impl Shared {
    fn new(options: NodeOptions, opened: Opened, weak: &Weak<Self>) -> Self {
        let peers = Arc::new(Peers::new(options.dialer));
        let cluster = Arc::new(AtomicU64::new(0));
        let topology = opened.topology.unwrap_or_default();
        let fatal_of = weak.clone();
        let (topology_of, leadership_of) = (weak.clone(), weak.clone());
        let context = opened.log.clone().map(|log| ReplicaContext {
            node: options.node_id,
            clock: Arc::clone(&options.clock),
            timing: options.timing,
            log,
            snapshots: opened.snapshots.clone(),
            snapshot_log_bytes: options.snapshot_log_bytes,
            audience: Audience {
                effects: options.effect_sink,
                topology: Arc::new(move |topology| {
                    if let Some(shared) = topology_of.upgrade() {
                        shared.publish_topology(topology);
                    }
                }),
                leadership: Arc::new(move |shard, leadership| {
                    if let Some(shared) = leadership_of.upgrade() {
                        shared.leaders.observed(shard, leadership);
                    }
                }),
            },
            network: Network {
                shard: ShardId::METADATA,
                node: options.node_id,
                peers: Arc::clone(&peers),
                cluster: Arc::clone(&cluster),
                readmitting: Arc::default(),
            },
            on_fatal: Arc::new(move |error| {
                if let Some(shared) = fatal_of.upgrade() {
                    shared.fail(error);
                }
            }),
        });
        Self {
            node_id: options.node_id,
            role: options.role,
            clock: options.clock,
            timing: options.timing,
            initial: options.initial,
            cluster,
            topology: watch::Sender::new(Arc::new(topology)),
            leaders: Arc::default(),
            peers,
            snapshots: opened.snapshots,
            log: opened.log,
            cache: options.cache,
            stopping: watch::Sender::new(false),
            handing_over: AtomicBool::new(false),
            replicas: RwLock::default(),
            broken: RwLock::default(),
            up: watch::Sender::new(BTreeSet::new()),
            fatal: watch::Sender::new(None),
            context,
        }
    }

    /// The replica of any shard, the metadata shard included.
    pub(crate) fn any_replica(&self, shard: ShardId) -> Option<Arc<Replica>> {
        self.replicas.read().get(&shard).cloned()
    }

    pub(crate) fn all_replicas(&self) -> Vec<Arc<Replica>> {
        self.replicas.read().values().cloned().collect()
    }

    /// Starts the replica of a shard unless it runs or is known to be damaged.
    pub(crate) async fn start_replica(&self, shard: ShardId) -> Result<Option<Arc<Replica>>, ReplicaError> {
        let Some(context) = &self.context else { return Ok(None) };
        if let Some(replica) = self.any_replica(shard) {
            return Ok(Some(replica));
        }
        if self.broken.read().contains_key(&shard) {
            return Ok(None);
        }
        match Replica::start(shard, context.clone()).await {
            Ok(replica) => {
                self.replicas.write().insert(shard, Arc::clone(&replica));
                Ok(Some(replica))
            }
            Err(error @ ReplicaError::Corrupt(_)) => {
                tracing::error!(%shard, %error, "the replica is left out until it is rebuilt");
                self.broken.write().insert(shard, error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a replica. Its data stays.
    pub(crate) async fn stop_replica(&self, shard: ShardId) {
        let replica = self.replicas.write().remove(&shard);
        if let Some(replica) = replica {
            replica.stop().await;
            self.leaders.forget(shard);
        }
    }

    /// Takes over a topology newer than the one known.
    pub(crate) fn publish_topology(&self, topology: Arc<Topology>) {
        let Some(id) = topology.cluster_id() else { return };
        let known = self.topology.borrow().cluster_id();
        if known.is_some_and(|known| known != id) {
            tracing::error!("refused the topology of another cluster: {id:032x}");
            return;
        }
        self.cluster.store(id as u64, Ordering::Relaxed);
        self.topology.send_if_modified(|known| {
            let is_newer = known.cluster_id().is_none() || topology.epoch() > known.epoch();
            if is_newer {
                *known = topology;
            }
            is_newer
        });
    }

    /// Notes that a peer answers or no longer does; returns whether that is new.
    pub(crate) fn set_up(&self, peer: NodeId, is_up: bool) -> bool {
        self.up.send_if_modified(|up| if is_up { up.insert(peer) } else { up.remove(&peer) })
    }

    /// The nodes that answer, this one included.
    pub(crate) fn healthy(&self) -> BTreeSet<NodeId> {
        let mut healthy = self.up.borrow().clone();
        healthy.insert(self.node_id);
        healthy
    }

    pub(crate) fn fail(&self, error: FatalError) {
        self.fatal.send_if_modified(|fatal| {
            let is_first = fatal.is_none();
            if is_first {
                tracing::error!(%error, "the node must stop");
                *fatal = Some(error);
            }
            is_first
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_nodes_and_starts_differ() {
        let seeds: BTreeSet<u64> = [(1, 1), (1, 2), (2, 1), (1 << 19, 1), (3, (1 << 24) - 1)]
            .map(|(node, incarnation)| session_seed(NodeId::new(node), incarnation))
            .into();
        assert_eq!(seeds.len(), 5);
        assert!(seeds.iter().all(|seed| seed.trailing_zeros() >= SESSION_SEED_FREE_BITS));
    }
}
