//! The 40 lower-case hexadecimal digits by which Redis Cluster clients know nodes and shards. Several
//! parse them by length.
//!
//! Derived from the cluster's id and the number of the node or shard, so every node gives the same name
//! without asking. Within a cluster names differ, whatever the number: the first 16 digits are a
//! permutation of it, scattered because people and tools abbreviate names to their first digits.

use std::fmt;

use rivermark_cluster::Topology;
use rivermark_types::{NodeId, ShardId};

/// The name of a node or a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    scattered: u64,
    /// The upper 96 bits of the cluster's id, the kind mixed in.
    cluster: u128,
}

/// Keeps names of shards apart from names of nodes.
const SHARD_KIND: u128 = 1;

impl NodeName {
    /// The name of a node.
    pub fn of_node(topology: &Topology, node: NodeId) -> Self {
        Self::new(topology, node.get(), 0)
    }

    /// The name of a shard.
    pub fn of_shard(topology: &Topology, shard: ShardId) -> Self {
        Self::new(topology, u64::from(shard.get()), SHARD_KIND)
    }

    /// The known node with the name `text`, in any case.
    pub fn find_node(topology: &Topology, text: &str) -> Option<NodeId> {
        let named = |node: &NodeId| Self::of_node(topology, *node).to_string().eq_ignore_ascii_case(text);
        topology.nodes().keys().copied().find(named)
    }

    fn new(topology: &Topology, number: u64, kind: u128) -> Self {
        let cluster_id = topology.cluster_id().unwrap_or_default();
        let scattered = scatter(number ^ cluster_id as u64);
        Self { scattered, cluster: (cluster_id >> 32) ^ kind }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:024x}", self.scattered, self.cluster)
    }
}

/// The finaliser of SplitMix64: a permutation of 64-bit numbers.
fn scatter(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::fixtures::cluster;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_forty_lower_case_hex_digits_and_never_change() {
        let topology = cluster(3, 3);
        let name = NodeName::of_node(&topology, NodeId::new(1)).to_string();
        assert_eq!(name.len(), 40);
        assert!(name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        // Clients keep names over a restart: an upgrade must not change them.
        assert_eq!(name, "3f1fc531ea80446d0123456789abcdef00112233");
    }

    #[test]
    fn names_differ_from_their_first_digits_on() {
        let topology = cluster(3, 3);
        let nodes = (1..=1000).map(|id| NodeName::of_node(&topology, NodeId::new(id)).to_string());
        let shards = (0..=1000).map(|id| NodeName::of_shard(&topology, ShardId::new(id)).to_string());
        let all: Vec<String> = nodes.clone().chain(shards).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let beginnings: BTreeSet<String> = nodes.map(|name| name[..8].to_owned()).collect();
        assert_eq!(beginnings.len(), 1000);
    }

    #[test]
    fn names_are_found_again() {
        let topology = cluster(3, 3);
        for id in (1..=3).map(NodeId::new) {
            let name = NodeName::of_node(&topology, id).to_string();
            assert_eq!(NodeName::find_node(&topology, &name), Some(id));
            assert_eq!(NodeName::find_node(&topology, &name.to_ascii_uppercase()), Some(id));
        }
        assert_eq!(NodeName::find_node(&topology, &"0".repeat(40)), None);
    }
}
