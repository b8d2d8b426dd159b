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
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::clients::Registered;
use crate::dispatch::{Dispatched, Next, dispatch};
use crate::execute::alone::{Done, perform};
use crate::net::linger::linger;
use crate::net::run::{Finished, Run, Slot, Source, Work};
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
    stream: TcpStream,
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
    /// The decoder has used up the input.
    starved: bool,
    ending: Ending,
    /// The client sends nothing more.
    left: bool,
    last_active: Instant,
}

impl Connection {
    /// A connection just accepted.
    pub fn new(node: Arc<Node>, client: Registered, stream: TcpStream) -> Self {
        let authenticated = node.tunables.password().is_none();
        let needed = if authenticated { Authentication::Done } else { Authentication::Required };
        let mut decoder = RequestDecoder::new(needed);
        decoder.set_bulk_bytes_max(node.tunables.bulk_bytes_max());
        Self {
            node,
            client,
            stream,
            session: Session::new(authenticated),
            decoder,
            input: BytesMut::new(),
            output: BytesMut::new(),
            run: Run::default(),
            held: None,
            gate: None,
            under_way: FuturesOrdered::new(),
            kind: Kind::Nothing,
            requests_under_way: 0,
            starved: true,
            ending: Ending::No,
            left: false,
            last_active: Instant::now(),
        }
    }

    /// Serves the client until either side ends the connection.
    pub async fn serve(mut self) {
        loop {
            self.advance();
            if self.flush().is_err() || self.is_over() {
                break;
            }
            if !self.may_advance() && !self.step().await {
                break;
            }
        }
        if self.ending == Ending::Linger {
            linger(self.stream).await;
        }
    }

    /// Waits for something to happen and takes it in. False ends the connection at once.
    async fn step(&mut self) -> bool {
        let wanted = self.interest();
        let idle_until = self.idle_deadline();
        let Self { stream, under_way, gate, client, node, .. } = self;
        tokio::select! {
            biased;
            () = client.killed() => return false,
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
            () = node.stopping.cancelled(), if self.ending == Ending::No => self.ending = Ending::Drain,
            () = sleep_until(idle_until.unwrap_or_else(Instant::now)), if idle_until.is_some() => {
                return self.last_active.elapsed() < self.idle_max();
            }
        }
        true
    }

    fn interest(&self) -> Option<Interest> {
        let read =
            (self.ending == Ending::No && !self.left && self.wants_input()).then_some(Interest::READABLE);
        let write = (!self.output.is_empty()).then_some(Interest::WRITABLE);
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
        (self.ending != Ending::No || (self.left && self.starved)) && idle && self.output.is_empty()
    }

    /// Reads what the socket has. False if the connection is of no use any more.
    fn fill(&mut self) -> bool {
        loop {
            self.input.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.input) {
                Ok(0) => return self.client_left(),
                Ok(read) => {
                    self.node.stats.input_bytes.add(read as u64);
                    if self.input.len() >= CONNECTION_INPUT_BYTES_MAX {
                        break;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.starved = false;
        true
    }

    /// The client sends nothing more. What it asked before is answered, but nothing waits for data.
    fn client_left(&mut self) -> bool {
        self.left = true;
        self.client.set_gone();
        !self.client.is_blocked()
    }

    /// Decodes, dispatches and starts as much as may start.
    fn advance(&mut self) {
        while self.gate.is_none() {
            self.collect();
            if self.run.is_empty() {
                return;
            }
            self.start_run_if_there_is_room();
            if !self.under_way.is_empty() {
                return;
            }
        }
    }

    /// Puts requests into the run until one must wait or none is left.
    fn collect(&mut self) {
        while let Some(next) = self.next_request() {
            if let Some(pause) = self.node.pauses.holds(next.is_write()) {
                self.gate = Some(pause);
                self.held = Some(next);
                return;
            }
            if let Some(held) = self.take(next) {
                self.held = Some(held);
                return;
            }
            if self.session.quit {
                self.ending = Ending::Drain;
            }
        }
    }

    /// Whether advancing was stopped by nothing but replies that the client has taken since.
    fn may_advance(&self) -> bool {
        let more = self.held.is_some() || (!self.starved && self.ending == Ending::No);
        let room = self.output.len() < CONNECTION_OUTPUT_BYTES_MAX;
        more && room && self.gate.is_none() && self.under_way.is_empty()
    }

    fn next_request(&mut self) -> Option<Dispatched> {
        if self.held.is_some() {
            return self.held.take();
        }
        let full = self.requests_under_way + self.run.slots.len() >= CONNECTION_REQUESTS_IN_FLIGHT_MAX
            || self.output.len() >= CONNECTION_OUTPUT_BYTES_MAX;
        if self.ending != Ending::No || self.kind == Kind::Alone || full {
            return None;
        }
        match self.decoder.decode(&mut self.input) {
            Ok(Some(request)) => {
                self.last_active = Instant::now();
                let dispatched = dispatch(&self.node, &mut self.session, &self.client, request);
                if self.session.authenticated {
                    self.decoder.set_authentication(Authentication::Done);
                }
                Some(dispatched)
            }
            Ok(None) => {
                self.starved = true;
                self.shrink();
                None
            }
            Err(error) => {
                self.ending = Ending::Linger;
                self.input.clear();
                let reply = error.reply()?;
                Some(Dispatched::frame(self.session.protocol, rivermark_protocol::Frame::Error(reply)))
            }
        }
    }

    /// Puts a request into the run or starts it; gives it back if it must wait.
    fn take(&mut self, dispatched: Dispatched) -> Option<Dispatched> {
        let Dispatched { protocol, muted, spec, shape, next } = dispatched;
        let slot = |source| Slot { protocol, muted, spec, shape, source };
        match next {
            Next::Reply(frame) => self.run.slots.push(slot(Source::Frame(frame))),
            Next::Propose(routed) => {
                if !self.admits(Kind::Propose) {
                    return Some(Dispatched { protocol, muted, spec, shape, next: Next::Propose(routed) });
                }
                let source = self.run.propose(routed);
                self.run.slots.push(slot(source));
            }
            Next::Query(routed) => {
                if !self.admits(Kind::Query) {
                    return Some(Dispatched { protocol, muted, spec, shape, next: Next::Query(routed) });
                }
                let source = self.run.query(routed);
                self.run.slots.push(slot(source));
            }
            Next::Alone(task) => {
                if !self.run.is_empty() || !self.under_way.is_empty() {
                    return Some(Dispatched { protocol, muted, spec, shape, next: Next::Alone(task) });
                }
                let done = perform(Arc::clone(&self.node), Arc::clone(&self.client), task);
                let started = Instant::now();
                self.kind = Kind::Alone;
                self.requests_under_way += 1;
                self.under_way.push_back(Box::pin(async move {
                    let answer = done.await;
                    Answered::Alone(Box::new(Done { protocol, muted, spec, shape, started, answer }))
                }));
            }
        }
        None
    }

    /// Whether shard work of this kind may join the run.
    fn admits(&self, kind: Kind) -> bool {
        let own = match self.run.work {
            Work::None => Kind::Nothing,
            Work::Propose(_) => Kind::Propose,
            Work::Query(_) => Kind::Query,
        };
        let fits = |other: Kind| other == Kind::Nothing || other == kind;
        fits(own) && fits(self.kind)
    }

    fn start_run_if_there_is_room(&mut self) {
        if let Work::Propose(parts) = &self.run.work {
            let has_room = |shard| self.node.shards.room(shard).now_or_never().is_some();
            if !parts.iter().all(|(shard, _)| has_room(*shard)) {
                let shards: Vec<_> = parts.iter().map(|(shard, _)| *shard).collect();
                let node = Arc::clone(&self.node);
                self.gate = Some(Box::pin(async move {
                    for shard in shards {
                        node.shards.room(shard).await;
                    }
                }));
                return;
            }
        }
        self.start_run();
    }

    fn start_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        let kind = match run.work {
            Work::None if self.under_way.is_empty() => {
                self.write_local(run);
                return;
            }
            Work::None => self.kind,
            Work::Propose(_) => Kind::Propose,
            Work::Query(_) => Kind::Query,
        };
        self.kind = kind;
        self.requests_under_way += run.slots.len();
        let finished = run.start(&self.node);
        self.under_way.push_back(Box::pin(async move { Answered::Run(finished.await) }));
        if self.under_way.len() == 1
            && let Some(Some(answered)) = self.under_way.next().now_or_never()
        {
            self.finish(answered);
        }
    }

    /// Replies that need no shard and wait for none.
    fn write_local(&mut self, run: Run) {
        if let Some(finished) = run.start(&self.node).now_or_never() {
            finished.write(&self.node, &mut self.output);
        }
    }

    fn finish(&mut self, answered: Answered) {
        match answered {
            Answered::Run(finished) => {
                self.requests_under_way -= finished.requests();
                finished.write(&self.node, &mut self.output);
            }
            Answered::Alone(done) => {
                self.requests_under_way -= 1;
                done.write(&self.node, &mut self.session, &mut self.output);
            }
        }
        if self.under_way.is_empty() {
            self.kind = Kind::Nothing;
        }
    }

    /// Writes what the socket takes.
    fn flush(&mut self) -> std::io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(written) => {
                    self.node.stats.output_bytes.add(written as u64);
                    self.output.advance(written);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
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
