//! What becomes of a request: parse, authorise, route, then propose, read or reply.
//!
//! Nothing here waits. What needs a shard is returned as work for the connection's next run; what needs the
//! connection to itself is returned as a [`Task`].

use std::sync::Arc;

use rivermark_cluster::Topology;
use rivermark_cluster::settings::Redirects;
use rivermark_protocol::commands::parsed::{BlockingRead, BlockingReadGroup, KeyspaceCommand, NodeCommand};
use rivermark_protocol::commands::{AclCategories, CommandFlags, CommandSpec, resolve};
use rivermark_protocol::{Frame, Parsed, Protocol, ReplyError, Request};
use rivermark_router::{self as router, Transport};
use rivermark_stream::scatter::Scattered;
use rivermark_stream::{Command, Query};
use rivermark_types::{Slot, StreamKey};
use tokio::time::Instant;

use crate::access::{Context, Permit};
use crate::clients::Client;
use crate::execute::authorise::authorise;
use crate::execute::connection;
use crate::execute::transaction::{self, Prepared};
use crate::node::Node;
use crate::reply::{Shape, redirected};
use crate::scatter;
use crate::session::Session;

/// A request on its way to its reply.
#[derive(Debug)]
pub struct Dispatched {
    /// What the reply is written in.
    pub protocol: Protocol,
    /// No reply is written.
    pub muted: bool,
    /// The command, if there is such a one.
    pub spec: Option<&'static CommandSpec>,
    /// How an outcome is shown.
    pub shape: Shape,
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
        Self { protocol, muted: false, spec: None, shape: Shape::Plain, next: Next::Reply(frame) }
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
        shown.active = Instant::now();
    });
    let planned = match resolved.and_then(|spec| admit(node, session, client, &topology, spec, &request)) {
        Err(error) => Err(transaction::refused(session, client, spec, error)),
        Ok(spec) if transaction::queues(session, spec) => transaction::queue(session, spec, request),
        Ok(spec) => plan(node, session, client, &topology, spec, &request),
    };
    let (shape, next) = planned.unwrap_or_else(|error| (Shape::Plain, Next::Reply(Frame::Error(error))));
    let muted = connection::is_muted(muted, session, spec);
    Dispatched { protocol: session.protocol, muted, spec, shape, next }
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
