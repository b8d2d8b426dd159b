//! MULTI, EXEC.
//!
//! Steps that touch keys become one [`Transaction`]: one command, one log entry, applied at once or, if a watched
//! key changed, not at all. Hence all keys of a transaction must be of one shard. Steps that need no shard
//! (PING, SELECT, CLIENT …) run when EXEC is dispatched, in order; what they answer takes its place among the
//! replies.

use std::sync::Arc;

use rivermark_cluster::Topology;
use rivermark_protocol::commands::parsed::{KeyspaceCommand, NodeCommand};
use rivermark_protocol::commands::{CommandFlags, CommandSpec};
use rivermark_protocol::{Frame, Parsed, Protocol, ReplyError, Request};
use rivermark_stream::command::{Step, Transaction};
use rivermark_stream::scatter::Scattered;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::limits::TRANSACTION_BYTES_MAX;
use rivermark_types::{ShardId, Slot};

use crate::clients::Client;
use crate::dispatch::Next;
use crate::execute::authorise::authorise_queued;
use crate::execute::{connection, node_command, shards};
use crate::node::Node;
use crate::reply::{Answer, AnsweredStep, Shape, reply_error};
use crate::scatter;
use crate::session::Session;

/// A transaction ready to run.
#[derive(Debug)]
pub struct Prepared {
    shard: Option<ShardId>,
    transaction: Transaction,
    replies: Vec<(&'static CommandSpec, Protocol, Shape, Source)>,
}

/// Where a queued command's reply comes from.
#[derive(Debug)]
enum Source {
    Known(Frame),
    NextStep,
    Node(NodeCommand),
}

/// Whether a command is queued rather than run.
pub fn queues(session: &Session, spec: &CommandSpec) -> bool {
    let runs_anyway = ["multi", "exec", "discard", "watch", "quit", "reset"];
    session.transaction.is_some() && !runs_anyway.contains(&spec.name)
}

/// Queues a command.
///
/// # Errors
/// The queue is full; the transaction is aborted.
pub fn queue(
    session: &mut Session,
    spec: &'static CommandSpec,
    request: Request,
) -> Result<(Shape, Next), ReplyError> {
    let queue = session.transaction.as_mut().expect("commands are queued between MULTI and EXEC");
    if spec.flags.contains(CommandFlags::NO_MULTI) {
        queue.poisoned = true;
        return Err(ReplyError::NotAllowedInMulti);
    }
    queue.bytes += request.iter().map(|argument| argument.len() + size_of::<Request>()).sum::<usize>();
    if queue.bytes > TRANSACTION_BYTES_MAX {
        queue.poisoned = true;
        queue.commands.clear();
        return Err(ReplyError::CommandTooLarge);
    }
    queue.commands.push((spec, request));
    Ok((Shape::Plain, Next::Reply(Frame::Simple("QUEUED".into()))))
}

/// What a command that was refused before it was planned does to a transaction: it cannot be executed any more. A
/// refused EXEC ends it.
pub fn refused(
    session: &mut Session,
    client: &Client,
    spec: Option<&CommandSpec>,
    error: ReplyError,
) -> ReplyError {
    let is_exec = match &error {
        ReplyError::CommandForbidden(..) => spec.is_some_and(|spec| spec.name == "exec"),
        ReplyError::WrongArity(name) => name[..] == *b"exec",
        _ => false,
    };
    if is_exec {
        session.transaction = None;
        session.watches.clear();
        client.show(|shown| shown.queued = -1);
        let reason = error.to_string();
        return ReplyError::ExecForbidden(reason.strip_prefix("ERR ").unwrap_or(&reason).to_owned().into());
    }
    if let Some(queue) = &mut session.transaction {
        queue.poisoned = true;
    }
    error
}

/// Ends the queueing: applies the grammar to every command, runs what needs no shard, routes the rest.
///
/// # Errors
/// EXEC without MULTI, an aborted transaction, or keys of several shards.
pub fn prepare(
    node: &Arc<Node>,
    session: &mut Session,
    client: &Arc<Client>,
) -> Result<Prepared, ReplyError> {
    let queue = session.transaction.take().ok_or(ReplyError::ExecWithoutMulti)?;
    let watches = std::mem::take(&mut session.watches);
    if queue.poisoned {
        return Err(ReplyError::ExecAborted);
    }
    let topology = node.topology();
    let mut builder = Builder { topology: &topology, shard: None, steps: Vec::new() };
    for (key, _) in &watches {
        builder.touch(key.slot())?;
    }
    let mut replies = Vec::with_capacity(queue.commands.len());
    for (spec, request) in queue.commands {
        // A login among the commands changes whose rights count for those after it.
        let allowed = authorise_queued(node, client, &session.account, spec, &request);
        let (shape, source) = match allowed.and_then(|()| spec.parse(&request, session.database)) {
            Err(error) => (Shape::Plain, Source::Known(Frame::Error(error))),
            Ok(Parsed::Connection(command)) => {
                let frame = connection::immediate(node, session, client, command);
                (Shape::Plain, Source::Known(frame.unwrap_or_else(Frame::Error)))
            }
            Ok(parsed) => builder.add(parsed)?,
        };
        replies.push((spec, session.protocol, shape, source));
    }
    let Builder { shard, steps, .. } = builder;
    Ok(Prepared { shard, transaction: Transaction { watches, steps }, replies })
}

struct Builder<'a> {
    topology: &'a Topology,
    shard: Option<ShardId>,
    steps: Vec<Step>,
}

impl Builder<'_> {
    fn touch(&mut self, slot: Slot) -> Result<(), ReplyError> {
        let shard = scatter::shard_of(self.topology, slot)?;
        self.pin(shard)
    }

    fn pin(&mut self, shard: ShardId) -> Result<(), ReplyError> {
        if *self.shard.get_or_insert(shard) == shard { Ok(()) } else { Err(ReplyError::CrossSlot) }
    }

    fn add(&mut self, parsed: Parsed) -> Result<(Shape, Source), ReplyError> {
        let mut shape = Shape::Plain;
        match parsed {
            Parsed::Reply(frame) => return Ok((shape, Source::Known(frame))),
            Parsed::Node(command) => return Ok((shape, Source::Node(command))),
            Parsed::Connection(_) => unreachable!("connection commands are run, not added"),
            Parsed::Command(command) => self.command(scatter::command(self.topology, command)?)?,
            // Nothing blocks inside a transaction.
            Parsed::ReadGroup(read) => {
                self.command(scatter::command(self.topology, Command::XReadGroup(read.read))?)?
            }
            Parsed::Query(query) => self.query(scatter::query(self.topology, query)?)?,
            Parsed::Read(read) => self.query(scatter::query(self.topology, Query::XRead(read.read))?)?,
            Parsed::Keyspace(KeyspaceCommand::Encoding(key)) => {
                shape = Shape::Encoding;
                self.query(scatter::query(self.topology, Query::KeyType(key))?)?;
            }
            Parsed::Keyspace(command) => self.keyspace(command)?,
        }
        Ok((shape, Source::NextStep))
    }

    fn command(&mut self, scattered: Scattered<Command>) -> Result<(), ReplyError> {
        let (shard, command) = single(scattered)?;
        self.pin(shard)?;
        self.steps.push(Step::Command(command));
        Ok(())
    }

    fn query(&mut self, scattered: Scattered<Query>) -> Result<(), ReplyError> {
        let (shard, query) = single(scattered)?;
        self.pin(shard)?;
        self.steps.push(Step::Query(query));
        Ok(())
    }

    /// What concerns all keys can be atomic only where one shard has them all.
    fn keyspace(&mut self, command: KeyspaceCommand) -> Result<(), ReplyError> {
        let mut shards = self.topology.stream_shards();
        let (Some(only), None) = (shards.next(), shards.next()) else { return Err(ReplyError::CrossSlot) };
        let step = match command {
            KeyspaceCommand::Size(database) => Step::Query(Query::KeyCount(Some(database))),
            KeyspaceCommand::Keys(keys) => Step::Query(Query::Keys(keys)),
            KeyspaceCommand::FlushDatabase(database) => Step::Command(Command::FlushDatabase(database)),
            KeyspaceCommand::FlushAll => Step::Command(Command::FlushAll),
            KeyspaceCommand::Scan(_) | KeyspaceCommand::Random(_) | KeyspaceCommand::Encoding(_) => {
                return Err(ReplyError::NotAllowedInMulti);
            }
        };
        self.pin(only.id)?;
        self.steps.push(step);
        Ok(())
    }
}

fn single<T>(scattered: Scattered<T>) -> Result<(ShardId, T), ReplyError> {
    let mut parts = scattered.parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(ReplyError::CrossSlot),
    }
}

/// Runs a transaction to its end.
pub async fn execute(node: &Arc<Node>, client: &Client, prepared: Prepared) -> Answer {
    let Prepared { shard, transaction, replies } = prepared;
    let mut outcomes = Vec::new().into_iter();
    if let Some(shard) = shard {
        match shards::propose_to(node, shard, Command::Transaction(transaction)).await {
            Ok(Outcome::Transaction(steps)) => outcomes = steps.into_iter(),
            Ok(Outcome::WatchFailed) => return Answer::Frame(Frame::NullArray),
            Ok(other) => return Answer::Outcome(other),
            Err(error) => return reply_error(error).into(),
        }
    }
    let mut answers = Vec::with_capacity(replies.len());
    for (spec, protocol, shape, source) in replies {
        let answer = match source {
            Source::Known(frame) => Answer::Frame(frame),
            Source::NextStep => {
                Answer::Outcome(outcomes.next().expect("a transaction answers each of its steps"))
            }
            Source::Node(command) => node_command::execute(node, client, command).await,
        };
        answers.push(AnsweredStep { spec, protocol, shape, answer });
    }
    Answer::Transaction(answers)
}
