//! Who leads a shard, as this node knows it, and what follows from it here.

use std::collections::BTreeSet;
use std::sync::Arc;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use rivermark_types::{NodeId, ShardId, Term};
use tokio::sync::watch;

use crate::apply::{Audience, MachineCell};
use crate::error::{FatalError, ReplicaError};
use crate::type_config::Raft;

/// A shard's leadership as this node knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The greatest term seen.
    pub term: Term,
    /// The leader of that term, if known.
    pub leader: Option<NodeId>,
    /// Whether it is this node. It may have been superseded without knowing yet: reads and proposals
    /// find out.
    pub is_local_leader: bool,
}

/// Publishes the leadership and keeps [`MachineCell::leads`] true to it; reports the engine's end.
pub(crate) struct LeadershipTask {
    pub(crate) shard: ShardId,
    pub(crate) raft: Raft,
    pub(crate) cell: Arc<MachineCell>,
    pub(crate) audience: Audience,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) on_fatal: Arc<dyn Fn(FatalError) + Send + Sync>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl LeadershipTask {
    /// Runs until the replica stops or its engine does.
    pub(crate) async fn run(mut self) {
        let mut metrics = self.raft.server_metrics();
        loop {
            let (leadership, members) = {
                let metrics = metrics.borrow_and_update();
                let membership = metrics.committed_membership_config.membership();
                let members = membership.nodes().map(|(node, _)| NodeId::new(*node)).collect();
                let is_local_leader =
                    metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id);
                let leadership = Leadership {
                    term: Term::new(metrics.vote.leader_id.term),
                    leader: metrics.current_leader.map(NodeId::new),
                    is_local_leader,
                };
                (leadership, members)
            };
            self.publish(leadership, &members);
            tokio::select! {
                changed = metrics.changed() => if changed.is_err() { break },
                _ = self.stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        // Looked at before: publishing while the borrow lives would wait for itself.
        let term = self.leadership.borrow().term;
        self.publish(Leadership { term, leader: None, is_local_leader: false }, &BTreeSet::new());
        if !*self.stopping.borrow() {
            let reason = match &self.raft.metrics().borrow_watched().running_state {
                Ok(()) => "the consensus engine ended".to_owned(),
                Err(fatal) => fatal.to_string(),
            };
            tracing::error!(shard = %self.shard, reason, "replica failed");
            (self.on_fatal)(FatalError::Replica { shard: self.shard, source: ReplicaError::Failed(reason) });
        }
    }

    /// The flag that apply looks at is set before anyone can learn of the leadership, and cleared before
    /// waiters are sent away, so that no waiter is left behind.
    fn publish(&self, leadership: Leadership, members: &BTreeSet<NodeId>) {
        let changed = self.cell.set_leads(leadership.is_local_leader);
        self.leadership.send_if_modified(|known| {
            let differs = *known != leadership;
            *known = leadership;
            differs
        });
        (self.audience.leadership)(self.shard, &leadership, members);
        if changed {
            tracing::info!(shard = %self.shard, term = %leadership.term, leader = ?leadership.leader,
                leads = leadership.is_local_leader, "leadership changed");
            if !leadership.is_local_leader {
                self.audience.effects.leadership_lost(self.shard);
            }
        }
    }
}
