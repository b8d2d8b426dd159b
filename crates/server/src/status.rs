//! What a node tells of itself, and the whole cluster's status gathered from any node.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use rivermark_cluster::Topology;
use rivermark_raft::{RaftNode, RaftRole, ReplicaStatus};
use rivermark_types::{LogIndex, NodeId, ShardId};
use rivermark_wire::peer::peer_client::PeerClient;
use rivermark_wire::peer::{self as wire, StatusRequest, StatusResponse};
use serde::{Deserialize, Serialize};

use crate::config::{InitialNode, Role};
use crate::node::{Node, VERSION};

const GATHER_MAX: Duration = Duration::from_secs(1);

/// The cluster as `GET /v1/status` and `rivermark cluster status` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// 32 hexadecimal digits; empty before the cluster is founded.
    pub cluster_id: String,
    /// Version of the topology.
    pub epoch: u64,
    /// Whether every shard has a leader and every node answers.
    pub healthy: bool,
    /// By id.
    pub nodes: Vec<NodeStatus>,
    /// By id; 0 holds the cluster's metadata.
    pub shards: Vec<ShardStatus>,
}

/// What a node says of itself, of a cluster or not, as `GET /v1/node` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSelf {
    /// Whether it can hold replicas.
    pub role: Role,
    /// Its id and where it is reached.
    pub node: InitialNode,
}

/// This node.
pub fn of_itself(node: &Node) -> NodeSelf {
    NodeSelf { role: node.config.role, node: node.config.advertised() }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its number.
    pub id: u64,
    /// For clients; empty without a port for plain text.
    pub resp_address: String,
    /// For clients that use TLS; empty without such a port.
    #[serde(default)]
    pub resp_tls_address: String,
    /// For nodes.
    pub rpc_address: String,
    /// For operators.
    pub http_address: String,
    /// Whether it answered just now.
    pub reachable: bool,
    /// Empty if it did not answer.
    pub version: String,
    /// Since its process started.
    pub uptime_ms: u64,
    /// Client connections.
    pub clients: u64,
    /// Shards it leads.
    pub leads: Vec<u32>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStatus {
    /// Its number.
    pub id: u32,
    /// As CLUSTER NODES writes them.
    pub slots: String,
    /// The leader of the greatest term anyone reported.
    pub leader: Option<u64>,
    /// Of that leader.
    pub term: u64,
    /// Preferred leader first.
    pub replicas: Vec<ReplicaLine>,
}

/// One replica; the numbers are absent if its node did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaLine {
    /// Where.
    pub node: u64,
    /// leader, follower, candidate, learner, stopped, missing or unreachable.
    pub role: String,
    /// Last index of the log.
    pub last_log: Option<u64>,
    /// Known to be on a quorum.
    pub committed: Option<u64>,
    /// In the machine.
    pub applied: Option<u64>,
    /// Covered by the last snapshot.
    pub snapshot: Option<u64>,
    /// What the log takes on disk.
    pub log_bytes: Option<u64>,
    /// Log entries the leader has and this replica has not applied.
    pub lag: Option<u64>,
}

/// What this node answers its peers.
pub fn local(raft: &RaftNode, uptime: Duration, clients: usize) -> StatusResponse {
    let topology = raft.topology().borrow().clone();
    StatusResponse {
        node: raft.node_id().get(),
        version: VERSION.to_owned(),
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        topology_epoch: topology.epoch(),
        topology: topology.encode(),
        replicas: raft.statuses().iter().map(replica_to_wire).collect(),
        clients: clients as u64,
    }
}

/// How a role is written in statuses and metrics.
pub fn role_name(role: RaftRole) -> &'static str {
    match role {
        RaftRole::Leader => "leader",
        RaftRole::Follower => "follower",
        RaftRole::Candidate => "candidate",
        RaftRole::Learner => "learner",
        RaftRole::Stopped => "stopped",
    }
}

/// Zero stands for no log entry at all.
pub fn position(index: Option<LogIndex>) -> u64 {
    index.map_or(0, LogIndex::get)
}

fn replica_to_wire(status: &ReplicaStatus) -> wire::ReplicaStatus {
    wire::ReplicaStatus {
        shard: status.shard.get(),
        role: role_name(status.role).to_owned(),
        term: status.term.get(),
        leader: status.leader.map_or(0, NodeId::get),
        last_log: position(status.last_log),
        committed: position(status.committed),
        applied: position(status.applied),
        snapshot: position(status.snapshot),
        log_bytes: status.log_bytes,
        followers: status
            .followers
            .iter()
            .map(|follower| wire::FollowerStatus {
                node: follower.node.get(),
                matched: position(follower.matched),
            })
            .collect(),
    }
}

/// Asks every node for its status; those that do not answer in time are shown as unreachable.
pub async fn gather(node: &Node) -> ClusterStatus {
    let topology = node.topology();
    let peers = node.raft.peers();
    let asked = topology.nodes().keys().map(|id| {
        let channel = peers.channel(*id);
        async move {
            if *id == node.id() {
                return (*id, Some(local(&node.raft, node.started.elapsed(), node.clients.count())));
            }
            let answer = async { PeerClient::new(channel?).status(StatusRequest {}).await.ok() };
            let answer = tokio::time::timeout(GATHER_MAX, answer).await.ok().flatten();
            (*id, answer.map(tonic::Response::into_inner))
        }
    });
    let answers: BTreeMap<NodeId, Option<StatusResponse>> = join_all(asked).await.into_iter().collect();
    assemble(&topology, &answers)
}

fn assemble(topology: &Topology, answers: &BTreeMap<NodeId, Option<StatusResponse>>) -> ClusterStatus {
    let shards: Vec<ShardStatus> =
        topology.shards().keys().map(|shard| shard_status(topology, answers, *shard)).collect();
    let nodes: Vec<NodeStatus> = topology
        .nodes()
        .values()
        .map(|node| {
            let answer = answers.get(&node.id).and_then(Option::as_ref);
            let led = shards.iter().filter(|shard| shard.leader == Some(node.id.get()));
            NodeStatus {
                id: node.id.get(),
                resp_address: node.resp_address.clone(),
                resp_tls_address: node.resp_tls_address.clone(),
                rpc_address: node.rpc_address.clone(),
                http_address: node.http_address.clone(),
                reachable: answer.is_some(),
                version: answer.map(|answer| answer.version.clone()).unwrap_or_default(),
                uptime_ms: answer.map_or(0, |answer| answer.uptime_ms),
                clients: answer.map_or(0, |answer| answer.clients),
                leads: led.map(|shard| shard.id).collect(),
            }
        })
        .collect();
    let healthy = !shards.is_empty()
        && shards.iter().all(|shard| shard.leader.is_some())
        && nodes.iter().all(|node| node.reachable);
    ClusterStatus {
        cluster_id: topology.cluster_id().map_or_else(String::new, |id| format!("{id:032x}")),
        epoch: topology.epoch(),
        healthy,
        nodes,
        shards,
    }
}

fn shard_status(
    topology: &Topology,
    answers: &BTreeMap<NodeId, Option<StatusResponse>>,
    id: ShardId,
) -> ShardStatus {
    let replica_on = |node: &NodeId| {
        let answer = answers.get(node).and_then(Option::as_ref)?;
        answer.replicas.iter().find(|replica| replica.shard == id.get())
    };
    let replicas = topology.replicas(id);
    let led = replicas
        .iter()
        .filter_map(|node| Some((node, replica_on(node)?)))
        .filter(|(_, replica)| replica.role == "leader")
        .max_by_key(|(_, replica)| replica.term);
    let last = led.map(|(_, replica)| replica.last_log);
    let line = |node: &NodeId| {
        let found = replica_on(node);
        let answered = answers.get(node).is_some_and(Option::is_some);
        let absent = if answered { "missing" } else { "unreachable" };
        ReplicaLine {
            node: node.get(),
            role: found.map_or(absent, |replica| replica.role.as_str()).to_owned(),
            last_log: found.map(|replica| replica.last_log),
            committed: found.map(|replica| replica.committed),
            applied: found.map(|replica| replica.applied),
            snapshot: found.map(|replica| replica.snapshot),
            log_bytes: found.map(|replica| replica.log_bytes),
            lag: found.zip(last).map(|(replica, last)| last.saturating_sub(replica.applied)),
        }
    };
    ShardStatus {
        id: id.get(),
        slots: topology.shard(id).map(|shard| shard.slots.to_string()).unwrap_or_default(),
        leader: led.map(|(node, _)| node.get()),
        term: led.map_or(0, |(_, replica)| replica.term),
        replicas: replicas.iter().map(line).collect(),
    }
}
