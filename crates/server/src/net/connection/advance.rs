//! From input to runs, and from outcomes to output: what moves a connection on without waiting.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use rivermark_protocol::Authentication;
use rivermark_types::limits::{CONNECTION_OUTPUT_BYTES_MAX, CONNECTION_REQUESTS_IN_FLIGHT_MAX};
use tokio::time::Instant;

use super::{Answered, Connection, Ending, Kind};
use crate::dispatch::{Dispatched, Next, dispatch};
use crate::execute::alone::{Done, perform};
use crate::net::run::{Run, Slot, Source, Work};

impl Connection {
    /// Decodes, dispatches and starts as much as may start.
    pub(super) fn advance(&mut self) {
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
    pub(super) fn may_advance(&self) -> bool {
        let more = self.held.is_some() || (!self.starved && self.ending == Ending::No);
        let room = self.output.len() < CONNECTION_OUTPUT_BYTES_MAX;
        more && room && self.gate.is_none() && self.under_way.is_empty()
    }

    fn next_request(&mut self) -> Option<Dispatched> {
        if self.held.is_some() {
            return self.held.take();
        }
        let full = self.requests_under_way + self.run.slots.len() >= self.requests_at_once()
            || self.output.len() >= CONNECTION_OUTPUT_BYTES_MAX;
        if self.ending != Ending::No || self.kind == Kind::Alone || full {
            return None;
        }
        match self.decoder.decode(&mut self.input) {
            Ok(Some(request)) => {
                let dispatched = dispatch(&self.node, &mut self.session, &self.client, request);
                if self.session.is_let_in() {
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

    /// How many requests may be under way. Reads are paced, since their answers are held until written.
    fn requests_at_once(&self) -> usize {
        let reads = self.kind == Kind::Query || matches!(self.run.work, Work::Query(_));
        if reads { self.read_pace.requests_at_once() } else { CONNECTION_REQUESTS_IN_FLIGHT_MAX }
    }

    /// Puts a request into the run or starts it; gives it back if it must wait.
    fn take(&mut self, dispatched: Dispatched) -> Option<Dispatched> {
        let Dispatched { asked, next } = dispatched;
        match next {
            Next::Reply(frame) => self.run.slots.push(Slot { asked, source: Source::Frame(frame) }),
            Next::Propose(routed) => {
                if !self.admits(Kind::Propose) {
                    return Some(Dispatched { asked, next: Next::Propose(routed) });
                }
                let source = self.run.propose(routed);
                self.run.slots.push(Slot { asked, source });
            }
            Next::Query(routed) => {
                if !self.admits(Kind::Query) {
                    return Some(Dispatched { asked, next: Next::Query(routed) });
                }
                let source = self.run.query(routed);
                self.run.slots.push(Slot { asked, source });
            }
            Next::Alone(task) => {
                if !self.run.is_empty() || !self.under_way.is_empty() {
                    return Some(Dispatched { asked, next: Next::Alone(task) });
                }
                let done = perform(Arc::clone(&self.node), Arc::clone(&self.client), task);
                let started = Instant::now();
                self.kind = Kind::Alone;
                self.requests_under_way += 1;
                self.under_way.push_back(Box::pin(async move {
                    let answer = done.await;
                    Answered::Alone(Box::new(Done { asked, started, answer }))
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
            finished.write(&self.node, &self.client, &mut self.output);
        }
    }

    pub(super) fn finish(&mut self, answered: Answered) {
        match answered {
            Answered::Run(finished) => {
                let (requests, before) = (finished.requests(), self.output.len());
                self.requests_under_way -= requests;
                finished.write(&self.node, &self.client, &mut self.output);
                if self.kind == Kind::Query {
                    self.read_pace.learn(requests, self.output.len() - before);
                }
            }
            Answered::Alone(done) => {
                self.requests_under_way -= 1;
                done.write(&self.node, &mut self.session, &self.client, &mut self.output);
            }
        }
        if self.under_way.is_empty() {
            self.kind = Kind::Nothing;
        }
    }
}
