//! What there is to say about a replica, in one struct for metrics, health and the console.

use std::collections::BTreeSet;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use rivermark_types::{LogIndex, NodeId, ShardId, Term};

use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::shared::Shared;

/// A replica's part in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaftRole {
    /// Orders and replicates.
    Leader,
    /// Follows and votes.
    Follower,
    /// Asks to lead.
    Candidate,
    /// Follows without a vote.
    Learner,
    /// Does not run: see [`ReplicaStatus::failure`].
    Stopped,
}

/// A follower as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerStatus {
    /// Which.
    pub node: NodeId,
    /// The last log entry it is known to have.
    pub matched: Option<LogIndex>,
}

/// One replica on this node.
#[derive(Clone, Debug)]
pub struct ReplicaStatus {
    /// The shard.
    pub shard: ShardId,
    /// The replica's part.
    pub role: RaftRole,
    /// The greatest term seen.
    pub term: Term,
    /// Who leads, as far as known.
    pub leader: Option<NodeId>,
    /// Nodes with a vote.
    pub voters: BTreeSet<NodeId>,
    /// Nodes with a copy and no vote.
    pub learners: BTreeSet<NodeId>,
    /// The last entry in the log.
    pub last_log: Option<LogIndex>,
    /// The last entry known to be committed.
    pub committed: Option<LogIndex>,
    /// The last entry applied.
    pub applied: Option<LogIndex>,
    /// The last entry the latest snapshot covers.
    pub snapshot: Option<LogIndex>,
    /// The last entry purged.
    pub purged: Option<LogIndex>,
    /// Bytes of the shard's live log entries.
    pub log_bytes: u64,
    /// On the leader.
    pub followers: Vec<FollowerStatus>,
    /// Bytes of parts that wait to be proposed.
    pub waiting_bytes: usize,
    /// Batches proposed and not decided.
    pub batches_in_flight: usize,
    /// Keys of the machine; zero for the metadata shard.
    pub keys: usize,
    /// Why the replica does not run.
    pub failure: Option<ReplicaError>,
}

impl Replica {
    /// The replica as it stands.
    pub fn status(&self) -> ReplicaStatus {
        let log_bytes = self.log.counters().log_bytes.get(&self.shard).copied().unwrap_or(0);
        let (waiting_bytes, batches_in_flight) = self.proposals.load();
        let keys = self.read_machine(|machine| machine.streams().map_or(0, |m| m.key_count()));
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let index = |id: Option<crate::type_config::LogId>| id.map(|id| LogIndex::new(id.index));
        let membership = metrics.membership_config.membership();
        let followers = metrics.replication.iter().flatten().filter(|(node, _)| **node != metrics.id);
        ReplicaStatus {
            shard: self.shard,
            role: match metrics.state {
                ServerState::Leader => RaftRole::Leader,
                ServerState::Follower => RaftRole::Follower,
                ServerState::Candidate => RaftRole::Candidate,
                ServerState::Learner => RaftRole::Learner,
                ServerState::Shutdown => RaftRole::Stopped,
            },
            term: Term::new(metrics.current_term),
            leader: metrics.current_leader.map(NodeId::new),
            voters: membership.voter_ids().map(NodeId::new).collect(),
            learners: membership.learner_ids().map(NodeId::new).collect(),
            last_log: metrics.last_log_index.map(LogIndex::new),
            committed: index(metrics.local_committed),
            applied: index(metrics.last_applied),
            snapshot: index(metrics.snapshot),
            purged: index(metrics.purged),
            log_bytes,
            followers: followers
                .map(|(node, matched)| FollowerStatus { node: NodeId::new(*node), matched: index(*matched) })
                .collect(),
            waiting_bytes,
            batches_in_flight,
            keys,
            failure: match &metrics.running_state {
                Ok(()) => None,
                Err(error) => Some(ReplicaError::Failed(error.to_string())),
            },
        }
    }
}

impl ReplicaStatus {
    fn broken(shard: ShardId, failure: ReplicaError) -> Self {
        Self {
            shard,
            role: RaftRole::Stopped,
            term: Term::default(),
            leader: None,
            voters: BTreeSet::new(),
            learners: BTreeSet::new(),
            last_log: None,
            committed: None,
            applied: None,
            snapshot: None,
            purged: None,
            log_bytes: 0,
            followers: Vec::new(),
            waiting_bytes: 0,
            batches_in_flight: 0,
            keys: 0,
            failure: Some(failure),
        }
    }
}

/// All replicas of the node, the metadata shard's first.
pub(crate) fn collect(shared: &Shared) -> Vec<ReplicaStatus> {
    let mut statuses: Vec<_> = shared.all_replicas().iter().map(|replica| replica.status()).collect();
    let broken = shared.broken.read();
    statuses.extend(broken.iter().map(|(shard, error)| ReplicaStatus::broken(*shard, error.clone())));
    statuses.sort_by_key(|status| status.shard);
    statuses
}
