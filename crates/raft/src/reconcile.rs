//! Makes this node host what the topology says, and the topology say what this node knows.
//!
//! On every change, and now and then without one: addresses of peers, followed peers, replicas to start
//! and to stop, the cached topology, Bootstrap, this node's own addresses, memberships of shards led
//! here. Each step compares what is with what should be and may be repeated.
//!
//! A replica is founded (its first membership written) only where the topology still gives the shard the
//! replicas it was founded with: a replica added later gets its membership from the leader. It is
//! stopped, and its data removed, only once its shard's committed membership no longer names this node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rivermark_cluster::command::{Bootstrap, UpdateNode};
use rivermark_cluster::{Command, Topology, assign_replicas};
use rivermark_raft_log::{OnDurable, ShardLog};
use rivermark_store::SnapshotStore;
use rivermark_types::{NodeId, ShardId};

use crate::error::{FatalError, ReplicaError, StartError};
use crate::follow::Followed;
use crate::machine::Machine;
use crate::options::Role;
use crate::replica::Replica;
use crate::shared::{Shared, TOPOLOGY_CACHE_KEY};

const INTERVAL: Duration = Duration::from_millis(500);
/// While the cluster is being founded, everyone waits for the next step.
const FOUNDING_INTERVAL: Duration = Duration::from_millis(50);

/// Starts what the disk holds, and founds the metadata shard on the first start of a founding member.
pub(crate) async fn resume(shared: &Arc<Shared>) -> Result<(), StartError> {
    update_peers(shared);
    let Some(log) = &shared.log else { return Ok(()) };
    let failed = |shard| move |source| StartError::Replica { shard, source };
    for shard in log.shards() {
        let has_data = log.shard(shard).vote().map_or(true, |vote| vote.is_some());
        if has_data {
            shared.start_replica(shard).await.map_err(failed(shard))?;
        }
    }
    if let Some(members) = founding_members(shared, ShardId::METADATA)
        && shared.topology.borrow().cluster_id().is_none()
        && let Some(replica) =
            shared.start_replica(ShardId::METADATA).await.map_err(failed(ShardId::METADATA))?
    {
        replica.initialize(&members).await;
    }
    Ok(())
}

/// Runs until the node stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut topology = shared.topology.subscribe();
    let mut stopping = shared.stopping.subscribe();
    let mut followed = Followed::default();
    let mut cached_epoch = 0;
    loop {
        let current = Arc::clone(&topology.borrow_and_update());
        update_peers(&shared);
        followed.update(&shared);
        if let Err(error) = host(&shared, &current).await {
            shared.fail(error);
            return;
        }
        if let Some(failure) = shared.log.as_ref().and_then(|log| log.failure()) {
            shared.fail(failure.into());
            return;
        }
        bootstrap(&shared, &current).await;
        announce(&shared, &current).await;
        if current.epoch() > cached_epoch {
            cached_epoch = current.epoch();
            remember(&shared, &current).await;
        }
        let interval = if current.cluster_id().is_some() { INTERVAL } else { FOUNDING_INTERVAL };
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            // The sender lives in `shared`.
            _ = topology.changed() => {}
            _ = tokio::time::sleep(interval) => {}
        }
    }
}

/// The nodes that found a shard, if this node is one of them.
fn founding_members(shared: &Shared, shard: ShardId) -> Option<Vec<NodeId>> {
    let nodes: BTreeSet<NodeId> = shared.initial.nodes.iter().map(|node| node.id).collect();
    let members = assign_replicas(&nodes, shard, shared.initial.replication as usize);
    (shared.role == Role::Replica && members.contains(&shared.node_id)).then_some(members)
}

fn update_peers(shared: &Shared) {
    let topology = Arc::clone(&shared.topology.borrow());
    if topology.cluster_id().is_some() && topology.node(shared.node_id).is_some() {
        shared.peers.update(topology.nodes().values());
    } else {
        // Not a member yet, or a router: whoever was named at the start may know more.
        let known = topology.nodes().values();
        let named = shared.initial.nodes.iter().filter(|node| topology.node(node.id).is_none());
        shared.peers.update(known.chain(named));
    }
}

async fn host(shared: &Arc<Shared>, topology: &Topology) -> Result<(), FatalError> {
    if shared.role == Role::Router || topology.cluster_id().is_none() {
        return Ok(());
    }
    for shard in topology.shards_on(shared.node_id) {
        if shared.any_replica(shard.id).is_some() {
            continue;
        }
        let started = shared.start_replica(shard.id).await;
        let started = started.map_err(|source| FatalError::Replica { shard: shard.id, source })?;
        let as_founded = founding_members(shared, shard.id)
            .filter(|members| BTreeSet::from_iter(members) == BTreeSet::from_iter(&shard.replicas));
        if let (Some(replica), Some(members)) = (started, as_founded) {
            replica.initialize(&members).await;
        }
    }
    for replica in shared.all_replicas() {
        let wanted = topology.replicas(replica.shard());
        if wanted.contains(&shared.node_id) {
            replica.follow_placement(wanted).await;
        } else if is_dismissed(shared, &replica) {
            dismiss(shared, &replica).await;
        } else {
            replica.follow_placement(wanted).await;
        }
    }
    Ok(())
}

/// Whether the shard's members have let this node go: by the replica's own log, or by the leader's word,
/// for a follower that was removed is not sent the entry that says so.
fn is_dismissed(shared: &Shared, replica: &Replica) -> bool {
    let term = replica.leadership().borrow().term;
    replica.is_dismissed(shared.node_id) || shared.leaders.is_dismissed(replica.shard(), term, shared.node_id)
}

/// Ends a replica this shard no longer wants, and removes its data.
async fn dismiss(shared: &Arc<Shared>, replica: &Replica) {
    let shard = replica.shard();
    tracing::info!(%shard, "the replica is no longer wanted here");
    shared.stop_replica(shard).await;
    let (log, snapshots) = (replica.log.shard(shard), shared.snapshots.clone());
    if let Err(error) = remove_data(log, snapshots).await {
        tracing::error!(%shard, %error, "the replica's data was not removed");
    }
}

/// Durably removes a stopped replica's log and snapshots.
pub(crate) async fn remove_data(log: ShardLog, snapshots: SnapshotStore) -> Result<(), ReplicaError> {
    let removing = tokio::task::spawn_blocking(move || {
        // The log first: a snapshot without log is a replica, a log without its snapshot is damage.
        let (sender, receiver) = std::sync::mpsc::channel();
        log.forget(OnDurable::call(move |result| drop(sender.send(result))))?;
        let stopped = |_| ReplicaError::Failed("the log stopped".to_owned());
        receiver.recv().map_err(stopped)?.map_err(|error| ReplicaError::Failed(error.to_string()))?;
        snapshots.remove(log.shard()).map_err(|error| ReplicaError::Failed(error.to_string()))
    });
    removing.await.map_err(|error| ReplicaError::Failed(error.to_string()))?
}

/// The first leader of the metadata shard makes the cluster.
async fn bootstrap(shared: &Shared, topology: &Topology) {
    if topology.cluster_id().is_some() {
        return;
    }
    let Some(replica) = shared.any_replica(ShardId::METADATA) else { return };
    if replica.read_machine(Machine::is_bootstrapped) || !replica.leadership().borrow().is_local_leader {
        return;
    }
    let command = Command::Bootstrap(Bootstrap {
        cluster_id: new_cluster_id(shared),
        nodes: shared.initial.nodes.clone(),
        shards: shared.initial.shards,
        replication: shared.initial.replication,
    });
    match shared.propose_metadata_here(&command).await {
        Ok(outcome) => tracing::info!(?outcome, "bootstrap"),
        Err(error) => tracing::warn!(%error, "bootstrap, trying again"),
    }
}

/// Differs between clusters founded by different nodes, at different times, or with different addresses.
fn new_cluster_id(shared: &Shared) -> u128 {
    let mut seed = shared.node_id.get().to_le_bytes().to_vec();
    for node in &shared.initial.nodes {
        seed.extend_from_slice(node.rpc_address.as_bytes());
        seed.push(0);
    }
    // FNV-1a; zero stands for an id not known.
    let hash = seed.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let founded_at = shared.clock.now().get();
    (u128::from(founded_at) << 64) | u128::from((hash ^ founded_at.rotate_left(32)).max(1))
}

/// Tells the cluster where this node is reached, if that changed.
async fn announce(shared: &Shared, topology: &Topology) {
    let Some(own) = shared.initial.nodes.iter().find(|node| node.id == shared.node_id) else { return };
    let Some(known) = topology.node(shared.node_id) else { return };
    let is_same = known.rpc_address == own.rpc_address
        && known.resp_address == own.resp_address
        && known.resp_tls_address == own.resp_tls_address
        && known.http_address == own.http_address;
    if is_same {
        return;
    }
    let command = Command::UpdateNode(UpdateNode {
        node: own.id,
        rpc_address: own.rpc_address.clone(),
        resp_address: own.resp_address.clone(),
        resp_tls_address: own.resp_tls_address.clone(),
        http_address: own.http_address.clone(),
    });
    if let Err(error) = shared.propose_metadata(&command).await {
        tracing::warn!(%error, "this node's new addresses are not known yet, trying again");
    }
}

async fn remember(shared: &Shared, topology: &Arc<Topology>) {
    let Some(cache) = shared.cache.clone() else { return };
    let encoded = topology.encode();
    let writing = tokio::task::spawn_blocking(move || {
        cache.put(TOPOLOGY_CACHE_KEY, encoded).or_else(|error| {
            // A start without a cached topology asks the peers; one with an old one would bring users back that were
            // deleted since.
            tracing::warn!(%error, "the topology was not cached");
            cache.remove(TOPOLOGY_CACHE_KEY)
        })
    });
    if let Ok(Err(error)) = writing.await {
        tracing::warn!(%error, "an old topology stays in the cache");
    }
}

impl Machine {
    /// Whether this is the metadata machine of a cluster that exists.
    pub(crate) fn is_bootstrapped(&self) -> bool {
        self.topology().is_some_and(|topology| topology.cluster_id().is_some())
    }
}
