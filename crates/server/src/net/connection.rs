//! One client connection: bytes to requests, requests to runs, outcomes to replies in order.
//!
//! Invariants:
//! - Replies leave in request order, one a request.
//! - Runs of one kind (writes, or reads) may be under way together. A run of the other kind, and every
//!   request that needs the connection to itself (blocking reads, EXEC, …), starts when all before it are
//!   answered: a client reads its own writes, and a read does not see a write sent after it.
//! - Bounded: requests under way, replies not yet taken by the client, and input waiting behind them. Beyond
//!   that the socket is not read, and TCP holds the client back.
//!
//! An idle connection holds no buffer.

mod advance;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use rivermark_protocol::{Authentication, RequestDecoder};
use rivermark_types::limits::{
    CONNECTION_INPUT_BYTES_MAX, CONNECTION_OUTPUT_BYTES_MAX, CONNECTION_REQUESTS_IN_FLIGHT_MAX,
};
use tokio::io::Interest;
use tokio::time::{Instant, sleep_until};

use crate::clients::{Fill, Registered};
use crate::dispatch::Dispatched;
use crate::execute::alone::Done;
use crate::execute::connection;
use crate::monitors::Watching;
use crate::net::linger::linger;
use crate::net::read_pace::ReadPace;
use crate::net::run::{Finished, Run};
use crate::net::stream::ClientStream;
use crate::node::Node;
use crate::session::Session;

const READ_BYTES: usize = 16 * 1024;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Propose,
    Query,
    Alone,
}

enum Answered {
    Run(Finished),
    Alone(Box<Done>),
}

/// Why the connection takes no more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It goes on.
    No,
    /// What is under way is answered, then it ends.
    Drain,
    /// The same, and the client is given time to read the last reply although more of its bytes arrived.
    Linger,
}

/// A client connection and everything it holds.
pub struct Connection {
    node: Arc<Node>,
    client: Registered,
    stream: ClientStream,
    session: Session,
    decoder: RequestDecoder,
    input: BytesMut,
    output: BytesMut,
    /// Collected and not started.
    run: Run,
    /// Dispatched and held back by what is under way.
    held: Option<Dispatched>,
    /// What must pass before anything more is started: room at a shard, or the end of a CLIENT PAUSE.
    gate: Option<BoxFuture<'static, ()>>,
    under_way: FuturesOrdered<BoxFuture<'static, Answered>>,
    kind: Kind,
    requests_under_way: usize,
    read_pace: ReadPace,
    /// The decoder has used up the input.
    starved: bool,
    ending: Ending,
    /// The client sends nothing more.
    left: bool,
    last_active: Instant,
}

impl Connection {
    /// A connection just accepted, and what was read of it already.
    pub fn new(node: Arc<Node>, client: Registered, stream: ClientStream, input: BytesMut) -> Self {
        let session = connection::new_session(&node);
        let needed = if session.is_let_in() { Authentication::Done } else { Authentication::Required };
        let mut decoder = RequestDecoder::new(needed);
        decoder.set_bulk_bytes_max(node.tunables.bulk_bytes_max());
        Self {
            node,
            client,
            stream,
            session,
            decoder,
            starved: input.is_empty(),
            input,
            output: BytesMut::new(),
            run: Run::default(),
            held: None,
            gate: None,
            under_way: FuturesOrdered::new(),
            kind: Kind::Nothing,
            requests_under_way: 0,
            read_pace: ReadPace::default(),
            ending: Ending::No,
            left: false,
            last_active: Instant::now(),
        }
    }

    /// Serves the client until either side ends the connection.
    pub async fn serve(mut self) {
        loop {
            self.advance();
            // Before the replies are: whoever has seen one finds its effect in CLIENT LIST.
            self.publish_session();
            if self.flush().is_err() || self.is_over() {
                break;
            }
            if !self.may_advance() {
                self.publish_levels();
                if !self.step().await {
                    break;
                }
            }
        }
        let socket = self.stream.finish();
        if self.ending == Ending::Linger {
            linger(socket).await;
        }
    }

    /// Waits for something to happen and takes it in. False ends the connection at once.
    async fn step(&mut self) -> bool {
        let wanted = self.interest();
        let idle_until = self.idle_deadline();
        let takes_lines = self.takes_monitor_lines();
        let Self { stream, under_way, gate, client, node, session, .. } = self;
        tokio::select! {
            biased;
            () = client.killed(), if self.ending == Ending::No || !client.is_retired() => {
                if !client.is_retired() {
                    return false;
                }
                self.ending = Ending::Drain;
            }
            Some(answered) = under_way.next() => {
                self.finish(answered);
                while let Some(Some(answered)) = self.under_way.next().now_or_never() {
                    self.finish(answered);
                }
            }
            () = async { gate.as_mut().expect("polled only when there is one").await }, if gate.is_some() => {
                self.gate = None;
            }
            ready = stream.ready(wanted.unwrap_or(Interest::READABLE)), if wanted.is_some() => {
                return ready.is_ok_and(|ready| !ready.is_readable() || self.fill());
            }
            () = monitored(session), if takes_lines => {
                let lines = self.session.monitor.as_ref().map(Watching::take).unwrap_or_default();
                self.output.extend_from_slice(&lines);
            }
            () = node.stopping.cancelled(), if self.ending == Ending::No => self.ending = Ending::Drain,
            () = sleep_until(idle_until.unwrap_or_else(Instant::now)), if idle_until.is_some() => {
                return self.last_active.elapsed() < self.idle_max();
            }
        }
        true
    }

    /// Lets CLIENT LIST see what the buffers hold.
    fn publish_levels(&self) {
        let interest = self.interest();
        let waits_to = |what: fn(Interest) -> bool| interest.is_some_and(what);
        let levels = &self.client.levels;
        levels.set_interest(waits_to(Interest::is_readable), waits_to(Interest::is_writable));
        levels.set_buffers(Fill::of(&self.input), Fill::of(&self.output));
    }

    /// Lets CLIENT LIST see what the session is about.
    fn publish_session(&self) {
        let queue = self.session.transaction.as_ref();
        self.client.show(|shown| {
            shown.queued = queue.map_or(-1, |queue| queue.commands.len() as i64);
            shown.queued_bytes = queue.map_or(0, |queue| queue.bytes);
            shown.watched = self.session.watches.len();
            shown.monitors = self.session.monitor.is_some();
        });
    }

    /// Lines of MONITOR come between replies, and not before all replies to what was asked.
    fn takes_monitor_lines(&self) -> bool {
        let idle = self.under_way.is_empty() && self.run.is_empty() && self.held.is_none();
        self.session.monitor.is_some()
            && self.ending == Ending::No
            && idle
            && self.output.len() < CONNECTION_OUTPUT_BYTES_MAX
    }

    /// Bytes came or went: the connection is not idle.
    fn active(&mut self) {
        self.last_active = Instant::now();
        self.client.touch(self.last_active);
    }

    fn interest(&self) -> Option<Interest> {
        let read =
            (self.ending == Ending::No && !self.left && self.wants_input()).then_some(Interest::READABLE);
        let write = (!self.output.is_empty() || self.stream.holds_output()).then_some(Interest::WRITABLE);
        match (read, write) {
            (Some(read), Some(write)) => Some(read | write),
            (read, write) => read.or(write),
        }
    }

    /// A blocked connection is read ahead, to notice at once when the client goes away.
    fn wants_input(&self) -> bool {
        let room = self.output.len() < CONNECTION_OUTPUT_BYTES_MAX
            && self.requests_under_way < CONNECTION_REQUESTS_IN_FLIGHT_MAX;
        (self.starved && room) || self.input.len() < CONNECTION_INPUT_BYTES_MAX
    }

    fn idle_max(&self) -> Duration {
        Duration::from_secs(self.node.tunables.timeout_s())
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let max = self.idle_max();
        (!max.is_zero() && self.under_way.is_empty()).then(|| self.last_active + max)
    }

    fn is_over(&self) -> bool {
        let idle = self.under_way.is_empty() && self.run.is_empty() && self.held.is_none();
        let written = self.output.is_empty() && !self.stream.holds_output();
        (self.ending != Ending::No || (self.left && self.starved)) && idle && written
    }

    /// Reads what the socket has. False if the connection is of no use any more.
    fn fill(&mut self) -> bool {
        loop {
            self.input.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return self.client_left(),
                Ok(read) => {
                    self.node.stats.input_bytes.add(read as u64);
                    self.node.stats.reads.increase();
                    self.client.levels.add_input(read as u64);
                    if self.input.len() >= CONNECTION_INPUT_BYTES_MAX {
                        break;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.active();
        self.starved = false;
        true
    }

    /// The client sends nothing more. What it asked before is answered, but nothing waits for data.
    fn client_left(&mut self) -> bool {
        self.left = true;
        self.client.set_gone();
        !self.client.is_blocked()
    }

    /// Writes what the socket takes.
    fn flush(&mut self) -> std::io::Result<()> {
        let before = self.output.len();
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(written) => {
                    self.node.stats.output_bytes.add(written as u64);
                    self.node.stats.writes.increase();
                    self.client.levels.add_output(written as u64);
                    self.output.advance(written);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.stream.try_flush()?;
        if self.output.len() < before {
            self.active();
        }
        self.shrink();
        Ok(())
    }

    /// Gives empty buffers back; requests under way keep what they need of them alive.
    fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > 0 {
                *buffer = BytesMut::new();
            }
        }
    }
}

/// Resolves when there are lines of MONITOR.
async fn monitored(session: &Session) {
    match &session.monitor {
        Some(watching) => watching.ready().await,
        None => std::future::pending().await,
    }
}
