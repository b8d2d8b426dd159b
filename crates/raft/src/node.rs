//! A node: its identity, log and snapshots, the replicas it hosts, and what it knows of the cluster.
//!
//! The first start of a founding node founds the metadata shard together with the other founding nodes,
//! whose leader then proposes Bootstrap. From then on the topology says which shards a node hosts.
//! Every later start resumes from the disk; a shard with data is never founded again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_cluster::{Command, Outcome, Topology};
use rivermark_raft_log::RaftLog;
use rivermark_types::{NodeId, ShardId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::balance;
use crate::checkpoint::Comparison;
use crate::error::{FatalError, ProposeError, ReplicaError, StartError};
use crate::options::{InitialCluster, NodeOptions, Timing};
use crate::reconcile;
use crate::replica::Replica;
use crate::service::Service;
use crate::shared::{Opened, Shared};
use crate::status::ReplicaStatus;
use crate::transport::Peers;

/// Bits of a session id left to the caller of [`RaftNode::session_seed`].
pub const SESSION_SEED_FREE_BITS: u32 = 20;
const SESSION_INCARNATION_BITS: u32 = 24;

/// A node's share of the cluster's replication.
pub struct RaftNode {
    shared: Arc<Shared>,
    session_seed: u64,
    tasks: Mutex<Vec<JoinHandle<()>>>,
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

    /// Waits until every peer that answers this node has told it that it knows the topology of this epoch, or a later
    /// one. Peers that do not answer are not waited for.
    pub async fn peers_know(&self, epoch: u64) {
        self.shared.peers_know(epoch).await;
    }

    /// Proposes a change of the metadata, wherever its leader is. Commands may be repeated to the same
    /// end, so this retries through changes of leadership, for some seconds.
    ///
    /// # Errors
    /// What stood in the way when time ran out.
    pub async fn propose_metadata(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.shared.propose_metadata(&command).await
    }

    /// Removes the data of a replica that is damaged, see [`Self::statuses`], so that it starts empty and
    /// is filled by its peers. It may have voted and acknowledged what is gone: the shard's leader must
    /// have taken its vote away first ([`Replica::remove`]; the topology brings it back as a learner), or
    /// take it back in spite of that ([`Replica::readmit`]).
    ///
    /// # Errors
    /// The shard's replica is not damaged, or its data cannot be removed.
    pub async fn discard_damaged(&self, shard: ShardId) -> Result<(), ReplicaError> {
        let is_broken = self.shared.broken.read().contains_key(&shard);
        let Some(log) = self.shared.log.clone().filter(|_| is_broken) else {
            return Err(ReplicaError::Failed("the replica is not damaged".to_owned()));
        };
        reconcile::remove_data(log.shard(shard), self.shared.snapshots.clone()).await?;
        self.shared.broken.write().remove(&shard);
        Ok(())
    }

    /// [`Replica::readmit`] for every shard led here, the metadata shard included.
    pub async fn readmit(&self, node: NodeId) {
        for replica in self.shared.all_replicas().iter().filter(|replica| replica.is_leader()) {
            match replica.readmit(node).await {
                Ok(()) => tracing::warn!(shard = %replica.shard(), %node, "the node is taken back"),
                Err(error) => tracing::debug!(shard = %replica.shard(), %node, %error, "not taken back"),
            }
        }
    }

    /// Compares the replicas of a shard at one place of its log, while it serves.
    pub async fn compare_replicas(&self, shard: ShardId) -> Comparison {
        self.shared.compare_replicas(shard).await
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

    /// The longest sync of the log since the last call; zero if there was none.
    pub fn take_longest_sync(&self) -> Duration {
        self.shared.log.as_ref().map_or(Duration::ZERO, RaftLog::take_longest_sync)
    }

    /// Takes a snapshot of each replica of this node, the metadata shard's included, and returns once each covers
    /// what its machine had applied at the call. Answers how many replicas there are.
    ///
    /// # Errors
    /// A replica does not run, or did not get its snapshot within `patience`.
    pub async fn save(&self, patience: Duration) -> Result<usize, ReplicaError> {
        if let Some((_, broken)) = self.shared.broken.read().first_key_value() {
            return Err(broken.clone());
        }
        let replicas = self.shared.all_replicas();
        let saves = replicas.iter().map(|replica| replica.save(patience));
        futures_util::future::try_join_all(saves).await.map(|saved| saved.len())
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
