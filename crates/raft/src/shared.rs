//! What the parts of a node share: what its disk held, what it knows of the cluster, the replicas it
//! hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use rivermark_cluster::Topology;
use rivermark_raft_log::RaftLog;
use rivermark_store::{Cache, ClusterId, NodeIdentity, SnapshotStore};
use rivermark_types::{Clock, NodeId, ShardId};
use rivermark_wire::raft as wire;
use tokio::sync::watch;

use crate::apply::Audience;
use crate::convert::low_half;
use crate::error::{FatalError, ReplicaError, StartError};
use crate::leaders::Leaders;
use crate::network::Network;
use crate::options::{EffectSink, InitialCluster, NodeOptions, Role, Timing};
use crate::replica::{Replica, ReplicaContext};
use crate::transport::Peers;

const LOG_FOLDER: &str = "log";
/// Where the cache keeps the topology as last seen.
pub(crate) const TOPOLOGY_CACHE_KEY: &[u8] = b"topology";

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
    pub(crate) replicas: RwLock<BTreeMap<ShardId, Arc<Replica>>>,
    /// Replicas that could not start: damaged, to be rebuilt.
    pub(crate) broken: RwLock<BTreeMap<ShardId, ReplicaError>>,
    /// The peers this node is following now.
    pub(crate) up: watch::Sender<BTreeSet<NodeId>>,
    /// The epoch of the topology each peer last told of.
    pub(crate) peer_epochs: watch::Sender<BTreeMap<NodeId, u64>>,
    pub(crate) fatal: watch::Sender<Option<FatalError>>,
    context: Option<ReplicaContext>,
}

/// What the disk held.
pub(crate) struct Opened {
    pub(crate) identity: NodeIdentity,
    snapshots: SnapshotStore,
    log: Option<RaftLog>,
    topology: Option<Topology>,
}

impl Opened {
    pub(crate) async fn open(options: &NodeOptions) -> Result<Self, StartError> {
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

impl Shared {
    pub(crate) fn new(options: NodeOptions, opened: Opened, weak: &Weak<Self>) -> Self {
        let peers = Arc::new(Peers::new(options.dialer));
        let cluster = Arc::new(AtomicU64::new(0));
        let topology = opened.topology.unwrap_or_default();
        let fatal_of = weak.clone();
        let context = opened.log.clone().map(|log| ReplicaContext {
            node: options.node_id,
            clock: Arc::clone(&options.clock),
            timing: options.timing,
            log,
            snapshots: opened.snapshots.clone(),
            snapshot_log_bytes: options.snapshot_log_bytes,
            audience: audience(options.effect_sink, weak),
            network: Network {
                shard: ShardId::METADATA,
                node: options.node_id,
                peers: Arc::clone(&peers),
                cluster: Arc::clone(&cluster),
                readmitted: Arc::default(),
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
            peer_epochs: watch::Sender::new(BTreeMap::new()),
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

    /// What a call to another node begins with.
    pub(crate) fn target(&self, shard: ShardId, to: NodeId) -> wire::Target {
        wire::Target {
            shard: shard.get(),
            from_node: self.node_id.get(),
            to_node: to.get(),
            cluster: self.cluster.load(Ordering::Relaxed),
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
        self.cluster.store(low_half(id), Ordering::Relaxed);
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

    /// Notes what a peer told of the topology it knows; after a restart that may be less than before.
    pub(crate) fn heard_epoch(&self, peer: NodeId, epoch: u64) {
        self.peer_epochs.send_if_modified(|epochs| epochs.insert(peer, epoch) != Some(epoch));
    }

    /// Waits until every peer that answers told of this epoch or a later one.
    pub(crate) async fn peers_know(&self, epoch: u64) {
        let (mut up, mut epochs) = (self.up.subscribe(), self.peer_epochs.subscribe());
        loop {
            {
                let (up, epochs) = (up.borrow_and_update(), epochs.borrow_and_update());
                if up.iter().all(|peer| epochs.get(peer).is_some_and(|known| *known >= epoch)) {
                    return;
                }
            }
            let changed = tokio::select! {
                changed = up.changed() => changed,
                changed = epochs.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
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

/// Who is told what replicas apply. The node is held weakly: it owns the replicas.
fn audience(effects: Arc<dyn EffectSink>, node: &Weak<Shared>) -> Audience {
    let (topology_of, leadership_of) = (node.clone(), node.clone());
    Audience {
        effects,
        topology: Arc::new(move |topology| {
            if let Some(shared) = topology_of.upgrade() {
                shared.publish_topology(topology);
            }
        }),
        leadership: Arc::new(move |shard, leadership, members| {
            if let Some(shared) = leadership_of.upgrade() {
                shared.leaders.observed(shard, leadership, members);
            }
        }),
    }
}
