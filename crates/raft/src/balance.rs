//! Where leaders should be: spread over the nodes, each shard at its preferred leader where possible.
//!
//! Each node moves only shards it leads itself, one at a time, and only after it has seen nothing
//! change for a while: all nodes compute the same targets from the same topology, leaders and health, so
//! they do not work against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rivermark_cluster::leader_targets;
use rivermark_types::{NodeId, ShardId};
use tokio::time::Instant;

use crate::replica::Replica;
use crate::shared::Shared;

const INTERVAL: Duration = Duration::from_millis(250);
/// How long nothing must have changed before a leader moves.
const STABLE_FOR: Duration = Duration::from_secs(2);
const HANDOVER_INTERVAL: Duration = Duration::from_millis(5);
/// Before another follower is tried.
const HANDOVER_ATTEMPT: Duration = Duration::from_millis(500);

/// What must stay as it is for a while.
#[derive(PartialEq, Eq)]
struct Seen {
    epoch: u64,
    healthy: BTreeSet<NodeId>,
    leaders: BTreeMap<ShardId, NodeId>,
}

impl Seen {
    fn now(shared: &Shared) -> Self {
        let topology = shared.topology.borrow();
        let leaders = topology
            .shards()
            .keys()
            .filter_map(|shard| Some((*shard, shared.leaders.leader_of(*shard)?)))
            .collect();
        Self { epoch: topology.epoch(), healthy: shared.healthy(), leaders }
    }
}

/// Runs until the node stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut stopping = shared.stopping.subscribe();
    let mut seen = Seen::now(&shared);
    let mut since = Instant::now();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            _ = tokio::time::sleep(INTERVAL) => {}
        }
        let now = Seen::now(&shared);
        if now != seen {
            seen = now;
            since = Instant::now();
        } else if since.elapsed() >= STABLE_FOR && move_one(&shared, &seen).await {
            since = Instant::now();
        }
    }
}

/// Moves the first shard led here that should be led elsewhere; returns whether there was one.
async fn move_one(shared: &Shared, seen: &Seen) -> bool {
    if shared.handing_over.load(Ordering::Relaxed) {
        return false;
    }
    let topology = Arc::clone(&shared.topology.borrow());
    for (shard, target) in leader_targets(&topology, &seen.leaders, &seen.healthy) {
        let Some(replica) = shared.any_replica(shard).filter(|replica| replica.is_leader()) else { continue };
        match replica.transfer_leadership(target).await {
            Ok(()) => {
                tracing::info!(%shard, %target, "leadership handed to where it belongs");
                return true;
            }
            Err(error) => tracing::debug!(%shard, %target, %error, "leadership stays for now"),
        }
    }
    false
}

/// Gives away everything led here. This node campaigns no more.
pub(crate) async fn hand_over(shared: &Shared, deadline: Duration) -> bool {
    shared.handing_over.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + deadline;
    let replicas = shared.all_replicas();
    let others_vote = |replica: &Replica| replica.voters().len() > 1;
    for replica in replicas.iter().filter(|replica| others_vote(replica)) {
        replica.raft.runtime_config().elect(false);
    }
    let handing = replicas.iter().filter(|replica| others_vote(replica));
    let handed = futures_util::future::join_all(handing.map(|r| hand_over_one(shared, r, deadline))).await;
    handed.into_iter().all(|is_handed| is_handed)
}

async fn hand_over_one(shared: &Shared, replica: &Replica, deadline: Instant) -> bool {
    let mut tried = BTreeSet::new();
    loop {
        if !replica.is_leader() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        let healthy = shared.healthy();
        let candidate = replica
            .voters()
            .into_iter()
            .filter(|node| *node != shared.node_id && healthy.contains(node))
            .find(|node| !tried.contains(node) && replica.has_caught_up(*node));
        let Some(candidate) = candidate else {
            tried.clear();
            tokio::time::sleep(HANDOVER_INTERVAL).await;
            continue;
        };
        tried.insert(candidate);
        if replica.transfer_leadership(candidate).await.is_err() {
            continue;
        }
        let attempt_ends = (Instant::now() + HANDOVER_ATTEMPT).min(deadline);
        let mut leadership = replica.leadership();
        let lost = leadership.wait_for(|leadership| !leadership.is_local_leader);
        if tokio::time::timeout_at(attempt_ends, lost).await.is_ok() {
            return true;
        }
    }
}
