//! Examines the cluster: what the status shows to be wrong, and whether all replicas hold the same.

use futures_util::future::join_all;
use rivermark_raft::Comparison;
use rivermark_types::LogIndex;
use serde::{Deserialize, Serialize};

use crate::http::LAG_READY_MAX;
use crate::node::Node;
use crate::status::{self, ClusterStatus};

/// What an examination found, as `GET /v1/doctor` and `rivermark doctor` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// Whether there are no findings.
    pub is_sound: bool,
    /// Whether two replicas of a shard differ: this must never be.
    pub replicas_differ: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// By id.
    pub shards: Vec<ShardComparison>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// The replicas of a shard beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardComparison {
    /// The shard.
    pub id: u32,
    /// The log entry up to which they were compared.
    pub index: Option<u64>,
    /// Each replica.
    pub replicas: Vec<ReplicaDigest>,
}

/// One replica's digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDigest {
    /// Where.
    pub node: u64,
    /// 16 hexadecimal digits.
    pub digest: Option<String>,
    /// Why there is none; else empty.
    pub reason: String,
}

/// Examines the whole cluster from this node.
pub async fn examine(node: &Node) -> DoctorReport {
    let topology = node.topology();
    let compared = join_all(topology.shards().keys().map(|shard| node.raft.compare_replicas(*shard))).await;
    let status = status::gather(node).await;
    let mut findings = of_status(&status);
    findings.extend(compared.iter().flat_map(of_comparison));
    if topology.cluster_id().is_none() {
        findings
            .push(finding("this node has not joined its cluster", "look at its log and at initial-nodes"));
    }
    DoctorReport {
        is_sound: findings.is_empty(),
        replicas_differ: compared.iter().any(Comparison::differs),
        findings,
        shards: compared.iter().map(shown).collect(),
    }
}

fn finding(what: impl Into<String>, advice: &str) -> Finding {
    Finding { what: what.into(), advice: advice.to_owned() }
}

fn of_status(status: &ClusterStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in status.nodes.iter().filter(|node| !node.reachable) {
        findings
            .push(finding(format!("node {} does not answer", node.id), "start it, or look at its network"));
    }
    let versions = status.nodes.iter().filter(|node| node.reachable).map(|node| &node.version);
    let versions: std::collections::BTreeSet<&String> = versions.collect();
    if versions.len() > 1 {
        findings.push(finding(format!("nodes run {versions:?}"), "finish the upgrade"));
    }
    for shard in &status.shards {
        if shard.leader.is_none() {
            let what = format!("shard {} has no leader", shard.id);
            findings.push(finding(what, "it takes no writes until a majority of its nodes answer"));
        }
        for replica in &shard.replicas {
            let place = format!("shard {} on node {}", shard.id, replica.node);
            if matches!(replica.role.as_str(), "stopped" | "missing") {
                findings.push(finding(format!("{place} is {}", replica.role), "look at that node's log"));
            } else if replica.lag.is_some_and(|lag| lag > LAG_READY_MAX) {
                let what = format!("{place} is {} log entries behind", replica.lag.unwrap_or_default());
                findings.push(finding(what, "its disk or network does not keep up, or it has just started"));
            }
        }
    }
    findings
}

fn of_comparison(comparison: &Comparison) -> Vec<Finding> {
    let shard = comparison.shard;
    let mut findings = Vec::new();
    if let Err(reason) = &comparison.index {
        let what = format!("the replicas of shard {shard} were not compared ({reason})");
        findings.push(finding(what, "it needs a leader for that"));
    }
    if comparison.differs() {
        let what = format!("replicas of shard {shard} differ");
        let advice = "keep the data folders of all its nodes, and report this as a defect";
        findings.push(finding(what, advice));
    }
    if comparison.index.is_ok() {
        for (node, digest) in &comparison.digests {
            if let Err(reason) = digest {
                let what = format!("shard {shard} on node {node} gave no digest ({reason})");
                findings.push(finding(what, "examine again once it answers"));
            }
        }
    }
    findings
}

fn shown(comparison: &Comparison) -> ShardComparison {
    let replicas = comparison.digests.iter().map(|(node, digest)| ReplicaDigest {
        node: node.get(),
        digest: digest.as_ref().ok().map(|digest| format!("{digest:016x}")),
        reason: digest.as_ref().err().cloned().unwrap_or_default(),
    });
    ShardComparison {
        id: comparison.shard.get(),
        index: comparison.index.as_ref().ok().copied().map(LogIndex::get),
        replicas: replicas.collect(),
    }
}
