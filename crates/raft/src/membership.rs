//! Who holds a shard: learners are added and catch up, become voters, and others leave. One change at a
//! time per shard, each by joint consensus; every step may be repeated.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::impls::EmptyNode;
use rivermark_types::NodeId;

use crate::error::MembershipError;
use crate::replica::Replica;
use crate::type_config::TypeConfig;

/// A learner this many log entries behind may become a voter: it will not hold up commits for long.
const CAUGHT_UP_ENTRIES: u64 = 64;

type WriteError = RaftError<TypeConfig, ClientWriteError<TypeConfig>>;

impl Replica {
    /// Lets a node hold a copy of the shard without a vote. It catches up by log or snapshot.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn add_learner(&self, node: NodeId) -> Result<(), MembershipError> {
        self.membership_change(self.raft.add_learner(node.get(), EmptyNode::new(), false).await)
    }

    /// Makes these nodes the voters; all others leave the shard. Learners must have caught up.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn set_voters(&self, voters: &BTreeSet<NodeId>) -> Result<(), MembershipError> {
        if let Some(node) = voters.iter().find(|node| !self.has_caught_up(**node)) {
            return Err(MembershipError::NotReady { node: *node, reason: "it has not caught up" });
        }
        let ids: BTreeSet<u64> = voters.iter().map(|node| node.get()).collect();
        let change = ChangeMembers::ReplaceAllVoters(ids);
        self.membership_change(self.raft.change_membership(change, false).await)
    }

    /// Gives a learner a vote.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn promote(&self, node: NodeId) -> Result<(), MembershipError> {
        let mut voters = self.voters();
        voters.insert(node);
        self.set_voters(&voters).await
    }

    /// Takes a node's vote and copy away.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn remove(&self, node: NodeId) -> Result<(), MembershipError> {
        if self.learners().contains(&node) {
            let change = ChangeMembers::RemoveNodes([node.get()].into());
            return self.membership_change(self.raft.change_membership(change, false).await);
        }
        let mut voters = self.voters();
        voters.remove(&node);
        self.set_voters(&voters).await
    }

    /// Hands leadership to a voter that has caught up. Returns once asked for; follow
    /// [`Self::leadership`] for the end.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn transfer_leadership(&self, to: NodeId) -> Result<(), MembershipError> {
        let leadership = *self.leadership().borrow();
        if !leadership.is_local_leader {
            return Err(MembershipError::NotLeader { leader: leadership.leader });
        }
        if !self.voters().contains(&to) {
            return Err(MembershipError::NotReady { node: to, reason: "it has no vote" });
        }
        if !self.has_caught_up(to) {
            return Err(MembershipError::NotReady { node: to, reason: "it has not caught up" });
        }
        let asked = self.raft.trigger().transfer_leader(to.get()).await;
        asked.map_err(|error| MembershipError::OutcomeUnknown(error.to_string()))
    }

    /// Takes a follower back that lost log entries it had acknowledged. Whoever says so states that the
    /// other replicas hold everything committed: the lost acknowledgements are not needed.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn readmit(&self, node: NodeId) -> Result<(), MembershipError> {
        let leadership = *self.leadership().borrow();
        if !leadership.is_local_leader {
            return Err(MembershipError::NotLeader { leader: leadership.leader });
        }
        let allowed = self.raft.trigger().allow_next_revert(&node.get(), true).await;
        match allowed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(MembershipError::NotReady { node, reason: "it is no member" }),
            Err(error) => return Err(MembershipError::OutcomeUnknown(error.to_string())),
        }
        self.readmitted.lock().insert(node);
        Ok(())
    }

    /// One step from the present membership to this one, if this node leads.
    pub(crate) async fn follow_placement(&self, wanted: &[NodeId]) {
        let wanted: BTreeSet<NodeId> = wanted.iter().copied().collect();
        let (voters, learners) = (self.voters(), self.learners());
        if wanted.is_empty() || voters == wanted && learners.is_empty() || !self.is_leader() {
            return;
        }
        let missing = wanted.iter().find(|node| !voters.contains(node) && !learners.contains(node));
        let step = match missing {
            Some(node) => self.add_learner(*node).await,
            None if wanted.contains(&self.node) => self.set_voters(&wanted).await,
            None => self.leave_to(&wanted, &voters).await,
        };
        match step {
            Ok(()) => tracing::info!(shard = %self.shard, ?wanted, "membership changed"),
            Err(MembershipError::NotReady { .. } | MembershipError::InProgress) => {}
            Err(error) => tracing::warn!(shard = %self.shard, %error, "membership not changed, trying again"),
        }
    }

    /// A leader that is to go: the shard is led by one who stays before this node's vote is taken, so that
    /// nobody waits for an election.
    async fn leave_to(
        &self,
        wanted: &BTreeSet<NodeId>,
        voters: &BTreeSet<NodeId>,
    ) -> Result<(), MembershipError> {
        let mut staying = wanted.intersection(voters);
        match staying.find(|node| self.has_caught_up(**node)) {
            Some(node) => self.transfer_leadership(*node).await,
            None => self.set_voters(&wanted.iter().copied().chain([self.node]).collect()).await,
        }
    }

    /// Whether the committed membership leaves this node out, after there was one.
    pub(crate) fn is_dismissed(&self, node: NodeId) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let committed = &metrics.committed_membership_config;
        committed.log_id().is_some()
            && committed.membership().get_node(&node.get()).is_none()
            && metrics.membership_config.membership().get_node(&node.get()).is_none()
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.leadership().borrow().is_local_leader
    }

    /// The nodes with a vote.
    pub fn voters(&self) -> BTreeSet<NodeId> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().voter_ids().map(NodeId::new).collect()
    }

    /// The nodes with a copy and no vote.
    pub fn learners(&self) -> BTreeSet<NodeId> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().learner_ids().map(NodeId::new).collect()
    }

    /// On the leader: whether a node has nearly all of the log. The leader itself has.
    pub(crate) fn has_caught_up(&self, node: NodeId) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.id == node.get() {
            return true;
        }
        let matched = metrics.replication.as_ref().and_then(|all| all.get(&node.get()).copied().flatten());
        matched.is_some_and(|matched| {
            matched.index + CAUGHT_UP_ENTRIES >= metrics.last_log_index.unwrap_or_default()
        })
    }

    fn membership_change<T>(&self, result: Result<T, WriteError>) -> Result<(), MembershipError> {
        match result {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(MembershipError::NotLeader { leader: forward.leader_id.map(NodeId::new) })
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            ))) => Err(MembershipError::InProgress),
            Err(error) => Err(MembershipError::OutcomeUnknown(error.to_string())),
        }
    }
}
