//! DEBUG, where `enable-debug-command` allows it.

use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::commands::parsed::{DebugCommand, PauseScope};
use rivermark_protocol::{Frame, ReplyError};
use rivermark_stream::outcome::KeyType;
use rivermark_stream::query::{KeyProperty, Property};
use rivermark_stream::{Outcome, Query};
use rivermark_types::StreamKey;

use crate::clients::Client;
use crate::config::DebugAccess;
use crate::execute::shards;
use crate::node::Node;
use crate::reply::reply_error;
use crate::scatter;

/// Whether this client may use the command, as far as DEBUG is concerned.
///
/// # Errors
/// It may not.
pub fn allow(node: &Node, client: &Client, spec: &CommandSpec) -> Result<(), ReplyError> {
    if spec.name != "debug" {
        return Ok(());
    }
    match node.config.enable_debug_command {
        DebugAccess::Yes => Ok(()),
        DebugAccess::Local if client.peer().ip().to_canonical().is_loopback() => Ok(()),
        DebugAccess::Local | DebugAccess::No => Err(ReplyError::DebugNotAllowed),
    }
}

/// Runs a subcommand.
///
/// # Errors
/// What the client is told.
pub async fn execute(node: &Node, command: DebugCommand) -> Result<Frame, ReplyError> {
    match command {
        DebugCommand::Sleep(time) => {
            // What is under way is answered; nothing new is begun. Replication has its own threads to go on.
            node.pauses.pause(time, PauseScope::All);
            tokio::time::sleep(time).await;
            Ok(Frame::OK)
        }
        DebugCommand::Object(key) => object(node, key).await,
        DebugCommand::Log(message) => {
            tracing::warn!(message = %String::from_utf8_lossy(&message), "DEBUG LOG");
            Ok(Frame::OK)
        }
    }
}

async fn object(node: &Node, key: StreamKey) -> Result<Frame, ReplyError> {
    let topology = node.topology();
    let ask = async |query| {
        let outcome = shards::ask(node, scatter::query(&topology, query)?).await;
        outcome.map_err(reply_error)
    };
    if ask(Query::KeyType(key.clone())).await? != Outcome::KeyType(KeyType::Stream) {
        return Err(ReplyError::NoSuchKey);
    }
    match ask(Query::KeyProperty(KeyProperty { key, property: Property::MemoryBytes })).await? {
        Outcome::Integer(bytes) => {
            Ok(Frame::Simple(format!("refcount:1 encoding:stream memory:{bytes}").into()))
        }
        // Deleted meanwhile.
        _ => Err(ReplyError::NoSuchKey),
    }
}
