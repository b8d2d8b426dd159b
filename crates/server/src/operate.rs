//! `rivermark cluster add-node | remove-node | replace-node | drain | rebalance | transfer-leader`: changes who
//! holds what, online, one shard after the other, and shows how far it is.
//!
//! What is decided here is proposed to the metadata shard; the shards' leaders carry it out, whether this
//! program goes on watching or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rivermark_cluster::placement::{self, Move};
use rivermark_cluster::{Command, Node, NodeState};
use rivermark_raft::{Dialer, Operator, TcpDialer};
use rivermark_types::{NodeId, ShardId};
use tokio::time::Instant;

use crate::admin::{ANSWER_MAX, ask};
use crate::args::{OperateArguments, OperateTarget};
use crate::config::{Config, InitialNode, Role};
use crate::status::{ClusterStatus, NodeSelf, ShardStatus};
use crate::tls::{Certificates, TlsDialer};

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Does what was asked for.
///
/// # Errors
/// The cluster cannot be reached or refuses, or it takes longer than the caller wants to wait.
pub async fn run(arguments: &OperateArguments) -> anyhow::Result<()> {
    Operation::open(arguments.target()).await?.perform(arguments).await
}

/// A cluster that is being changed.
struct Operation {
    operator: Operator,
    address: String,
    wait_max: Duration,
}

impl Operation {
    /// Learns of the cluster from the node named.
    async fn open(target: &OperateTarget) -> anyhow::Result<Self> {
        let status = status(&target.address).await?;
        let cluster_id = u128::from_str_radix(&status.cluster_id, 16)
            .with_context(|| format!("{} has not joined a cluster", target.address))?;
        let nodes: BTreeMap<NodeId, String> =
            status.nodes.iter().map(|node| (NodeId::new(node.id), node.rpc_address.clone())).collect();
        let operator = Operator::new(dialer(target)?, cluster_id, &nodes);
        let wait_max = Duration::from_secs(target.wait_seconds);
        Ok(Self { operator, address: target.address.clone(), wait_max })
    }

    async fn perform(&self, arguments: &OperateArguments) -> anyhow::Result<()> {
        match arguments {
            OperateArguments::AddNode { node, .. } => self.add_node(node).await,
            OperateArguments::Drain { node, .. } => self.drain(NodeId::new(*node)).await,
            OperateArguments::RemoveNode { node, .. } => self.remove_node(NodeId::new(*node)).await,
            OperateArguments::ReplaceNode { old, new, .. } => {
                self.replace_node(NodeId::new(*old), NodeId::new(*new)).await
            }
            OperateArguments::Rebalance { .. } => self.rebalance().await,
            OperateArguments::TransferLeader { shard, node, .. } => {
                self.transfer_leader(ShardId::new(*shard), NodeId::new(*node)).await
            }
        }
    }

    async fn add_node(&self, address: &str) -> anyhow::Result<()> {
        let (NodeSelf { role, node }, _) = ask(address, "/v1/node", ANSWER_MAX).await?;
        if role != Role::Replica {
            bail!("{address} is a router: routers need not be added");
        }
        let id = NodeId::new(node.id);
        if self.operator.propose(&Command::AddNode(as_member(node))).await? {
            println!("node {id} is of the cluster now");
        } else {
            println!("node {id} was of the cluster already");
        }
        self.until("the node does not answer the others", |status| {
            status.nodes.iter().any(|node| node.id == id.get() && node.reachable)
        })
        .await?;
        println!("it holds nothing yet: `rivermark cluster rebalance` or `replace-node` gives it replicas");
        Ok(())
    }

    async fn drain(&self, node: NodeId) -> anyhow::Result<()> {
        // A plan first: a node that cannot be emptied should not be told to stop taking work.
        placement::moves_off(&self.operator.topology().await?, node)?;
        self.set_state(node, NodeState::Draining).await?;
        println!("node {node} takes no further work");
        self.carry_out(placement::moves_off(&self.operator.topology().await?, node)?).await?;
        self.until("it still leads", |status| {
            status.nodes.iter().all(|known| known.id != node.get() || known.leads.is_empty())
        })
        .await?;
        println!("node {node} holds nothing");
        Ok(())
    }

    async fn remove_node(&self, node: NodeId) -> anyhow::Result<()> {
        self.drain(node).await?;
        self.operator.propose(&Command::RemoveNode(node)).await?;
        println!("node {node} is no longer of the cluster: stop its process, never use its id again");
        Ok(())
    }

    async fn replace_node(&self, old: NodeId, new: NodeId) -> anyhow::Result<()> {
        let plan = placement::moves_between(&self.operator.topology().await?, old, new)?;
        self.set_state(old, NodeState::Draining).await?;
        self.carry_out(plan).await?;
        self.operator.propose(&Command::RemoveNode(old)).await?;
        println!("node {new} holds what node {old} held; {old} is no longer of the cluster");
        Ok(())
    }

    async fn rebalance(&self) -> anyhow::Result<()> {
        let plan = placement::moves_to_balance(&self.operator.topology().await?);
        if plan.is_empty() {
            println!("replicas are even already");
            return Ok(());
        }
        self.carry_out(plan).await
    }

    async fn transfer_leader(&self, shard: ShardId, node: NodeId) -> anyhow::Result<()> {
        let plan = placement::moves_to_lead(&self.operator.topology().await?, shard, node)?;
        for Move { shard, replicas } in plan {
            println!("shard {shard} prefers node {}", replicas[0]);
            self.operator.propose(&Command::SetReplicas { shard, replicas }).await?;
        }
        let leads = |status: &ClusterStatus| {
            status.shards.iter().any(|line| line.id == shard.get() && line.leader == Some(node.get()))
        };
        self.until("another node leads: leaders are kept even over the nodes", leads).await?;
        println!("node {node} leads shard {shard}");
        Ok(())
    }

    async fn set_state(&self, node: NodeId, state: NodeState) -> anyhow::Result<()> {
        self.operator.propose(&Command::SetNodeState { node, state }).await?;
        Ok(())
    }

    /// One shard after the other, each until its new replicas vote.
    async fn carry_out(&self, plan: Vec<Move>) -> anyhow::Result<()> {
        let count = plan.len();
        for (index, Move { shard, replicas }) in plan.into_iter().enumerate() {
            let started = Instant::now();
            let names: Vec<String> = replicas.iter().map(NodeId::to_string).collect();
            println!("{} of {count}: shard {shard} to nodes {}", index + 1, names.join(", "));
            let wanted: BTreeSet<u64> = replicas.iter().map(|node| node.get()).collect();
            self.operator.propose(&Command::SetReplicas { shard, replicas }).await?;
            let mut shown = String::new();
            let placed = |status: &ClusterStatus| {
                let Some(line) = status.shards.iter().find(|line| line.id == shard.get()) else {
                    return false;
                };
                let progress = progress(line);
                if progress != shown {
                    println!("  {progress}");
                    shown = progress;
                }
                line.leader.is_some_and(|leader| wanted.contains(&leader)) && is_placed(line, &wanted)
            };
            self.until("replicas are still being copied", placed).await?;
            println!("  done in {:.1} s", started.elapsed().as_secs_f64());
        }
        Ok(())
    }

    async fn until(
        &self,
        what_is_missing: &str,
        mut holds: impl FnMut(&ClusterStatus) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.wait_max;
        loop {
            // The node asked may be the one that restarts.
            if let Ok(status) = status(&self.address).await
                && holds(&status)
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{what_is_missing}; not waited for longer than {} s. The cluster goes on with it: see \
                     `rivermark cluster status`",
                    self.wait_max.as_secs()
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

fn dialer(target: &OperateTarget) -> anyhow::Result<Arc<dyn Dialer>> {
    let Some(path) = &target.config else { return Ok(Arc::new(TcpDialer)) };
    let config = Config::load(Some(path), serde_json::json!({}))?;
    match Certificates::load(&config)?.filter(|_| config.tls_cluster) {
        Some(certificates) => Ok(Arc::new(TlsDialer::new(certificates))),
        None => Ok(Arc::new(TcpDialer)),
    }
}

async fn status(address: &str) -> anyhow::Result<ClusterStatus> {
    Ok(ask(address, "/v1/status", ANSWER_MAX).await?.0)
}

fn as_member(node: InitialNode) -> Node {
    Node {
        id: NodeId::new(node.id),
        rpc_address: node.rpc_address,
        resp_address: node.resp_address,
        resp_tls_address: node.resp_tls_address,
        http_address: node.http_address,
        state: NodeState::Active,
    }
}

fn is_placed(shard: &ShardStatus, wanted: &BTreeSet<u64>) -> bool {
    let voters =
        shard.replicas.iter().filter(|replica| matches!(replica.role.as_str(), "leader" | "follower"));
    voters.map(|replica| replica.node).collect::<BTreeSet<u64>>() == *wanted
}

fn progress(shard: &ShardStatus) -> String {
    let parts = shard.replicas.iter().map(|replica| {
        let behind = replica.lag.filter(|_| replica.role == "learner").map(|lag| format!(" ({lag} behind)"));
        format!("{} {}{}", replica.node, replica.role, behind.unwrap_or_default())
    });
    parts.collect::<Vec<_>>().join(", ")
}
