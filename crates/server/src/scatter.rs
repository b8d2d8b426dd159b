//! Splits requests by the shards of the present topology.

use rivermark_cluster::Topology;
use rivermark_protocol::ReplyError;
use rivermark_stream::scatter::{Scattered, scatter_command, scatter_query};
use rivermark_stream::{Command, Query};
use rivermark_types::{ShardId, Slot};

/// The shard that owns a slot.
///
/// # Errors
/// The cluster has no slots yet.
pub fn shard_of(topology: &Topology, slot: Slot) -> Result<ShardId, ReplyError> {
    topology.shard_of(slot).ok_or(ReplyError::Loading)
}

/// Every shard that holds streams.
pub fn stream_shards(topology: &Topology) -> Vec<ShardId> {
    topology.stream_shards().map(|shard| shard.id).collect()
}

/// Routes a command that is no transaction.
///
/// # Errors
/// The cluster has no slots yet.
pub fn command(topology: &Topology, command: Command) -> Result<Scattered<Command>, ReplyError> {
    check_bootstrapped(topology)?;
    // Only what names no key goes by the list of all shards.
    let named = command.keys().next().is_some();
    let shards = if named { Vec::new() } else { stream_shards(topology) };
    scatter_command(command, &shards, owner(topology)).map_err(|_| ReplyError::CrossShard)
}

/// Routes a query.
///
/// # Errors
/// The cluster has no slots yet.
pub fn query(topology: &Topology, query: Query) -> Result<Scattered<Query>, ReplyError> {
    check_bootstrapped(topology)?;
    let named = query.keys().next().is_some();
    let shards = if named { Vec::new() } else { stream_shards(topology) };
    Ok(scatter_query(query, &shards, owner(topology)))
}

fn check_bootstrapped(topology: &Topology) -> Result<(), ReplyError> {
    if topology.cluster_id().is_some() { Ok(()) } else { Err(ReplyError::Loading) }
}

fn owner(topology: &Topology) -> impl Fn(Slot) -> ShardId {
    |slot| topology.shard_of(slot).expect("every slot of a bootstrapped cluster has an owner")
}
