//! `CLUSTER ...`: what clients use to find their way. Changing the cluster is the operator interface's affair.

use rivermark_stream::Query;
use rivermark_stream::query::KeysInSlot;
use rivermark_types::Slot;

use super::args::Arguments;
use super::parsed::{ClusterCommand, NodeCommand, Parsed};
use crate::reply_error::ReplyError;
use crate::resp::Frame;

fn cluster(command: ClusterCommand) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Cluster(command)))
}

/// `CLUSTER INFO`
pub(super) fn info(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Info)
}

/// `CLUSTER NODES`
pub(super) fn nodes(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Nodes)
}

/// `CLUSTER SLOTS`
pub(super) fn slots(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Slots)
}

/// `CLUSTER SHARDS`
pub(super) fn shards(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Shards)
}

/// `CLUSTER MYID`
pub(super) fn my_id(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::MyId)
}

/// `CLUSTER MYSHARDID`
pub(super) fn my_shard_id(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::MyShardId)
}

/// `CLUSTER LINKS`
pub(super) fn links(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Links)
}

/// `CLUSTER REPLICAS node-id`
pub(super) fn replicas(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    cluster(ClusterCommand::Replicas(arguments.bytes()?))
}

/// `CLUSTER KEYSLOT key`
pub(super) fn key_slot(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let slot = Slot::of(arguments.text()?);
    Ok(Parsed::Reply(Frame::Integer(i64::from(slot.get()))))
}

/// `CLUSTER COUNTKEYSINSLOT slot`
pub(super) fn count_keys_in_slot(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let slot = slot(arguments.integer()?).ok_or(ReplyError::InvalidSlotNumber)?;
    Ok(Parsed::Query(Query::CountKeysInSlot(slot)))
}

/// `CLUSTER GETKEYSINSLOT slot count`
pub(super) fn keys_in_slot(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (number, count) = (arguments.integer()?, arguments.integer()?);
    let slot = slot(number).ok_or(ReplyError::InvalidSlotOrCount)?;
    let count = u64::try_from(count).map_err(|_| ReplyError::InvalidSlotOrCount)?;
    Ok(Parsed::Query(Query::KeysInSlot(KeysInSlot { slot, count })))
}

/// `CLUSTER HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "COUNTKEYSINSLOT <slot>",
            "    Return how many keys a slot has.",
            "GETKEYSINSLOT <slot> <count>",
            "    Return keys of a slot.",
            "INFO",
            "    Describe the cluster.",
            "KEYSLOT <key>",
            "    Return the slot of a key.",
            "LINKS",
            "    Describe this node's links to its peers.",
            "MYID",
            "    Return this node's id.",
            "MYSHARDID",
            "    Return the id of the shard this node is counted to.",
            "NODES",
            "    Describe the nodes, a line each.",
            "REPLICAS <node-id>",
            "    Describe the nodes that follow a node.",
            "SHARDS",
            "    Return the shards, their slots and nodes.",
            "SLAVES <node-id>",
            "    As REPLICAS, under its former name.",
            "SLOTS",
            "    Return the ranges of slots and their nodes.",
        ],
    )
}

fn slot(number: i64) -> Option<Slot> {
    u16::try_from(number).ok().and_then(Slot::new)
}
