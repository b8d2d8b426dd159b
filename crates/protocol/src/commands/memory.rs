//! `MEMORY ...`

use rivermark_stream::Query;
use rivermark_stream::query::{KeyProperty, Property};

use super::args::Arguments;
use super::parsed::{MemoryCommand, NodeCommand, Parsed};
use crate::reply_error::ReplyError;
use crate::resp::Frame;

/// `MEMORY USAGE key [SAMPLES count]`: nothing is sampled, the count is only checked.
pub(super) fn usage(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    while arguments.left() > 0 {
        if !arguments.option("SAMPLES", 1) || arguments.integer()? < 0 {
            return Err(ReplyError::Syntax);
        }
    }
    let property = Property::MemoryBytes;
    Ok(Parsed::Query(Query::KeyProperty(KeyProperty { key, property })))
}

/// `MEMORY STATS`
pub(super) fn stats(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Memory(MemoryCommand::Stats)))
}

/// `MEMORY DOCTOR`
pub(super) fn doctor(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Memory(MemoryCommand::Doctor)))
}

/// `MEMORY MALLOC-STATS`: what the reference answers without jemalloc.
pub(super) fn allocator_stats(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Reply(Frame::literal("Stats not supported for the current allocator")))
}

/// `MEMORY PURGE`: the allocator gives unused pages back by itself, and cannot be told to.
pub(super) fn purge(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(ReplyError::PurgeUnsupported)
}

/// `MEMORY HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "DOCTOR",
            "    Return what is remarkable about the memory of this node, for people.",
            "MALLOC-STATS",
            "    Return what the allocator tells: nothing.",
            "PURGE",
            "    Refused: the allocator gives unused memory back by itself.",
            "STATS",
            "    Return what the memory of this node is used for.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return about how many bytes the key takes in memory.",
        ],
    )
}
