//! What holds in every topology, checked from the outside: after each command by the tests, and on
//! everything that is decoded.

use std::collections::BTreeSet;

use rivermark_types::limits::{NODES_MAX, SHARD_REPLICAS_MAX, SHARDS_MAX};
use rivermark_types::{SLOT_COUNT, ShardId, Slot};

use crate::machine::has_good_addresses;
use crate::topology::{Shard, Topology};

/// The first invariant that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub &'static str);

/// Checks every invariant of a topology.
///
/// # Errors
/// The first that does not hold.
pub fn check(topology: &Topology) -> Result<(), Violation> {
    if topology.cluster_id.is_none() {
        return require(*topology == Topology::default(), "a cluster without id is empty");
    }
    require(topology.epoch > 0, "a bootstrapped cluster has an epoch")?;
    check_nodes(topology)?;
    check_users(topology)?;
    require(topology.shards.contains_key(&ShardId::METADATA), "the metadata shard exists")?;
    require((2..=SHARDS_MAX + 1).contains(&topology.shards.len()), "the number of shards is within bounds")?;
    for (id, shard) in &topology.shards {
        require(*id == shard.id, "a shard stands under its id")?;
        check_shard(topology, shard)?;
    }
    let mut slots = (0..SLOT_COUNT).filter_map(Slot::new);
    require(slots.all(|slot| topology.shard_of(slot).is_some()), "every slot has an owner")?;
    // With every slot owned and each shard's slots agreeing with the table, equal counts exclude overlap.
    let owned: usize = topology.shards.values().map(|shard| shard.slots.count()).sum();
    require(owned == usize::from(SLOT_COUNT), "no slot has two owners")
}

fn check_nodes(topology: &Topology) -> Result<(), Violation> {
    require((1..=NODES_MAX).contains(&topology.nodes.len()), "the number of nodes is within bounds")?;
    for (id, node) in &topology.nodes {
        require(*id == node.id, "a node stands under its id")?;
        require(id.get() != 0, "0 is no node id")?;
        require(!topology.removed_nodes.contains(id), "a removed node's id is not reused")?;
        require(has_good_addresses(node), "a node's addresses are host:port")?;
    }
    Ok(())
}

fn check_users(topology: &Topology) -> Result<(), Violation> {
    let users = &topology.users;
    require(users.version <= topology.epoch, "users changed no later than the topology")?;
    for (_, record) in users.iter() {
        let in_order = 0 < record.created && record.created <= record.revision;
        require(in_order && record.revision <= users.version, "a user's epochs are in order")?;
    }
    require(users.fit(), "the users are within bounds")
}

fn check_shard(topology: &Topology, shard: &Shard) -> Result<(), Violation> {
    require(
        (1..=SHARD_REPLICAS_MAX).contains(&shard.replicas.len()),
        "the number of replicas is within bounds",
    )?;
    let distinct: BTreeSet<_> = shard.replicas.iter().collect();
    require(distinct.len() == shard.replicas.len(), "a shard's replicas are on distinct nodes")?;
    require(
        shard.replicas.iter().all(|node| topology.nodes.contains_key(node)),
        "a shard's replicas are on known nodes",
    )?;
    let metadata = shard.id == ShardId::METADATA;
    require(!metadata || shard.slots.is_empty(), "the metadata shard owns no slots")?;
    let agrees = shard.slots.iter().all(|slot| topology.shard_of(slot) == Some(shard.id));
    require(agrees, "the slot table agrees with the shards")
}

fn require(holds: bool, what: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(what)) }
}
