//! Commands about the node: TIME, WAIT, ROLE and the like. INFO, CONFIG and CLUSTER have files of their own.

use std::time::{SystemTime, UNIX_EPOCH};

use rivermark_protocol::Frame;
use rivermark_protocol::commands::parsed::{NodeCommand, WaitReplicas};

use crate::clients::Client;
use crate::execute::{acl, cluster, config_command, info};
use crate::node::Node;
use crate::reply::Answer;

/// Runs one of them. Everything sent before it on its connection is answered.
pub async fn execute(node: &Node, client: &Client, command: NodeCommand) -> Answer {
    let frame = match command {
        NodeCommand::ConfigGet(patterns) => config_command::get(node, &patterns),
        NodeCommand::ConfigSet(pairs) => config_command::set(node, &pairs).await.unwrap_or_else(Frame::Error),
        NodeCommand::ConfigResetStatistics => {
            node.stats.reset();
            Frame::OK
        }
        NodeCommand::ConfigRewrite => Frame::Error(rivermark_protocol::ReplyError::NoConfigFile),
        NodeCommand::Info(sections) => info::execute(node, &sections).await,
        NodeCommand::Time => time(),
        NodeCommand::Wait(wait) => Frame::Integer(confirmed(node, wait)),
        NodeCommand::WaitDurable { local, replicas } => {
            Frame::Array(vec![Frame::Integer(local.cast_signed()), Frame::Integer(confirmed(node, replicas))])
        }
        NodeCommand::Role => {
            Frame::Array(vec![Frame::literal("master"), Frame::Integer(0), Frame::Array(Vec::new())])
        }
        NodeCommand::LastSave => Frame::Integer(unix_time().0.cast_signed()),
        // Off: `slowlog-log-slower-than` is -1.
        NodeCommand::SlowLogGet(_) => Frame::Array(Vec::new()),
        NodeCommand::SlowLogLength => Frame::Integer(0),
        NodeCommand::SlowLogReset => Frame::OK,
        NodeCommand::Cluster(command) => cluster::execute(node, client.transport, &command),
        NodeCommand::Acl(command) => acl::execute(node, command).await.unwrap_or_else(Frame::Error),
    };
    frame.into()
}

/// How many replicas beside the leader are certain to have every write this connection got an answer for,
/// on disk: a quorum less one. Waiting longer would not make more of them certain.
fn confirmed(node: &Node, _: WaitReplicas) -> i64 {
    let topology = node.topology();
    let least = topology.stream_shards().map(|shard| shard.replicas.len() / 2).min();
    i64::try_from(least.unwrap_or(0)).unwrap_or(i64::MAX)
}

fn time() -> Frame {
    let (seconds, micros) = unix_time();
    Frame::Array(vec![Frame::text(seconds.to_string()), Frame::text(micros.to_string())])
}

fn unix_time() -> (u64, u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs(), now.subsec_micros())
}
