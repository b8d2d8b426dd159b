//! Commands about the node: TIME, WAIT, ROLE, SLOWLOG, SHUTDOWN and the like. The larger ones have files of their own.

use std::sync::Arc;

use bytes::Bytes;
use rivermark_protocol::commands::parsed::{NodeCommand, Save, Shutdown, ShutdownSave, WaitReplicas};
use rivermark_protocol::{Frame, ReplyError};

use crate::clients::Client;
use crate::clock::unix_time;
use crate::execute::{acl, cluster, config_command, debug, info, latency_command, memory};
use crate::node::{Node, REDIS_VERSION, VERSION};
use crate::reply::Answer;
use crate::saves::{save, save_in_background};
use crate::shutdown::HandOver;

/// Runs one of them. Everything sent before it on its connection is answered.
pub async fn execute(node: &Arc<Node>, client: &Client, command: NodeCommand) -> Answer {
    let result = match command {
        NodeCommand::ConfigGet(patterns) => Ok(config_command::get(node, &patterns)),
        NodeCommand::ConfigSet(pairs) => config_command::set(node, &pairs).await,
        NodeCommand::ConfigResetStatistics => {
            node.stats.reset();
            node.clients.reset_count();
            Ok(Frame::OK)
        }
        NodeCommand::ConfigRewrite => config_command::rewrite(node).await,
        NodeCommand::Info(sections) => Ok(info::execute(node, &sections).await),
        NodeCommand::Time => Ok(time()),
        NodeCommand::Wait(wait) => Ok(Frame::Integer(confirmed(node, wait))),
        NodeCommand::WaitDurable { local, replicas } => {
            let local = Frame::Integer(local.cast_signed());
            Ok(Frame::Array(vec![local, Frame::Integer(confirmed(node, replicas))]))
        }
        NodeCommand::Role => Ok(role(node)),
        NodeCommand::LastSave => Ok(Frame::Integer(node.saves.told().last_unix_s.cast_signed())),
        NodeCommand::Save(kind) => saved(node, kind).await,
        NodeCommand::Shutdown(shutdown) => shut_down(node, client, shutdown).await,
        NodeCommand::AbortShutdown if node.shutdown.is_given() => Err(ReplyError::ShutdownNotAbortable),
        NodeCommand::AbortShutdown => Err(ReplyError::NoShutdownInProgress),
        NodeCommand::Lolwut => Ok(lolwut()),
        NodeCommand::Memory(command) => Ok(memory::execute(node, command)),
        NodeCommand::Latency(command) => latency_command::execute(node, command),
        NodeCommand::Debug(command) => debug::execute(node, command).await,
        NodeCommand::SlowLogGet(count) => {
            let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
            Ok(node.slow_log.latest(count))
        }
        NodeCommand::SlowLogLength => Ok(Frame::Integer(node.slow_log.length() as i64)),
        NodeCommand::SlowLogReset => {
            node.slow_log.reset();
            Ok(Frame::OK)
        }
        NodeCommand::Cluster(command) => Ok(cluster::execute(node, client.transport, &command)),
        NodeCommand::Acl(command) => acl::execute(node, command).await,
    };
    result.unwrap_or_else(Frame::Error).into()
}

/// How many replicas beside the leader are certain to have every write this connection got an answer for,
/// on disk: a quorum less one. Waiting longer would not make more of them certain.
fn confirmed(node: &Node, _: WaitReplicas) -> i64 {
    let topology = node.topology();
    let least = topology.stream_shards().map(|shard| shard.replicas.len() / 2).min();
    i64::try_from(least.unwrap_or(0)).unwrap_or(i64::MAX)
}

/// Any node takes writes for any key, which is what clients mean by the role they look for.
fn role(node: &Node) -> Frame {
    let offset = Frame::Integer(node.applied_total().cast_signed());
    Frame::Array(vec![Frame::literal("master"), offset, Frame::Array(Vec::new())])
}

async fn saved(node: &Arc<Node>, kind: Save) -> Result<Frame, ReplyError> {
    Ok(match kind {
        Save::Foreground => {
            save(node).await?;
            Frame::OK
        }
        Save::Background { scheduled } => {
            let put_off = save_in_background(node, scheduled)?;
            Frame::simple(if put_off { "Background saving scheduled" } else { "Background saving started" })
        }
        Save::Rewrite => {
            let put_off = save_in_background(node, true)?;
            Frame::simple(if put_off {
                "Background append only file rewriting scheduled"
            } else {
                "Background append only file rewriting started"
            })
        }
    })
}

/// Like SIGTERM. The connection is closed without a reply, which is how its client learns that all went well.
async fn shut_down(node: &Arc<Node>, client: &Client, shutdown: Shutdown) -> Result<Frame, ReplyError> {
    let Shutdown { save: kind, now, force } = shutdown;
    if kind == ShutdownSave::Yes
        && let Err(error) = save(node).await
    {
        tracing::error!(%error, "the save before a shutdown failed");
        if !force {
            return Err(ReplyError::ShutdownFailed);
        }
    }
    node.shutdown.give(if now { HandOver::Skipped } else { HandOver::Waited });
    client.kill();
    std::future::pending().await
}

fn lolwut() -> Frame {
    Frame::Verbatim(Bytes::from(format!("Redis ver. {REDIS_VERSION}, by Rivermark {VERSION}\n")))
}

fn time() -> Frame {
    let (seconds, micros) = unix_time();
    Frame::Array(vec![Frame::text(seconds.to_string()), Frame::text(micros.to_string())])
}
