//! Splits requests by the shards of the present topology.

use rivermark_cluster::Topology;
use rivermark_protocol::ReplyError;
use rivermark_stream::command::XReadGroup;
use rivermark_stream::scatter::{GroupReadSequence, Scattered, scatter_command, scatter_query};
use rivermark_stream::{Command, Query};
use rivermark_types::{ShardId, Slot};

/// Stands in for the list of all shards where keys alone decide: the list is made for the few requests that
/// name no key.
const BY_KEY: [ShardId; 1] = [ShardId::METADATA];

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
    if command.keys().next().is_some() {
        return scatter_command(command, &BY_KEY, owner(topology)).map_err(|_| ReplyError::CrossShard);
    }
    scatter_command(command, &stream_shards(topology), owner(topology)).map_err(|_| ReplyError::CrossShard)
}

/// Routes a query.
///
/// # Errors
/// The cluster has no slots yet.
pub fn query(topology: &Topology, query: Query) -> Result<Scattered<Query>, ReplyError> {
    check_bootstrapped(topology)?;
    if query.keys().next().is_some() {
        return Ok(scatter_query(query, &BY_KEY, owner(topology)));
    }
    Ok(scatter_query(query, &stream_shards(topology), owner(topology)))
}

/// Routes an XREADGROUP with MAXCOUNT or MAXSIZE, one shard after the other.
///
/// # Errors
/// The cluster has no slots yet.
pub fn read_sequence(topology: &Topology, read: XReadGroup) -> Result<GroupReadSequence, ReplyError> {
    check_bootstrapped(topology)?;
    Ok(GroupReadSequence::new(read, owner(topology)))
}

/// Whether the node knows a topology to route by.
///
/// # Errors
/// The cluster has no slots yet.
pub fn check_bootstrapped(topology: &Topology) -> Result<(), ReplyError> {
    if topology.cluster_id().is_some() { Ok(()) } else { Err(ReplyError::Loading) }
}

fn owner(topology: &Topology) -> impl Fn(Slot) -> ShardId {
    |slot| topology.shard_of(slot).expect("every slot of a bootstrapped cluster has an owner")
}
