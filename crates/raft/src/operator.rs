//! A cluster seen by a program that is no node of it: reads the topology, proposes its changes.
//!
//! It speaks to the nodes' own listener, and is trusted as they are: with TLS between nodes it needs a
//! certificate of theirs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rivermark_cluster::{Command, Node, NodeState, Outcome, Rejection, Topology};
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::raft_client::RaftClient;

use crate::convert::low_half;
use crate::error::ProposeError;
use crate::metadata::{propose_in_turn, propose_over};
use crate::transport::{Dialer, Peers};

const RETRY_MAX: Duration = Duration::from_secs(15);
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A program's access to a cluster's metadata.
pub struct Operator {
    peers: Peers,
    /// Low half of the cluster's id.
    cluster: u64,
}

/// Why an operator's wish was not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The cluster decided against it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// No node took it in time. It may still be done.
    #[error("no node could do it for {RETRY_MAX:?}: {0}")]
    Unreachable(ProposeError),
    /// No node told the topology.
    #[error("no node told the cluster's layout")]
    NoTopology,
}

impl Operator {
    /// Knows these nodes, by the addresses of their listener for nodes.
    pub fn new(dialer: Arc<dyn Dialer>, cluster_id: u128, nodes: &BTreeMap<NodeId, String>) -> Self {
        let peers = Peers::new(dialer);
        let known: Vec<Node> = nodes
            .iter()
            .map(|(id, rpc_address)| Node {
                id: *id,
                rpc_address: rpc_address.clone(),
                resp_address: String::new(),
                resp_tls_address: String::new(),
                http_address: String::new(),
                state: NodeState::Active,
            })
            .collect();
        peers.update(known.iter());
        Self { peers, cluster: low_half(cluster_id) }
    }

    /// The newest topology that any node tells.
    ///
    /// # Errors
    /// No node tells one.
    pub async fn topology(&self) -> Result<Topology, OperatorError> {
        let told = self.peers.nodes().into_iter().map(|node| async move {
            let mut client = RaftClient::new(self.peers.control(node)?);
            let asked = async {
                let mut updates =
                    client.watch_topology(wire::WatchTopologyRequest { from_node: 0 }).await.ok()?;
                updates.get_mut().message().await.ok().flatten()
            };
            let update = tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten()?;
            Topology::decode(&update.topology).ok()
        });
        let told = futures_util::future::join_all(told).await;
        let of_cluster = told.into_iter().flatten().filter(|topology| {
            topology.cluster_id().is_some_and(|cluster_id| low_half(cluster_id) == self.cluster)
        });
        of_cluster.max_by_key(Topology::epoch).ok_or(OperatorError::NoTopology)
    }

    /// Proposes a change, and again until a leader of the metadata has decided on it. Returns whether there
    /// was anything to change.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub async fn propose(&self, command: &Command) -> Result<bool, OperatorError> {
        let nodes = || self.peers.nodes();
        match propose_in_turn(RETRY_MAX, || None, nodes, |node| self.propose_at(node, command)).await {
            Ok(Outcome::Changed { .. }) => Ok(true),
            Ok(Outcome::Unchanged { .. }) => Ok(false),
            Ok(Outcome::Rejected(rejection)) => Err(OperatorError::Rejected(rejection)),
            Err(error) => Err(OperatorError::Unreachable(error)),
        }
    }

    async fn propose_at(&self, node: NodeId, command: &Command) -> Result<Outcome, ProposeError> {
        let channel = self.peers.control(node).ok_or(ProposeError::NotLeader { leader: None })?;
        let target = wire::Target {
            shard: ShardId::METADATA.get(),
            from_node: 0,
            to_node: node.get(),
            cluster: self.cluster,
        };
        propose_over(channel, target, command).await
    }
}
