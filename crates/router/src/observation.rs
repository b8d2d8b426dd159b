//! What a node knows of the cluster's present state, beside the topology. Hints: they may be stale.

use std::collections::{BTreeMap, BTreeSet};

use rivermark_cluster::{Shard, Topology};
use rivermark_types::{NodeId, ShardId};

/// Leaders and reachability as one node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The node that looks.
    pub local: NodeId,
    /// Leaders by shard, as far as known.
    pub leaders: BTreeMap<ShardId, NodeId>,
    /// Nodes that do not answer.
    pub unreachable: BTreeSet<NodeId>,
}

impl Observation {
    /// A shard's leader, if it is known, one of its replicas and not unreachable.
    pub fn leader_of(&self, shard: &Shard) -> Option<NodeId> {
        let leader = self.leaders.get(&shard.id).copied()?;
        (shard.replicas.contains(&leader) && self.is_reachable(leader)).then_some(leader)
    }

    /// Whether nothing speaks against the node.
    pub fn is_reachable(&self, node: NodeId) -> bool {
        !self.unreachable.contains(&node)
    }

    /// Whether so many of the shard's replicas are reachable that they have or can elect a leader.
    pub fn has_quorum(&self, shard: &Shard) -> bool {
        let reachable = shard.replicas.iter().filter(|node| self.is_reachable(**node)).count();
        reachable > shard.replicas.len() / 2
    }

    /// The node that clients are pointed to for a shard: its leader; while none is known a replica that
    /// can be reached, since any node forwards.
    pub fn contact_of(&self, topology: &Topology, shard: &Shard) -> Option<NodeId> {
        let known = |node: &NodeId| topology.node(*node).is_some();
        let reachable =
            || shard.replicas.iter().copied().find(|node| self.is_reachable(*node) && known(node));
        self.leader_of(shard)
            .filter(known)
            .or_else(reachable)
            .or_else(|| shard.replicas.iter().copied().find(known))
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! A cluster of nodes 1.. at 10.0.0.n:6379, and who leads what in it.

    use super::*;
    use rivermark_cluster::command::Bootstrap;
    use rivermark_cluster::{Command, Machine, Node, NodeState, Outcome};

    pub(crate) const CLUSTER_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    pub(crate) fn node(id: u64) -> Node {
        Node {
            id: NodeId::new(id),
            rpc_address: format!("10.0.0.{id}:16379"),
            resp_address: format!("10.0.0.{id}:6379"),
            resp_tls_address: String::new(),
            http_address: format!("10.0.0.{id}:8379"),
            state: NodeState::Active,
        }
    }

    pub(crate) fn cluster(nodes: u64, shards: u32) -> Topology {
        found((1..=nodes).map(node).collect(), shards)
    }

    /// The same, one node with a TLS port, 6380, too.
    pub(crate) fn cluster_with_tls_at(tls: u64, nodes: u64, shards: u32) -> Topology {
        let mut nodes: Vec<Node> = (1..=nodes).map(node).collect();
        for node in nodes.iter_mut().filter(|node| node.id.get() == tls) {
            node.resp_tls_address = format!("10.0.0.{tls}:6380");
        }
        found(nodes, shards)
    }

    fn found(nodes: Vec<Node>, shards: u32) -> Topology {
        let replication = nodes.len().min(3) as u32;
        let mut machine = Machine::new();
        let bootstrap = Bootstrap { cluster_id: CLUSTER_ID, nodes, shards, replication };
        assert_eq!(machine.apply(&Command::Bootstrap(bootstrap)), Outcome::Changed { epoch: 1 });
        (*machine.topology()).clone()
    }

    pub(crate) fn observe(local: u64, leaders: &[(u32, u64)], unreachable: &[u64]) -> Observation {
        Observation {
            local: NodeId::new(local),
            leaders: leaders.iter().map(|(shard, node)| (ShardId::new(*shard), NodeId::new(*node))).collect(),
            unreachable: unreachable.iter().copied().map(NodeId::new).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{cluster, observe};
    use super::*;

    #[test]
    fn a_contact_is_the_leader_or_someone_who_answers() {
        let topology = cluster(4, 2);
        let shard = topology.shard(ShardId::new(1)).expect("shard 1");
        assert_eq!(shard.replicas, [2, 3, 4].map(NodeId::new));
        let check = |leaders: &[(u32, u64)], unreachable: &[u64], expected: u64| {
            let contact = observe(1, leaders, unreachable).contact_of(&topology, shard);
            assert_eq!(contact, Some(NodeId::new(expected)), "{leaders:?} {unreachable:?}");
        };
        check(&[(1, 3)], &[], 3);
        check(&[], &[], 2);
        check(&[], &[2], 3);
        check(&[(1, 2)], &[2], 3);
        check(&[(1, 1)], &[], 2);
        check(&[], &[2, 3, 4], 2);
    }

    #[test]
    fn a_quorum_is_more_than_half() {
        let topology = cluster(3, 1);
        let shard = topology.shard(ShardId::new(1)).expect("shard 1");
        for (unreachable, expected) in [(&[][..], true), (&[1], true), (&[1, 2], false), (&[1, 2, 3], false)]
        {
            assert_eq!(observe(1, &[], unreachable).has_quorum(shard), expected, "{unreachable:?}");
        }
    }
}
