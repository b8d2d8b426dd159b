//! Leader targets: even, preferred where that costs no evenness, stable, and the best there is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rivermark_cluster::{Command, NodeState, Topology, leader_targets};
use rivermark_types::{NodeId, ShardId};

use crate::strategies::machine;

type Leaders = BTreeMap<ShardId, NodeId>;

fn leaders(raw: &[(u32, u64)]) -> Leaders {
    raw.iter().map(|(shard, node)| (ShardId::new(*shard), NodeId::new(*node))).collect()
}

fn healthy(raw: &[u64]) -> BTreeSet<NodeId> {
    raw.iter().copied().map(NodeId::new).collect()
}

fn targets(topology: &Topology, current: &[(u32, u64)], up: &[u64]) -> Vec<(u32, u64)> {
    let moves = leader_targets(topology, &leaders(current), &healthy(up));
    moves.into_iter().map(|(shard, node)| (shard.get(), node.get())).collect()
}

#[test]
fn preferred_leaders_lead_when_all_is_well() {
    let topology = machine(3, 3, 3).topology();
    assert_eq!(targets(&topology, &[], &[1, 2, 3]), [(0, 1), (1, 2), (2, 3), (3, 1)]);
    assert_eq!(targets(&topology, &[(0, 1), (1, 2), (2, 3), (3, 1)], &[1, 2, 3]), []);
    assert_eq!(targets(&topology, &[(0, 1), (1, 1), (2, 3), (3, 1)], &[1, 2, 3]), [(1, 2)]);
    assert_eq!(targets(&topology, &[(0, 1), (1, 3), (2, 2), (3, 1)], &[1, 2, 3]), [(1, 2), (2, 3)]);
}

#[test]
fn the_others_take_over_evenly() {
    // Six shards: node 1 prefers 3 and 6, node 2 prefers 1 and 4, node 3 prefers 2 and 5.
    let topology = machine(3, 6, 3).topology();
    let all = [(0, 1), (1, 2), (2, 3), (3, 1), (4, 2), (5, 3), (6, 1)];
    assert_eq!(targets(&topology, &all, &[1, 2, 3]), []);
    let moves = targets(&topology, &all, &[1, 2]);
    assert_eq!(moves.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(moves.iter().map(|(_, node)| *node).collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
    // An election left both to node 1: one moves on.
    let after = [(0, 1), (1, 2), (2, 1), (3, 1), (4, 2), (5, 1), (6, 1)];
    assert_eq!(targets(&topology, &after, &[1, 2]).len(), 1);
}

#[test]
fn nothing_is_asked_where_nothing_can_lead() {
    let topology = machine(3, 3, 1).topology();
    assert_eq!(targets(&topology, &[(1, 2)], &[1]), [(0, 1), (3, 1)]);
    assert_eq!(targets(&topology, &[(1, 2)], &[]), []);
    assert_eq!(targets(&Topology::default(), &[], &[1]), []);
}

#[test]
fn draining_nodes_lead_only_what_no_other_can() {
    let mut machine = machine(3, 3, 2);
    machine.apply(&Command::SetNodeState { node: NodeId::new(2), state: NodeState::Draining });
    let topology = machine.topology();
    assert_eq!(topology.replicas(ShardId::new(1)), [2, 3].map(NodeId::new));
    let current = [(0, 1), (1, 2), (2, 3), (3, 1)];
    assert_eq!(targets(&topology, &current, &[1, 2, 3]), [(1, 3)]);
    assert_eq!(targets(&topology, &current, &[1, 2]), [(2, 1)]);
}

/// Sum of squared loads, then shards not led by their eligible preferred leader.
fn cost(topology: &Topology, up: &BTreeSet<NodeId>, leaders: &Leaders) -> (usize, usize) {
    let mut loads: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut not_preferred = 0;
    for shard in topology.stream_shards() {
        let Some(leader) = leaders.get(&shard.id) else { continue };
        *loads.entry(*leader).or_default() += 1;
        not_preferred += usize::from(up.contains(&shard.replicas[0]) && shard.replicas[0] != *leader);
    }
    (loads.values().map(|load| load * load).sum(), not_preferred)
}

/// The least cost of all assignments, by trying them.
fn least_cost(topology: &Topology, up: &BTreeSet<NodeId>) -> (usize, usize) {
    let mut assignments = vec![Leaders::new()];
    for shard in topology.stream_shards() {
        let choices: Vec<NodeId> = shard.replicas.iter().filter(|node| up.contains(node)).copied().collect();
        if choices.is_empty() {
            continue;
        }
        assignments = assignments
            .iter()
            .flat_map(|leaders| {
                choices.iter().map(|node| {
                    let mut more = leaders.clone();
                    more.insert(shard.id, *node);
                    more
                })
            })
            .collect();
    }
    assignments.iter().map(|leaders| cost(topology, up, leaders)).min().expect("at least the empty one")
}

/// Up to `shards` shards with their replicas anywhere on five nodes, present leaders, nodes that are up.
fn world(shards: usize) -> impl Strategy<Value = (Topology, Leaders, BTreeSet<NodeId>)> {
    let replicas = Just((1u64..=5).collect::<Vec<_>>()).prop_shuffle().prop_flat_map(|nodes| {
        (1usize..=3)
            .prop_map(move |count| nodes[..count].iter().copied().map(NodeId::new).collect::<Vec<_>>())
    });
    let shard = (replicas, prop::option::weighted(0.8, any::<prop::sample::Index>()));
    let up = prop::collection::btree_set((1u64..=5).prop_map(NodeId::new), 0..=5);
    (prop::collection::vec(shard, 1..=shards), up).prop_map(|(shards, up)| {
        let mut machine = machine(5, shards.len() as u32, 1);
        let mut current = Leaders::new();
        for (number, (replicas, leader)) in (1u32..).zip(shards) {
            let shard = ShardId::new(number);
            if let Some(leader) = leader {
                current.insert(shard, *leader.get(&replicas));
            }
            machine.apply(&Command::SetReplicas { shard, replicas }).into_result().expect("good replicas");
        }
        ((*machine.topology()).clone(), current, up)
    })
}

fn follow(topology: &Topology, current: &Leaders, up: &BTreeSet<NodeId>) -> Leaders {
    let mut after = current.clone();
    for (shard, node) in leader_targets(topology, current, up) {
        assert_ne!(current.get(&shard), Some(&node), "a move is needed");
        assert!(up.contains(&node) && topology.replicas(shard).contains(&node), "its target can lead");
        after.insert(shard, node);
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn advice_once_followed_is_not_given_again((topology, current, up) in world(40)) {
        let after = follow(&topology, &current, &up);
        prop_assert_eq!(leader_targets(&topology, &after, &up), vec![]);
    }

    #[test]
    fn advice_is_the_best_there_is((topology, current, up) in world(6)) {
        let mut after = follow(&topology, &current, &up);
        after.retain(|shard, _| topology.replicas(*shard).iter().any(|node| up.contains(node)));
        prop_assert_eq!(cost(&topology, &up, &after), least_cost(&topology, &up));
    }

    #[test]
    fn with_all_replicas_everywhere_loads_differ_by_one_at_most(
        nodes in 1u64..=7,
        shards in 1u32..60,
        down in prop::collection::btree_set(1u64..=7, 0..6),
    ) {
        let topology = machine(nodes, shards, nodes as u32).topology();
        let up: BTreeSet<NodeId> = (1..=nodes).filter(|node| !down.contains(node)).map(NodeId::new).collect();
        let after = follow(&topology, &Leaders::new(), &up);
        let led = |node: &NodeId| {
            after.iter().filter(|(shard, leader)| **shard != ShardId::METADATA && *leader == node).count()
        };
        let loads: Vec<usize> = up.iter().map(led).collect();
        if let (Some(least), Some(most)) = (loads.iter().min(), loads.iter().max()) {
            prop_assert!(most - least <= 1, "{:?}", loads);
        }
    }
}

#[test]
fn the_greatest_cluster_is_balanced_in_good_time() {
    let topology = machine(64, 512, 3).topology();
    let up: BTreeSet<NodeId> = (1..=64).filter(|node| node % 8 != 0).map(NodeId::new).collect();
    let first: Leaders = topology
        .stream_shards()
        .filter_map(|shard| {
            shard.replicas.iter().rfind(|node| up.contains(node)).map(|node| (shard.id, *node))
        })
        .collect();
    let after = follow(&topology, &first, &up);
    assert_eq!(leader_targets(&topology, &after, &up), []);
}
