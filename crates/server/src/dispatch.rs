//! What becomes of a request: parse, authorise, route, then propose, read or reply.
//!
//! Nothing here waits. What needs a shard is returned as work for the connection's next run; what needs the
//! connection to itself is returned as a [`Task`].

use std::sync::Arc;

use rivermark_cluster::Topology;
use rivermark_cluster::settings::Redirects;
use rivermark_protocol::commands::parsed::{BlockingRead, BlockingReadGroup, KeyspaceCommand, NodeCommand};
use rivermark_protocol::commands::{AclCategories, CommandFlags, CommandSpec, resolve, table};
use rivermark_protocol::{Frame, Parsed, Protocol, ReplyError, Request};
use rivermark_router::{self as router, Transport};
use rivermark_stream::scatter::Scattered;
use rivermark_stream::{Command, Query};
use rivermark_types::{Slot, StreamKey};

use crate::access::{Context, Permit};
use crate::clients::Client;
use crate::execute::authorise::authorise;
use crate::execute::transaction::{self, Prepared};
use crate::execute::{connection, debug};
use crate::node::Node;
use crate::reply::{Shape, redirected};
use crate::scatter;
use crate::session::Session;
use crate::slow_log::Told;

/// What is known of a request while it is under way.
#[derive(Debug)]
pub struct Asked {
    /// What the reply is written in.
    pub protocol: Protocol,
    /// No reply is written.
    pub muted: bool,
    /// The command that is run, for statistics: none if the request was refused before, or queued by MULTI.
    pub spec: Option<&'static CommandSpec>,
    /// How an outcome is shown.
    pub shape: Shape,
    /// What the slow log would show of it.
    pub told: Option<Told>,
}

/// A request on its way to its reply.
#[derive(Debug)]
pub struct Dispatched {
    /// What is known of it.
    pub asked: Asked,
    /// What is left to do.
    pub next: Next,
}

/// What is left to do for a request.
#[derive(Debug)]
pub enum Next {
    /// Write this.
    Reply(Frame),
    /// Propose; may be under way together with other proposals.
    Propose(Scattered<Command>),
    /// Read; may be under way together with other reads.
    Query(Scattered<Query>),
    /// Runs when all before it is answered, and nothing runs beside it.
    Alone(Task),
}

/// What needs the connection to itself.
#[derive(Debug)]
pub enum Task {
    /// XREAD with BLOCK.
    Read(BlockingRead, Permit),
    /// XREADGROUP with BLOCK, or of several streams.
    ReadGroup(BlockingReadGroup, Permit),
    /// Every shard's keys.
    Keyspace(KeyspaceCommand),
    /// The node or the cluster.
    Node(NodeCommand),
    /// WATCH.
    Watch(Vec<StreamKey>),
    /// EXEC.
    Exec(Box<Prepared>),
}

impl Dispatched {
    /// Whether it changes keys.
    pub fn is_write(&self) -> bool {
        matches!(self.next, Next::Propose(_) | Next::Alone(Task::Exec(_) | Task::ReadGroup(..)))
    }

    /// A reply that is known already.
    pub fn frame(protocol: Protocol, frame: Frame) -> Self {
        let asked = Asked { protocol, muted: false, spec: None, shape: Shape::Plain, told: None };
        Self { asked, next: Next::Reply(frame) }
    }
}

/// Decides what becomes of a request. Changes the session where the request says so.
pub fn dispatch(
    node: &Arc<Node>,
    session: &mut Session,
    client: &Arc<Client>,
    request: Request,
) -> Dispatched {
    let muted = session.take_muted();
    let topology = node.topology();
    connection::follow_users(node, session, client, &topology);
    let resolved = resolve(&request);
    let spec = resolved.as_ref().ok().copied();
    client.show(|shown| {
        shown.command = spec.map_or("unknown", |spec| spec.name);
        shown.commands += 1;
        shown.watched = session.watches.len();
    });
    let admitted = resolved
        .and_then(|spec| admit(node, session, client, &topology, spec, &request))
        .and_then(|spec| debug::allow(node, client, spec).map(|()| spec));
    let (planned, asked) = match admitted {
        Err(error) => {
            count_rejected(node, spec, &error);
            (Err(transaction::refused(session, client, spec, error)), None)
        }
        Ok(spec) if transaction::queues(session, spec) => (transaction::queue(session, spec, request), None),
        Ok(spec) => {
            show_to_monitors(node, session, client, spec, &request);
            let planned = plan(node, session, client, &topology, spec, &request);
            (planned, Some((spec, request)))
        }
    };
    let (shape, next) = planned.unwrap_or_else(|error| (Shape::Plain, Next::Reply(Frame::Error(error))));
    let muted = connection::is_muted(muted, session, spec);
    let spec = asked.as_ref().map(|(spec, _)| *spec);
    let told = asked.filter(|_| node.tunables.logs_slow_commands());
    let told = told.map(|(spec, request)| Told::keep(spec, request));
    Dispatched { asked: Asked { protocol: session.protocol, muted, spec, shape, told }, next }
}

/// Counts a request that may not be run, nor queued.
fn count_rejected(node: &Node, spec: Option<&'static CommandSpec>, error: &ReplyError) {
    let named = match error {
        ReplyError::WrongArity(name) => table::find_full(name),
        _ => spec,
    };
    if let Some(spec) = named {
        node.stats.reject(spec);
    }
}

/// What a transaction queued is shown when it runs, before its EXEC.
fn show_to_monitors(
    node: &Node,
    session: &Session,
    client: &Client,
    spec: &'static CommandSpec,
    request: &Request,
) {
    if !node.monitors.any() {
        return;
    }
    let queued = session.transaction.as_ref().filter(|_| spec.name == "exec");
    let queued = queued.map(|queue| &queue.commands[..]).unwrap_or_default().iter();
    for (spec, request) in queued.map(|(spec, request)| (*spec, request)).chain([(spec, request)]) {
        // As in the reference: what operators do is nobody else's business.
        if !spec.flags.contains(CommandFlags::ADMIN) {
            let shown = node.monitors.show(spec, request, client.peer(), session.database.get());
            node.stats.monitors_cut_off.add(shown.cut_off);
        }
    }
}

/// Whether the session may run the command now: who is not logged in, what its user may not do, and what a starting
/// node cannot answer yet. Before it knows the cluster's users it serves no operator either.
fn admit(
    node: &Node,
    session: &Session,
    client: &Client,
    topology: &Topology,
    spec: &'static CommandSpec,
    request: &Request,
) -> Result<&'static CommandSpec, ReplyError> {
    if !session.is_let_in() && !spec.flags.contains(CommandFlags::NO_AUTH) {
        return Err(ReplyError::AuthenticationRequired);
    }
    let context = if session.transaction.is_some() { Context::Multi } else { Context::TopLevel };
    authorise(node, client, &session.account, spec, request, context)?;
    if !spec.flags.contains(CommandFlags::LOADING) || spec.categories.contains(AclCategories::ADMIN) {
        scatter::check_bootstrapped(topology)?;
    }
    Ok(spec)
}

fn plan(
    node: &Arc<Node>,
    session: &mut Session,
    client: &Arc<Client>,
    topology: &Topology,
    spec: &'static CommandSpec,
    request: &Request,
) -> Result<(Shape, Next), ReplyError> {
    let parsed = spec.parse(request, session.database)?;
    redirect(node, topology, client.transport, spec, request)?;
    let permit = || Permit::new(&session.account, spec, request);
    let next = match parsed {
        Parsed::Reply(frame) => Next::Reply(frame),
        Parsed::Command(command) => Next::Propose(scatter::command(topology, command)?),
        Parsed::Query(query) => Next::Query(scatter::query(topology, query)?),
        Parsed::Read(read) if read.block.is_none() => {
            Next::Query(scatter::query(topology, Query::XRead(read.read))?)
        }
        Parsed::Read(read) => Next::Alone(Task::Read(read, permit())),
        Parsed::ReadGroup(read) if read.block.is_none() && read.read.streams.len() == 1 => {
            Next::Propose(scatter::command(topology, Command::XReadGroup(read.read))?)
        }
        Parsed::ReadGroup(read) => Next::Alone(Task::ReadGroup(read, permit())),
        Parsed::Keyspace(KeyspaceCommand::Encoding(key)) => {
            return Ok((Shape::Encoding, Next::Query(scatter::query(topology, Query::KeyType(key))?)));
        }
        Parsed::Keyspace(command) => Next::Alone(Task::Keyspace(command)),
        Parsed::Node(command) => Next::Alone(Task::Node(command)),
        Parsed::Connection(command) => connection::execute(node, session, client, command)?,
    };
    Ok((Shape::Plain, next))
}

/// With `cluster-redirects`, sends clients to the leader instead of asking it for them.
fn redirect(
    node: &Node,
    topology: &Topology,
    transport: Transport,
    spec: &CommandSpec,
    request: &Request,
) -> Result<(), ReplyError> {
    if topology.settings().redirects() == Redirects::Forward {
        return Ok(());
    }
    let slots = spec.keys_of(request)?.filter_map(|index| request.get(index)).map(Slot::of);
    router::redirect::redirect(topology, &node.observation(), transport, slots)
        .map_or(Ok(()), |redirect| Err(redirected(redirect)))
}
