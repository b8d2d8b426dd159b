//! CLIENT and its subcommands.

use std::time::Duration;

use bytes::Bytes;
use rivermark_protocol::commands::parsed::{
    ClientAttribute, ClientCommand, ClientFilter, ClientKind, Switch,
};
use rivermark_protocol::{Frame, ReplyError};

use crate::clients::Client;
use crate::node::Node;

/// Runs one of them.
///
/// # Errors
/// What the client is told.
pub fn execute(node: &Node, client: &Client, command: ClientCommand) -> Result<Frame, ReplyError> {
    Ok(match command {
        ClientCommand::Id => Frame::Integer(client.id.get().cast_signed()),
        ClientCommand::Info => Frame::Verbatim(Bytes::from(client.line() + "\n")),
        ClientCommand::List(filter) => Frame::Verbatim(list(node, &filter)),
        ClientCommand::Kill(filter) => {
            if let Some(user) = &filter.user {
                let accounts = node.access.accounts(&node.topology());
                accounts.get(user).ok_or_else(|| ReplyError::NoSuchUser(user.clone()))?;
            }
            Frame::Integer(node.clients.kill(&filter, client.id))
        }
        ClientCommand::KillAddress(address) if node.clients.kill_address(&address) => Frame::OK,
        ClientCommand::KillAddress(_) => return Err(ReplyError::NoSuchClient),
        ClientCommand::SetName(name) => {
            set_name(client, &name)?;
            Frame::OK
        }
        ClientCommand::GetName => match client.shown().name {
            name if name.is_empty() => Frame::Null,
            name => Frame::Bulk(name),
        },
        ClientCommand::SetInfo(attribute, value) => {
            set_attribute(client, attribute, &value);
            Frame::OK
        }
        // Nothing is evicted here, and no key has an access time: all there is to change is what CLIENT LIST shows.
        ClientCommand::NoEvict(switch) => {
            client.show(|shown| shown.no_evict = switch == Switch::On);
            Frame::OK
        }
        ClientCommand::NoTouch(switch) => {
            client.show(|shown| shown.no_touch = switch == Switch::On);
            Frame::OK
        }
        // The connection has done it already.
        ClientCommand::Reply(_) => Frame::OK,
        ClientCommand::Pause(pause) => {
            node.pauses.pause(Duration::from_millis(pause.timeout_ms), pause.scope);
            Frame::OK
        }
        ClientCommand::Unpause => {
            node.pauses.end();
            Frame::OK
        }
        ClientCommand::Unblock(id, reason) => {
            let unblocked = node.clients.get(id).is_some_and(|client| client.unblock(reason));
            Frame::Integer(i64::from(unblocked))
        }
    })
}

/// CLIENT SETNAME and HELLO's SETNAME.
///
/// # Errors
/// The name has characters that would break CLIENT LIST's lines.
pub fn set_name(client: &Client, name: &Bytes) -> Result<(), ReplyError> {
    if !name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Err(ReplyError::InvalidClientName);
    }
    client.show(|shown| shown.name = Bytes::copy_from_slice(name));
    Ok(())
}

fn set_attribute(client: &Client, attribute: ClientAttribute, value: &Bytes) {
    let value = Bytes::copy_from_slice(value);
    client.show(|shown| match attribute {
        ClientAttribute::LibraryName => shown.library_name = value,
        ClientAttribute::LibraryVersion => shown.library_version = value,
    });
}

fn list(node: &Node, filter: &ClientFilter) -> Bytes {
    let mut text = String::new();
    if filter.kind.is_none_or(|kind| kind == ClientKind::Normal) {
        for client in node.clients.all() {
            if filter.ids.is_empty() || filter.ids.contains(&client.id) {
                text.push_str(&client.line());
                text.push('\n');
            }
        }
    }
    Bytes::from(text)
}
