//! Commands about the connection itself. They take effect when dispatched, before anything sent after them.

use std::sync::Arc;

use bytes::Bytes;
use rivermark_cluster::{DEFAULT_USER, Topology};
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::commands::parsed::{ClientCommand, ConnectionCommand, Credentials, Hello, ReplyMode};
use rivermark_protocol::{Frame, Protocol, ReplyError};

use crate::access::{Account, Context};
use crate::clients::Client;
use crate::dispatch::{Next, Task};
use crate::execute::authorise::note_failed_login;
use crate::execute::{client as client_command, transaction};
use crate::node::{Node, REDIS_VERSION};
use crate::scatter::check_bootstrapped;
use crate::session::{Queue, Replies, Session, UsersKnown};

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
            Frame::OK
        }
        ConnectionCommand::Discard => {
            session.transaction.take().ok_or(ReplyError::DiscardWithoutMulti)?;
            session.watches.clear();
            Frame::OK
        }
        ConnectionCommand::Exec => {
            let prepared = transaction::prepare(node, session, client)?;
            return Ok(Next::Alone(Task::Exec(Box::new(prepared))));
        }
        ConnectionCommand::Watch(_) if session.transaction.is_some() => {
            return Err(ReplyError::WatchInsideMulti);
        }
        ConnectionCommand::Monitor => {
            // Asked twice, it goes on as it is.
            session.monitor.get_or_insert_with(|| node.monitors.watch(client));
            Frame::OK
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
            authenticate(node, session, client, &credentials)?;
            Frame::OK
        }
        ConnectionCommand::WhoAmI => Frame::Bulk(session.account.name().clone()),
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
            let topology = node.topology();
            session.reset(&node.access.accounts(&topology), users_known(&topology));
            let account = Arc::clone(&session.account);
            client.show(|shown| {
                shown.account = account;
                shown.database = 0;
                (shown.no_evict, shown.no_touch) = (false, false);
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
        ConnectionCommand::Monitor => return Err(ReplyError::MonitorInTransaction),
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

/// A new connection's state.
pub fn new_session(node: &Node) -> Session {
    let topology = node.topology();
    Session::new(&node.access.accounts(&topology), users_known(&topology))
}

fn users_known(topology: &Topology) -> UsersKnown {
    if topology.cluster_id().is_some() { UsersKnown::Yes } else { UsersKnown::No }
}

/// Brings the session's user up to date with the topology, before anything is judged by it.
pub fn follow_users(node: &Node, session: &mut Session, client: &Client, topology: &Topology) {
    if session.is_behind(topology.users().version()) {
        session.follow(&node.access.accounts(topology));
        show_account(client, &session.account);
    }
}

fn show_account(client: &Client, account: &Arc<Account>) {
    client.show(|shown| shown.account = Arc::clone(account));
}

/// Logs in. A node that has not joined its cluster does not know whom it may let in.
fn authenticate(
    node: &Node,
    session: &mut Session,
    client: &Client,
    credentials: &Credentials,
) -> Result<(), ReplyError> {
    let topology = node.topology();
    check_bootstrapped(&topology)?;
    let accounts = node.access.accounts(&topology);
    if credentials.user.is_none() && accounts.default_user().asks_no_password() {
        return Err(ReplyError::NoPasswordSet);
    }
    let name = credentials.user.clone().unwrap_or(Bytes::from_static(DEFAULT_USER));
    let Some(account) = accounts.get(&name).filter(|account| account.accepts(&credentials.password)) else {
        let context = if session.transaction.is_some() { Context::Multi } else { Context::TopLevel };
        note_failed_login(node, client, &name, &credentials.command, context);
        return Err(ReplyError::WrongPassword);
    };
    session.account = Arc::clone(account);
    session.authenticated = true;
    show_account(client, account);
    Ok(())
}

fn hello(node: &Node, session: &mut Session, client: &Client, hello: Hello) -> Result<Frame, ReplyError> {
    if let Some(credentials) = &hello.credentials {
        authenticate(node, session, client, credentials)?;
    }
    if !session.is_let_in() {
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
