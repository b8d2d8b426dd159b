//! Commands about the node with few arguments: INFO, TIME, WAIT, WAITAOF, ROLE, LASTSAVE, SLOWLOG, LOLWUT, and
//! those that would change who replicates what.

use bytes::Bytes;

use super::args::Arguments;
use super::block;
use super::parsed::{NodeCommand, Parsed, WaitReplicas};
use crate::reply_error::ReplyError;

/// What SLOWLOG GET shows without a count.
const SLOW_LOG_COUNT_DEFAULT: u64 = 10;

/// `INFO [section ...]`
pub(super) fn info(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mut sections = Vec::new();
    while let Some(section) = arguments.take() {
        sections.push(String::from_utf8_lossy(section).to_ascii_lowercase());
    }
    Ok(Parsed::Node(NodeCommand::Info(sections)))
}

/// `TIME`
pub(super) fn time(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Time))
}

/// `WAIT replicas timeout`
pub(super) fn wait(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    // Less than none is none, as in the reference.
    let replicas = u64::try_from(arguments.integer()?).unwrap_or(0);
    let block = block::timeout(&mut arguments)?;
    Ok(Parsed::Node(NodeCommand::Wait(WaitReplicas { replicas, block })))
}

/// `WAITAOF local replicas timeout`
pub(super) fn wait_durable(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let out_of_range = || ReplyError::OutOfRange(Bytes::from_static(b"0"), Bytes::from_static(b"1"));
    let local = u64::try_from(arguments.integer()?).ok().filter(|local| *local <= 1);
    let local = local.ok_or_else(out_of_range)?;
    let replicas = u64::try_from(arguments.integer()?).map_err(|_| ReplyError::NotPositive)?;
    let block = block::timeout(&mut arguments)?;
    Ok(Parsed::Node(NodeCommand::WaitDurable { local, replicas: WaitReplicas { replicas, block } }))
}

/// `ROLE`
pub(super) fn role(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Role))
}

/// `LASTSAVE`
pub(super) fn last_save(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::LastSave))
}

/// `SLOWLOG GET [count]`
pub(super) fn slow_log_get(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    if arguments.left() > 1 {
        return Err(arguments.subcommand_syntax());
    }
    let count = match arguments.left() {
        0 => Some(SLOW_LOG_COUNT_DEFAULT),
        _ => match arguments.integer_or(ReplyError::SlowLogCount)? {
            -1 => None,
            count => Some(u64::try_from(count).map_err(|_| ReplyError::SlowLogCount)?),
        },
    };
    Ok(Parsed::Node(NodeCommand::SlowLogGet(count)))
}

/// `SLOWLOG LEN`
pub(super) fn slow_log_length(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::SlowLogLength))
}

/// `SLOWLOG RESET`
pub(super) fn slow_log_reset(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::SlowLogReset))
}

/// `SLOWLOG HELP`
pub(super) fn slow_log_help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "GET [<count>]",
            "    Return the latest entries of the slow log: id, time, microseconds, arguments,",
            "    client address, client name (default: 10 entries, -1 is all).",
            "LEN",
            "    Return how many entries the slow log has.",
            "RESET",
            "    Empty the slow log.",
        ],
    )
}

/// `LOLWUT [VERSION version ...]`: the arguments only change a picture that there is none of.
pub(super) fn lolwut(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Lolwut))
}

/// `REPLICAOF|SLAVEOF host port`: who follows whom is decided shard by shard.
pub(super) fn replica_of(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(ReplyError::ReplicaOfRefused)
}

/// `FAILOVER [...]`
pub(super) fn failover(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(ReplyError::FailoverRefused)
}
