//! Which node should lead which shard.
//!
//! A leader does most of a shard's work, so the leaders of stream shards are spread as evenly as the
//! replicas' places allow; among even spreads, one with the most preferred leaders (first replicas) is
//! chosen. The search begins at the present leaders and takes only steps that improve on them, so it
//! asks for nothing where nothing is gained, and asks again for nothing once its advice is followed.
//!
//! It is the residual-network view of a minimum-cost flow: nodes are vertices; moving a shard from its
//! leader to another replica is an edge; a vertex `pool` stands for "one more here, one fewer there". An
//! assignment is optimal exactly if no cycle has a negative cost (Ahuja, Magnanti, Orlin, *Network Flows*,
//! theorem 3.8).

use std::collections::{BTreeMap, BTreeSet};

use rivermark_types::{NodeId, ShardId};

use crate::topology::{NodeState, Shard, Topology};

/// The shards whose leadership should move, and to which node, by shard. `current` holds the leaders as
/// far as known; a shard without known or healthy leader is given a target too, for whoever can bring an
/// election about. Shards with no healthy replica are left out. Leaders go to draining nodes only
/// where no other healthy node has a replica. The metadata shard leads next to no load: it goes to its
/// first eligible replica and counts for nobody.
pub fn leader_targets(
    topology: &Topology,
    current: &BTreeMap<ShardId, NodeId>,
    healthy: &BTreeSet<NodeId>,
) -> Vec<(ShardId, NodeId)> {
    let mut targets = BTreeMap::new();
    if let Some(metadata) = topology.shard(ShardId::METADATA) {
        let first = eligible(topology, metadata, healthy).first().copied();
        targets.extend(first.map(|node| (ShardId::METADATA, node)));
    }
    targets.extend(Balance::new(topology, current, healthy).solve());
    targets.retain(|shard, node| current.get(shard) != Some(node));
    targets.into_iter().collect()
}

/// The nodes that may lead a shard, in replica order.
fn eligible(topology: &Topology, shard: &Shard, healthy: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let up: Vec<NodeId> = shard.replicas.iter().filter(|node| healthy.contains(node)).copied().collect();
    let is_active = |id: &NodeId| topology.node(*id).is_some_and(|node| node.state == NodeState::Active);
    let active: Vec<NodeId> = up.iter().filter(|node| is_active(node)).copied().collect();
    if active.is_empty() { up } else { active }
}

struct Candidate {
    shard: ShardId,
    /// Indices of nodes, not empty.
    nodes: Vec<usize>,
    /// The first replica, if it may lead.
    preferred: Option<usize>,
    /// The node that leads it in the assignment being improved: one of `nodes`.
    leader: usize,
}

impl Candidate {
    fn misses_preferred(&self, leader: usize) -> i64 {
        i64::from(self.preferred.is_some_and(|preferred| preferred != leader))
    }
}

/// An edge of the residual network: what changes if it is taken, and its cost.
#[derive(Clone, Copy)]
struct Edge {
    from: usize,
    to: usize,
    cost: i64,
    /// The shard that moves; none for edges at the pool.
    candidate: Option<usize>,
}

struct Balance {
    nodes: Vec<NodeId>,
    candidates: Vec<Candidate>,
    /// Shards led, by node index.
    loads: Vec<i64>,
}

impl Balance {
    fn new(topology: &Topology, current: &BTreeMap<ShardId, NodeId>, healthy: &BTreeSet<NodeId>) -> Self {
        let nodes: Vec<NodeId> = healthy.iter().copied().collect();
        let index = |node: &NodeId| nodes.binary_search(node).ok();
        let mut loads = vec![0; nodes.len()];
        let mut candidates = Vec::new();
        let mut leaderless = Vec::new();
        for shard in topology.stream_shards() {
            let eligible: Vec<usize> = eligible(topology, shard, healthy).iter().filter_map(index).collect();
            let Some(&first) = eligible.first() else { continue };
            let preferred = shard.replicas.first().and_then(index).filter(|node| eligible.contains(node));
            let leader = current.get(&shard.id).and_then(index).filter(|node| eligible.contains(node));
            match leader {
                Some(leader) => loads[leader] += 1,
                None => leaderless.push(candidates.len()),
            }
            let leader = leader.unwrap_or(first);
            candidates.push(Candidate { shard: shard.id, nodes: eligible, preferred, leader });
        }
        for at in leaderless {
            let candidate: &mut Candidate = &mut candidates[at];
            let least = candidate.nodes.iter().copied().min_by_key(|node| loads[*node]);
            candidate.leader = candidate.preferred.or(least).expect("a candidate has nodes");
            loads[candidate.leader] += 1;
        }
        Self { nodes, candidates, loads }
    }

    /// Ends because every step lowers an integer cost that is never negative.
    fn solve(mut self) -> impl Iterator<Item = (ShardId, NodeId)> {
        while let Some(cycle) = self.improving_cycle() {
            for edge in cycle {
                let Some(candidate) = edge.candidate else { continue };
                self.candidates[candidate].leader = edge.to;
                self.loads[edge.from] -= 1;
                self.loads[edge.to] += 1;
            }
        }
        let Self { nodes, candidates, .. } = self;
        candidates.into_iter().map(move |candidate| (candidate.shard, nodes[candidate.leader]))
    }

    /// Cost: the sum of the squared loads, weighted above all preferences, plus the shards that are not
    /// led by their preferred leader though they could be.
    fn edges(&self) -> Vec<Edge> {
        let pool = self.nodes.len();
        let weight = self.candidates.len() as i64 + 1;
        let mut edges = Vec::new();
        for (node, load) in self.loads.iter().enumerate() {
            edges.push(Edge { from: node, to: pool, cost: weight * (2 * load + 1), candidate: None });
            if *load > 0 {
                edges.push(Edge { from: pool, to: node, cost: -weight * (2 * load - 1), candidate: None });
            }
        }
        for (at, candidate) in self.candidates.iter().enumerate() {
            let from = candidate.leader;
            for &to in candidate.nodes.iter().filter(|node| **node != from) {
                let cost = candidate.misses_preferred(to) - candidate.misses_preferred(from);
                edges.push(Edge { from, to, cost, candidate: Some(at) });
            }
        }
        edges
    }

    /// A cycle of negative cost, by Bellman and Ford from every vertex at once.
    fn improving_cycle(&self) -> Option<Vec<Edge>> {
        let edges = self.edges();
        let vertices = self.nodes.len() + 1;
        let mut distance = vec![0i64; vertices];
        let mut reached_by: Vec<Option<Edge>> = vec![None; vertices];
        let mut relaxed = None;
        for _ in 0..vertices {
            relaxed = None;
            for edge in &edges {
                if distance[edge.from] + edge.cost < distance[edge.to] {
                    distance[edge.to] = distance[edge.from] + edge.cost;
                    reached_by[edge.to] = Some(*edge);
                    relaxed = Some(edge.to);
                }
            }
            relaxed?;
        }
        let mut vertex = relaxed?;
        let back = |vertex: usize| reached_by[vertex].expect("a vertex relaxed so often lies behind a cycle");
        for _ in 0..vertices {
            vertex = back(vertex).from;
        }
        let start = vertex;
        let mut cycle = Vec::new();
        loop {
            let edge = back(vertex);
            cycle.push(edge);
            vertex = edge.from;
            if vertex == start {
                return Some(cycle);
            }
        }
    }
}
