//! Where a new cluster's shards lie: replicas to nodes, slots to shards.
//!
//! Pure functions of sorted input. Every initial node computes the same assignment from the same list, so
//! shards can start before the first metadata command is applied.

use std::collections::BTreeSet;

use rivermark_types::{NodeId, SLOT_COUNT, ShardId};

use crate::slots::SlotRange;

/// The replicas of `shard`: `replication` nodes in the order of their ids, beginning with the
/// `shard`-th and going round. The first is the preferred leader, so these are spread over the nodes.
///
/// # Panics
/// If `replication` is zero or exceeds the nodes.
pub fn assign_replicas(nodes: &BTreeSet<NodeId>, shard: ShardId, replication: usize) -> Vec<NodeId> {
    assert!((1..=nodes.len()).contains(&replication), "{replication} replicas on {} nodes", nodes.len());
    let first = shard.get() as usize % nodes.len();
    nodes.iter().cycle().skip(first).take(replication).copied().collect()
}

/// The slots of the `index`-th of `shard_count` shards, from 0: contiguous and equal to within one.
///
/// # Panics
/// If `index` is not below `shard_count`, or there are more shards than slots.
pub fn assign_slots(index: u32, shard_count: u32) -> SlotRange {
    assert!(index < shard_count && shard_count <= u32::from(SLOT_COUNT), "shard {index} of {shard_count}");
    let boundary = |i: u32| i * u32::from(SLOT_COUNT) / shard_count;
    let number = |raw: u32| u16::try_from(raw).expect("at most the slot count");
    SlotRange::of_numbers(number(boundary(index)), number(boundary(index + 1) - 1))
        .expect("boundaries ascend as there are no more shards than slots")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_shards_as_redis_cluster_would_split_them() {
        let ranges: Vec<String> = (0..3).map(|i| assign_slots(i, 3).to_string()).collect();
        assert_eq!(ranges, ["0-5460", "5461-10921", "10922-16383"]);
    }

    #[test]
    fn replicas_go_round_from_the_shards_own_node() {
        let nodes: BTreeSet<NodeId> = [10, 20, 30, 40].map(NodeId::new).into();
        let check = |shard: u32, expected: [u64; 3]| {
            assert_eq!(assign_replicas(&nodes, ShardId::new(shard), 3), expected.map(NodeId::new));
        };
        check(0, [10, 20, 30]);
        check(1, [20, 30, 40]);
        check(3, [40, 10, 20]);
        check(4, [10, 20, 30]);
    }

    proptest! {
        #[test]
        fn slots_are_split_without_gap_and_evenly(shard_count in 1u32..=2048) {
            let ranges: Vec<SlotRange> = (0..shard_count).map(|i| assign_slots(i, shard_count)).collect();
            prop_assert_eq!(ranges[0].first().get(), 0);
            prop_assert_eq!(ranges[ranges.len() - 1].last().get(), SLOT_COUNT - 1);
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[0].last().get() + 1, pair[1].first().get());
            }
            let least = usize::from(SLOT_COUNT) / shard_count as usize;
            prop_assert!(ranges.iter().all(|range| (least..=least + 1).contains(&range.count())));
        }

        #[test]
        fn preferred_leaders_are_spread(node_count in 1u64..12, shard_count in 1u32..64) {
            let nodes: BTreeSet<NodeId> = (1..=node_count).map(NodeId::new).collect();
            let mut led = std::collections::BTreeMap::new();
            for shard in 1..=shard_count {
                let replicas = assign_replicas(&nodes, ShardId::new(shard), nodes.len().min(3));
                prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), replicas.len());
                *led.entry(replicas[0]).or_insert(0u64) += 1;
            }
            let most = u64::from(shard_count).div_ceil(node_count);
            prop_assert!(led.values().all(|count| *count <= most));
        }
    }
}
