//! What a link has under way: requests that wait for the connection, and who waits for which answer. No
//! sockets here; `link` connects, and [`Requests`] is what a connection sends.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use parking_lot::Mutex;
use rivermark_types::limits::LINK_MESSAGE_BYTES_TARGET;
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::peer as wire;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::endpoint::{Notice, ProposeAnswer, QueryAnswer, Refusal, WaitEvent};
use super::messages;

/// One peer's requests and answers, over one connection after the other.
#[derive(Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// Wakes the link's task: there is something to connect for, or to end for.
    wanted: Notify,
}

#[derive(Default)]
struct State {
    last_tag: u64,
    /// Not yet taken by the stream.
    outgoing: VecDeque<wire::Request>,
    pending: HashMap<u64, Pending>,
    /// Goes up with every connection; a stream of an earlier one takes nothing.
    connection: u64,
    /// The current connection's stream waits for requests.
    taker: Option<Waker>,
    /// No connection is tried before.
    down_until: Option<Instant>,
    closed: bool,
}

struct Pending {
    awaits: Awaits,
    taken: bool,
}

/// Who is told.
pub(super) enum Awaits {
    Propose { reply: oneshot::Sender<ProposeAnswer>, pieces: BytesMut },
    Query { reply: oneshot::Sender<QueryAnswer>, pieces: BytesMut },
    Wait { tag: u64, events: mpsc::UnboundedSender<Notice> },
    Leader { reply: oneshot::Sender<Option<NodeId>> },
}

impl Exchange {
    /// Queues a request, or refuses it if the peer was out of reach a moment ago. Answers its tag.
    pub(super) fn send(&self, shard: ShardId, verb: wire::request::Verb, awaits: Awaits) -> u64 {
        let mut state = self.state.lock();
        state.last_tag += 1;
        let tag = state.last_tag;
        if state.closed || state.down_until.is_some_and(|until| Instant::now() < until) {
            drop(state);
            awaits.fail(Refusal::Unreachable);
            return tag;
        }
        state.pending.insert(tag, Pending { awaits, taken: false });
        self.enqueue(&mut state, shard, tag, verb);
        tag
    }

    fn enqueue(&self, state: &mut State, shard: ShardId, tag: u64, verb: wire::request::Verb) {
        state.outgoing.push_back(wire::Request { tag, shard: shard.get(), verb: Some(verb) });
        match state.taker.take() {
            Some(taker) => taker.wake(),
            None => self.wanted.notify_one(),
        }
    }

    /// Has the peer park the wait of this tag again.
    pub(super) fn rearm(&self, shard: ShardId, tag: u64) {
        let mut state = self.state.lock();
        if state.pending.contains_key(&tag) {
            self.enqueue(&mut state, shard, tag, wire::request::Verb::Rearm(wire::Rearm {}));
        }
    }

    /// Ends the wait of this tag.
    pub(super) fn cancel(&self, shard: ShardId, tag: u64) {
        let mut state = self.state.lock();
        match state.pending.remove(&tag) {
            Some(pending) if pending.taken => {
                self.enqueue(&mut state, shard, tag, wire::request::Verb::Cancel(wire::Cancel {}));
            }
            Some(_) => state.outgoing.retain(|request| request.tag != tag),
            None => {}
        }
    }

    /// No more connections.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.wanted.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Returns once there is something to connect for, or to end for.
    pub(super) async fn wanted(&self) {
        while !self.is_wanted() {
            self.wanted.notified().await;
        }
    }

    /// Returns once the link is no longer held.
    pub(super) async fn closed(&self) {
        while !self.is_closed() {
            self.wanted.notified().await;
        }
    }

    fn is_wanted(&self) -> bool {
        let state = self.state.lock();
        state.closed || !state.outgoing.is_empty()
    }

    /// Ends a connection: everything asked over it, or waiting for it, is told so.
    pub(super) fn disconnect(&self, down_for: Duration) {
        let pending = {
            let mut state = self.state.lock();
            state.connection += 1;
            state.outgoing.clear();
            state.down_until = Some(Instant::now() + down_for);
            if let Some(taker) = state.taker.take() {
                taker.wake();
            }
            std::mem::take(&mut state.pending)
        };
        // In the order they were asked, so that the oldest is heard first.
        let mut pending: Vec<(u64, Pending)> = pending.into_iter().collect();
        pending.sort_unstable_by_key(|(tag, _)| *tag);
        for (_, Pending { awaits, taken }) in pending {
            awaits.fail(if taken { Refusal::LinkBroken } else { Refusal::Unreachable });
        }
    }

    pub(super) fn answered(&self, answer: wire::Answer) {
        use wire::answer::Answer;
        let mut state = self.state.lock();
        // Given up meanwhile.
        let Some(pending) = state.pending.get_mut(&answer.tag) else { return };
        let ended = match answer.answer {
            Some(Answer::Piece(piece)) => {
                let pieces = match &mut pending.awaits {
                    Awaits::Propose { pieces, .. } | Awaits::Query { pieces, .. } => pieces,
                    Awaits::Wait { .. } | Awaits::Leader { .. } => return,
                };
                if !piece.last {
                    pieces.extend_from_slice(&piece.bytes);
                    return;
                }
                let whole = match pieces.is_empty() {
                    true => piece.bytes,
                    false => {
                        pieces.extend_from_slice(&piece.bytes);
                        std::mem::take(pieces).freeze()
                    }
                };
                Ended::Payload(whole)
            }
            Some(Answer::Refusal(refusal)) => Ended::Refused(messages::refusal_from_wire(&refusal)),
            Some(Answer::Woken(_)) => {
                if let Awaits::Wait { tag, events } = &pending.awaits {
                    let _ = events.send((*tag, WaitEvent::Woken));
                }
                return;
            }
            Some(Answer::Moved(moved)) => {
                Ended::Refused(Refusal::NotLeader { leader: messages::leader_from_wire(moved.leader) })
            }
            Some(Answer::Leader(leader)) => Ended::Leader(messages::leader_from_wire(leader.leader)),
            None => return,
        };
        let pending = state.pending.remove(&answer.tag);
        drop(state);
        if let Some(pending) = pending {
            pending.awaits.end(ended);
        }
    }
}

enum Ended {
    Payload(Bytes),
    Refused(Refusal),
    Leader(Option<NodeId>),
}

impl Awaits {
    /// Whether nobody waits for the answer any more.
    fn is_given_up(&self) -> bool {
        match self {
            Self::Propose { reply, .. } => reply.is_closed(),
            Self::Query { reply, .. } => reply.is_closed(),
            Self::Leader { reply } => reply.is_closed(),
            Self::Wait { events, .. } => events.is_closed(),
        }
    }

    fn end(self, ended: Ended) {
        match (self, ended) {
            (Self::Propose { reply, .. }, Ended::Payload(payload)) => {
                let outcome = messages::decode_part_outcome(&payload);
                let _ = reply.send(outcome.map_err(|_| Refusal::OutcomeUnknown));
            }
            (Self::Query { reply, .. }, Ended::Payload(payload)) => {
                let outcomes = messages::decode_outcomes(&payload);
                let _ = reply.send(outcomes.map_err(|_| Refusal::OutcomeUnknown));
            }
            (Self::Leader { reply }, Ended::Leader(leader)) => {
                let _ = reply.send(leader);
            }
            (awaits, Ended::Refused(refusal)) => awaits.fail(refusal),
            // An answer to something else than was asked: the peer is not to be understood.
            (awaits, Ended::Payload(_) | Ended::Leader(_)) => awaits.fail(Refusal::OutcomeUnknown),
        }
    }

    fn fail(self, refusal: Refusal) {
        match self {
            Self::Propose { reply, .. } => {
                let _ = reply.send(Err(refusal));
            }
            Self::Query { reply, .. } => {
                let _ = reply.send(Err(refusal));
            }
            Self::Leader { reply } => {
                let _ = reply.send(None);
            }
            Self::Wait { tag, events } => {
                let event = match refusal {
                    Refusal::NotLeader { leader } => WaitEvent::Moved { leader },
                    _ => WaitEvent::Unreachable,
                };
                let _ = events.send((tag, event));
            }
        }
    }
}

/// One connection's requests: a message is made when the connection can carry one.
pub(super) struct Requests {
    exchange: Arc<Exchange>,
    connection: u64,
    hello: Option<wire::Hello>,
}

impl Requests {
    /// What the next connection sends, after `hello`.
    pub(super) fn new(exchange: Arc<Exchange>, hello: wire::Hello) -> Self {
        let connection = exchange.state.lock().connection;
        Self { exchange, connection, hello: Some(hello) }
    }
}

impl Stream for Requests {
    type Item = wire::LinkRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut state = this.exchange.state.lock();
        if state.connection != this.connection || state.closed {
            return Poll::Ready(None);
        }
        let hello = this.hello.take();
        let mut requests = Vec::new();
        let mut bytes = 0;
        while bytes < LINK_MESSAGE_BYTES_TARGET
            && let Some(request) = state.outgoing.pop_front()
        {
            match state.pending.get_mut(&request.tag) {
                Some(pending) if !pending.taken && pending.awaits.is_given_up() => {
                    state.pending.remove(&request.tag);
                    continue;
                }
                Some(pending) => pending.taken = true,
                None => {}
            }
            bytes += payload_bytes(&request);
            requests.push(request);
        }
        if requests.is_empty() && hello.is_none() {
            state.taker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(wire::LinkRequest { hello, requests }))
    }
}

fn payload_bytes(request: &wire::Request) -> usize {
    use wire::request::Verb;
    match &request.verb {
        Some(Verb::Propose(propose)) => propose.part.len(),
        Some(Verb::Query(query)) => query.queries.len(),
        _ => REQUEST_BYTES_ABOUT,
    }
}

const REQUEST_BYTES_ABOUT: usize = 64;
