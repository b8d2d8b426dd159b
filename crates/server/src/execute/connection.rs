//! Commands about the connection itself. They take effect when dispatched, before anything sent after them.

use std::sync::Arc;

use bytes::Bytes;
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::commands::parsed::{ClientCommand, ConnectionCommand, Credentials, Hello, ReplyMode};
use rivermark_protocol::{Frame, Protocol, ReplyError};

use crate::clients::Client;
use crate::dispatch::{Next, Task};
use crate::execute::{client as client_command, transaction};
use crate::node::{Node, REDIS_VERSION};
use crate::session::{Queue, Replies, Session};

/// Runs one of these commands.
///
/// # Errors
/// What the client is told.
pub fn execute(
    node: &Arc<Node>,
    session: &mut Session,
    client: &Arc<Client>,
    command: ConnectionCommand,
) -> Result<Next, ReplyError> {
    let frame = match command {
        ConnectionCommand::Multi => {
            if session.transaction.is_some() {
                return Err(ReplyError::MultiNested);
            }
            session.transaction = Some(Queue::default());
            client.show(|shown| shown.queued = 0);
            Frame::OK
        }
        ConnectionCommand::Discard => {
            session.transaction.take().ok_or(ReplyError::DiscardWithoutMulti)?;
            session.watches.clear();
            client.show(|shown| shown.queued = -1);
            Frame::OK
        }
        ConnectionCommand::Exec => {
            client.show(|shown| shown.queued = -1);
            let prepared = transaction::prepare(node, session, client)?;
            return Ok(Next::Alone(Task::Exec(Box::new(prepared))));
        }
        ConnectionCommand::Watch(_) if session.transaction.is_some() => {
            return Err(ReplyError::WatchInsideMulti);
        }
        ConnectionCommand::Watch(keys) => return Ok(Next::Alone(Task::Watch(keys))),
        other => immediate(node, session, client, other)?,
    };
    Ok(Next::Reply(frame))
}

/// The commands of this kind that may also be queued: all but those that make and end transactions.
///
/// # Errors
/// What the client is told.
pub fn immediate(
    node: &Node,
    session: &mut Session,
    client: &Client,
    command: ConnectionCommand,
) -> Result<Frame, ReplyError> {
    let frame = match command {
        ConnectionCommand::Hello(hello) => self::hello(node, session, client, hello)?,
        ConnectionCommand::Auth(credentials) => {
            authenticate(node, session, &credentials)?;
            Frame::OK
        }
        ConnectionCommand::Select(database) => {
            session.database = database;
            client.show(|shown| shown.database = database.get());
            Frame::OK
        }
        ConnectionCommand::Quit => {
            session.quit = true;
            Frame::OK
        }
        ConnectionCommand::Reset => {
            session.reset(node.tunables.password().is_none());
            client.show(|shown| {
                shown.database = 0;
                shown.queued = -1;
                shown.protocol = Protocol::Resp2;
                shown.name = Bytes::new();
            });
            Frame::Simple("RESET".into())
        }
        ConnectionCommand::Client(ClientCommand::Reply(mode)) => {
            session.replies = match mode {
                ReplyMode::On => Replies::On,
                ReplyMode::Off => Replies::Off,
                ReplyMode::Skip => Replies::SkipNext,
            };
            Frame::OK
        }
        ConnectionCommand::Client(command) => client_command::execute(node, client, command)?,
        ConnectionCommand::Unwatch => {
            session.watches.clear();
            Frame::OK
        }
        // Any node answers for any key: there is nothing to switch.
        ConnectionCommand::ReadOnly | ConnectionCommand::ReadWrite | ConnectionCommand::Asking => Frame::OK,
        ConnectionCommand::Multi => return Err(ReplyError::MultiNested),
        ConnectionCommand::Watch(_) => return Err(ReplyError::WatchInsideMulti),
        ConnectionCommand::Exec | ConnectionCommand::Discard => return Err(ReplyError::NotAllowedInMulti),
    };
    Ok(frame)
}

/// CLIENT REPLY answers only when it turns replies on, whatever was set before.
pub fn is_muted(muted_before: bool, session: &Session, spec: Option<&CommandSpec>) -> bool {
    match spec {
        Some(spec) if spec.name == "client|reply" => session.replies != Replies::On,
        _ => muted_before,
    }
}

fn authenticate(node: &Node, session: &mut Session, credentials: &Credentials) -> Result<(), ReplyError> {
    let Some(password) = node.tunables.password() else {
        return match &credentials.user {
            // The user `default` without a password accepts any.
            Some(user) if user[..] == *b"default" => Ok(()),
            Some(_) => Err(ReplyError::WrongPassword),
            None => Err(ReplyError::NoPasswordSet),
        };
    };
    let known_user = credentials.user.as_ref().is_none_or(|user| user[..] == *b"default");
    if !equal_in_constant_time(password.as_bytes(), &credentials.password) || !known_user {
        return Err(ReplyError::WrongPassword);
    }
    session.authenticated = true;
    Ok(())
}

/// Takes as long for a password that is almost right as for one that is all wrong. Only the length of the
/// given one shows.
fn equal_in_constant_time(known: &[u8], given: &[u8]) -> bool {
    let mut difference = known.len() ^ given.len();
    for (index, byte) in given.iter().enumerate() {
        let expected = known.get(index % known.len().max(1)).copied().unwrap_or(0);
        difference |= usize::from(std::hint::black_box(byte ^ expected));
    }
    std::hint::black_box(difference) == 0
}

fn hello(node: &Node, session: &mut Session, client: &Client, hello: Hello) -> Result<Frame, ReplyError> {
    if let Some(credentials) = &hello.credentials {
        authenticate(node, session, credentials)?;
    }
    if !session.authenticated {
        return Err(ReplyError::HelloUnauthenticated);
    }
    if let Some(name) = hello.name {
        client_command::set_name(client, &name)?;
    }
    if let Some(protocol) = hello.protocol {
        session.protocol = protocol;
        client.show(|shown| shown.protocol = protocol);
    }
    let proto = match session.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    Ok(Frame::fields([
        ("server", Frame::literal("redis")),
        ("version", Frame::literal(REDIS_VERSION)),
        ("proto", Frame::Integer(proto)),
        ("id", Frame::Integer(client.id.get().cast_signed())),
        ("mode", Frame::literal("cluster")),
        ("role", Frame::literal("master")),
        ("modules", Frame::Array(Vec::new())),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_compared_whole() {
        for (known, given, equal) in [
            ("secret", "secret", true),
            ("secret", "secre", false),
            ("secret", "secretsecret", false),
            ("secret", "Secret", false),
            ("secret", "", false),
        ] {
            assert_eq!(equal_in_constant_time(known.as_bytes(), given.as_bytes()), equal, "{given:?}");
        }
    }
}
