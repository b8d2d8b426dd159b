//! Where replicas should move when nodes come and go: plans for an operator, one shard after the other.
//!
//! Pure functions of the topology. A plan changes nothing; each of its moves is proposed as
//! [`Command::SetReplicas`](crate::Command::SetReplicas), and the shard's leader sees to the rest.

use std::collections::BTreeMap;

use rivermark_types::{NodeId, ShardId};

use crate::topology::{NodeState, Topology};

/// A shard's replicas as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which shard.
    pub shard: ShardId,
    /// Its replicas, preferred leader first.
    pub replicas: Vec<NodeId>,
}

/// Why there is no such plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// No such node.
    #[error("node {0} is not of this cluster")]
    NodeUnknown(NodeId),
    /// No such shard.
    #[error("shard {0} is not of this cluster")]
    ShardUnknown(ShardId),
    /// Nobody could take a replica over.
    #[error("no other active node could take the replica of shard {shard} on node {node}; add a node first")]
    NobodyLeft {
        /// Which shard.
        shard: ShardId,
        /// Who has it.
        node: NodeId,
    },
    /// The node that should take over takes nothing.
    #[error("node {0} is draining")]
    Draining(NodeId),
    /// The node has no replica to lead with.
    #[error("node {node} has no replica of shard {shard}")]
    NotAReplica {
        /// Which shard.
        shard: ShardId,
        /// Who should lead it.
        node: NodeId,
    },
}

/// Takes every replica off a node; each goes to the active node that then has the fewest.
///
/// # Errors
/// The node is unknown, or a shard has a replica on every other active node already.
pub fn moves_off(topology: &Topology, node: NodeId) -> Result<Vec<Move>, PlacementError> {
    topology.node(node).ok_or(PlacementError::NodeUnknown(node))?;
    let mut held = held(topology);
    held.remove(&node);
    let mut moves = Vec::new();
    for shard in topology.shards_on(node) {
        let taker = held
            .iter()
            .filter(|(taker, _)| !shard.replicas.contains(taker))
            .min_by_key(|(taker, count)| (**count, **taker))
            .map(|(taker, _)| *taker)
            .ok_or(PlacementError::NobodyLeft { shard: shard.id, node })?;
        *held.get_mut(&taker).expect("chosen among these") += 1;
        moves.push(Move { shard: shard.id, replicas: replaced(&shard.replicas, node, taker) });
    }
    Ok(moves)
}

/// Gives every replica of one node to another.
///
/// # Errors
/// A node is unknown, or the other takes nothing.
pub fn moves_between(topology: &Topology, from: NodeId, to: NodeId) -> Result<Vec<Move>, PlacementError> {
    topology.node(from).ok_or(PlacementError::NodeUnknown(from))?;
    let taker = topology.node(to).ok_or(PlacementError::NodeUnknown(to))?;
    if taker.state == NodeState::Draining {
        return Err(PlacementError::Draining(to));
    }
    let moves = topology.shards_on(from).map(|shard| {
        let replicas = if shard.replicas.contains(&to) {
            // It has the shard already: what is left is one replica less.
            shard.replicas.iter().copied().filter(|node| *node != from).collect()
        } else {
            replaced(&shard.replicas, from, to)
        };
        Move { shard: shard.id, replicas }
    });
    Ok(moves.collect())
}

/// Evens out the replicas over the active nodes: the fewest moves after which no two differ by more than
/// one.
pub fn moves_to_balance(topology: &Topology) -> Vec<Move> {
    let mut held = held(topology);
    let mut placed: BTreeMap<ShardId, Vec<NodeId>> =
        topology.shards().values().map(|shard| (shard.id, shard.replicas.clone())).collect();
    let mut moves = Vec::new();
    loop {
        let fullest = held.iter().max_by_key(|(node, count)| (**count, std::cmp::Reverse(**node)));
        let emptiest = held.iter().min_by_key(|(node, count)| (**count, **node));
        let (Some((&from, &most)), Some((&to, &least))) = (fullest, emptiest) else { return moves };
        let movable = |replicas: &Vec<NodeId>| replicas.contains(&from) && !replicas.contains(&to);
        // The last shard first: the metadata shard, which every node follows, stays where it can.
        let found = placed.iter_mut().rev().find(|(_, replicas)| movable(replicas));
        let Some((&shard, replicas)) = found.filter(|_| most > least + 1) else { return moves };
        *replicas = replaced(replicas, from, to);
        moves.push(Move { shard, replicas: replicas.clone() });
        *held.get_mut(&from).expect("counted") -= 1;
        *held.get_mut(&to).expect("counted") += 1;
    }
}

/// Makes a node the preferred leader of a shard. Leaders are kept even, so another shard that prefers the
/// node is given to the one that is relieved, where it has a replica there.
///
/// # Errors
/// The shard is unknown, or the node has no replica of it or is draining.
pub fn moves_to_lead(topology: &Topology, shard: ShardId, node: NodeId) -> Result<Vec<Move>, PlacementError> {
    let wanted = topology.shard(shard).ok_or(PlacementError::ShardUnknown(shard))?;
    let known = topology.node(node).ok_or(PlacementError::NodeUnknown(node))?;
    if known.state == NodeState::Draining {
        return Err(PlacementError::Draining(node));
    }
    if !wanted.replicas.contains(&node) {
        return Err(PlacementError::NotAReplica { shard, node });
    }
    let relieved = wanted.replicas[0];
    if relieved == node {
        return Ok(Vec::new());
    }
    let mut moves = vec![Move { shard, replicas: led_by(&wanted.replicas, node) }];
    let exchange = topology
        .stream_shards()
        .find(|other| other.id != shard && other.replicas[0] == node && other.replicas.contains(&relieved));
    if let Some(other) = exchange.filter(|_| shard != ShardId::METADATA) {
        moves.push(Move { shard: other.id, replicas: led_by(&other.replicas, relieved) });
    }
    Ok(moves)
}

/// How many replicas each active node holds.
fn held(topology: &Topology) -> BTreeMap<NodeId, usize> {
    let active = topology.nodes().values().filter(|node| node.state == NodeState::Active);
    active.map(|node| (node.id, topology.shards_on(node.id).count())).collect()
}

fn replaced(replicas: &[NodeId], from: NodeId, to: NodeId) -> Vec<NodeId> {
    replicas.iter().map(|node| if *node == from { to } else { *node }).collect()
}

fn led_by(replicas: &[NodeId], leader: NodeId) -> Vec<NodeId> {
    let others = replicas.iter().copied().filter(|node| *node != leader);
    std::iter::once(leader).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::Bootstrap;
    use crate::{Command, Machine, Node, Outcome};

    fn node(id: u64) -> Node {
        Node {
            id: NodeId::new(id),
            rpc_address: format!("n{id}:1"),
            resp_address: format!("n{id}:2"),
            resp_tls_address: String::new(),
            http_address: format!("n{id}:3"),
            state: NodeState::Active,
        }
    }

    fn cluster(nodes: u64, shards: u32, joined: u64) -> Machine {
        let mut machine = Machine::new();
        let founders = (1..=nodes).map(node).collect();
        let bootstrap = Bootstrap { cluster_id: 1, nodes: founders, shards, replication: 3 };
        apply(&mut machine, Command::Bootstrap(bootstrap));
        for id in nodes + 1..=nodes + joined {
            apply(&mut machine, Command::AddNode(node(id)));
        }
        machine
    }

    fn apply(machine: &mut Machine, command: Command) {
        let outcome = machine.apply(&command);
        assert!(!matches!(outcome, Outcome::Rejected(_)), "{command:?}: {outcome:?}");
    }

    fn carry_out(machine: &mut Machine, moves: Vec<Move>) {
        for Move { shard, replicas } in moves {
            apply(machine, Command::SetReplicas { shard, replicas });
        }
    }

    fn spread(machine: &Machine) -> (usize, usize) {
        let held = held(&machine.topology());
        (*held.values().min().expect("nodes"), *held.values().max().expect("nodes"))
    }

    #[test]
    fn three_nodes_cannot_spare_one() {
        let machine = cluster(3, 3, 0);
        let refused = moves_off(&machine.topology(), NodeId::new(2));
        assert!(matches!(refused, Err(PlacementError::NobodyLeft { .. })), "{refused:?}");
        assert_eq!(
            moves_off(&machine.topology(), NodeId::new(9)),
            Err(PlacementError::NodeUnknown(NodeId::new(9)))
        );
    }

    #[test]
    fn a_new_node_replaces_a_lost_one_in_its_places() {
        let mut machine = cluster(3, 3, 1);
        let moves = moves_between(&machine.topology(), NodeId::new(2), NodeId::new(4)).expect("a plan");
        assert_eq!(moves.len(), 4);
        carry_out(&mut machine, moves);
        apply(&mut machine, Command::RemoveNode(NodeId::new(2)));
        assert_eq!(spread(&machine), (4, 4));
    }

    #[test]
    fn leadership_is_exchanged_with_the_shard_that_preferred_the_node() {
        let mut machine = cluster(3, 3, 0);
        let (first, second) = (ShardId::new(1), ShardId::new(2));
        let old = machine.topology().replicas(first)[0];
        let new = machine.topology().replicas(second)[0];
        let moves = moves_to_lead(&machine.topology(), first, new).expect("a plan");
        carry_out(&mut machine, moves);
        assert_eq!(machine.topology().replicas(first)[0], new);
        assert_eq!(machine.topology().replicas(second)[0], old);
        assert_eq!(moves_to_lead(&machine.topology(), first, new), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn plans_can_be_carried_out(nodes in 3u64..7, shards in 1u32..40, joined in 0u64..5, gone in 1u64..12) {
            let mut machine = cluster(nodes, shards, joined);
            let moves = moves_to_balance(&machine.topology());
            carry_out(&mut machine, moves);
            let (least, most) = spread(&machine);
            prop_assert!(most <= least + 1, "{least} to {most}");
            prop_assert!(moves_to_balance(&machine.topology()).is_empty());
            let gone = NodeId::new(1 + gone % (nodes + joined));
            match moves_off(&machine.topology(), gone) {
                Ok(moves) => {
                    carry_out(&mut machine, moves);
                    apply(&mut machine, Command::RemoveNode(gone));
                }
                Err(error) => prop_assert!(nodes + joined == 3, "{error}"),
            }
        }
    }
}
