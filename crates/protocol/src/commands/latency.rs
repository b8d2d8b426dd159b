//! `LATENCY ...`

use bytes::Bytes;

use super::args::Arguments;
use super::parsed::{LatencyCommand, NodeCommand, Parsed};
use crate::reply_error::ReplyError;

fn latency(command: LatencyCommand) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Latency(command)))
}

/// `LATENCY LATEST`
pub(super) fn latest(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::Latest)
}

/// `LATENCY HISTORY event`
pub(super) fn history(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::History(arguments.bytes()?))
}

/// `LATENCY GRAPH event`
pub(super) fn graph(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::Graph(arguments.bytes()?))
}

/// `LATENCY RESET [event ...]`
pub(super) fn reset(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::Reset(rest(&mut arguments)?))
}

/// `LATENCY DOCTOR`
pub(super) fn doctor(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::Doctor)
}

/// `LATENCY HISTOGRAM [command ...]`
pub(super) fn histogram(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    latency(LatencyCommand::Histogram(rest(&mut arguments)?))
}

/// `LATENCY HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "DOCTOR",
            "    Return an account of slow events, for people.",
            "GRAPH <event>",
            "    Return a graph of an event's latencies.",
            "HISTORY <event>",
            "    Return time and latency of an event's samples.",
            "LATEST",
            "    Return the latest sample of every event.",
            "RESET [<event> ...]",
            "    Forget samples; return of how many events (default: all).",
            "HISTOGRAM [<command> ...]",
            "    Return how the durations of commands are distributed (default: all that were called).",
        ],
    )
}

fn rest(arguments: &mut Arguments<'_>) -> Result<Vec<Bytes>, ReplyError> {
    (0..arguments.left()).map(|_| arguments.bytes()).collect()
}
