//! Proposing metadata commands: here if this node leads the metadata shard, else at whoever does.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use rivermark_cluster::{Command, Outcome};
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::raft_client::RaftClient;
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::error::ProposeError;
use crate::propose::is_lease_expired;
use crate::shared::Shared;
use crate::type_config::{Applied, Payload};

/// How long a metadata command is retried over changes of leadership.
const RETRY_MAX: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// One attempt at another node.
const ATTEMPT_MAX: Duration = Duration::from_secs(2);

impl Shared {
    pub(crate) async fn propose_metadata(&self, command: &Command) -> Result<Outcome, ProposeError> {
        let hint = || self.leaders.leader_of(ShardId::METADATA);
        let nodes = || {
            let own = self.any_replica(ShardId::METADATA).map(|_| self.node_id);
            own.into_iter().chain(self.peers.nodes()).collect()
        };
        propose_in_turn(RETRY_MAX, hint, nodes, |node| self.propose_metadata_at(node, command)).await
    }

    async fn propose_metadata_at(&self, node: NodeId, command: &Command) -> Result<Outcome, ProposeError> {
        if self.is_stopping() {
            return Err(ProposeError::ShuttingDown);
        }
        if node == self.node_id {
            return self.propose_metadata_here(command).await;
        }
        let unreachable = ProposeError::NotLeader { leader: None };
        let Some(channel) = self.peers.control(node) else { return Err(unreachable) };
        let target = self.target(ShardId::METADATA, node);
        propose_over(channel, target, command).await
    }

    /// Proposes if this node leads the metadata shard.
    pub(crate) async fn propose_metadata_here(&self, command: &Command) -> Result<Outcome, ProposeError> {
        let Some(replica) = self.any_replica(ShardId::METADATA) else {
            return Err(ProposeError::NotLeader { leader: self.leaders.leader_of(ShardId::METADATA) });
        };
        let payload = Payload(command.encode());
        let deadline = Instant::now() + self.timing.election_max() * 2;
        loop {
            match replica.raft.client_write(payload.clone()).await {
                Ok(response) => match response.data {
                    Applied::Metadata(outcome) => return Ok(outcome),
                    Applied::Nothing | Applied::Parts(_) => {
                        unreachable!("a metadata command comes to its outcome")
                    }
                },
                // A new leader that no quorum answered yet.
                Err(RaftError::APIError(error)) if is_lease_expired(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_INTERVAL / 5).await;
                }
                Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                    return Err(ProposeError::NotLeader { leader: forward.leader_id.map(NodeId::new) });
                }
                Err(RaftError::APIError(_) | RaftError::Fatal(_)) => {
                    return Err(ProposeError::OutcomeUnknown);
                }
            }
        }
    }
}

/// Proposes to one node after the other until a leader of the metadata has decided, for so long: first to whoever
/// is said to lead, then round and round. A node that is shutting down asks nobody any more.
pub(crate) async fn propose_in_turn<F>(
    retry_max: Duration,
    hint: impl Fn() -> Option<NodeId>,
    nodes: impl Fn() -> Vec<NodeId>,
    propose_at: impl Fn(NodeId) -> F,
) -> Result<Outcome, ProposeError>
where
    F: Future<Output = Result<Outcome, ProposeError>>,
{
    let deadline = Instant::now() + retry_max;
    let anyone_but = |asked: &BTreeSet<NodeId>| nodes().into_iter().find(|node| !asked.contains(node));
    let mut told = None;
    // Nodes asked in this round that could not help.
    let mut asked = BTreeSet::new();
    loop {
        let likely = told.take().or_else(&hint).filter(|node| !asked.contains(node));
        let error = match likely.or_else(|| anyone_but(&asked)) {
            Some(node) => match propose_at(node).await {
                Ok(outcome) => return Ok(outcome),
                Err(ProposeError::ShuttingDown) => return Err(ProposeError::ShuttingDown),
                Err(error) => {
                    asked.insert(node);
                    error
                }
            },
            None => ProposeError::NotLeader { leader: None },
        };
        if let ProposeError::NotLeader { leader: Some(leader) } = error
            && !asked.contains(&leader)
        {
            told = Some(leader);
            continue;
        }
        if Instant::now() >= deadline {
            return Err(error);
        }
        if anyone_but(&asked).is_none() {
            asked.clear();
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}

/// Proposes to the node at the other end of a channel, which is asked once.
pub(crate) async fn propose_over(
    channel: Channel,
    target: wire::Target,
    command: &Command,
) -> Result<Outcome, ProposeError> {
    use wire::propose_metadata_response::Result as R;
    let request = wire::ProposeMetadataRequest { target: Some(target), command: command.encode() };
    let mut client = RaftClient::new(channel);
    let call = tokio::time::timeout(ATTEMPT_MAX, client.propose_metadata(request)).await;
    let response = match call {
        Ok(Ok(response)) => response.into_inner(),
        // It may have reached the leader's log all the same; repeating it does no harm.
        Ok(Err(_)) | Err(_) => return Err(ProposeError::OutcomeUnknown),
    };
    match response.result {
        Some(R::Outcome(bytes)) => Outcome::decode(&bytes).map_err(|_| ProposeError::OutcomeUnknown),
        Some(R::NotLeader(refusal)) => {
            let leader = (refusal.leader != 0).then(|| NodeId::new(refusal.leader));
            Err(ProposeError::NotLeader { leader })
        }
        Some(R::Overloaded(_)) => Err(ProposeError::Overloaded),
        Some(R::OutcomeUnknown(_)) | None => Err(ProposeError::OutcomeUnknown),
    }
}
