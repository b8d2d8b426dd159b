//! The way to another node's shards: one multiplexed stream a peer, opened when first needed and again
//! after it broke.
//!
//! Requests queue here in the order they were made; whenever the stream can carry a message it takes all
//! that wait. A request that was not yet taken when the link broke certainly did not arrive
//! ([`Refusal::Unreachable`]); one that was may have been carried out ([`Refusal::LinkBroken`]). Nothing
//! is sent twice from here: whether to try again is for the asker to decide.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use rivermark_stream::Query;
use rivermark_types::limits::{LINK_MESSAGE_BYTES_TARGET, PEER_MESSAGE_BYTES_MAX};
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::peer as wire;
use rivermark_wire::peer::peer_client::PeerClient;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::counters::Counters;
use super::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, WaitCondition, WaitControl,
    WaitEvent, WaiterId,
};
use super::messages;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// What links need to know of the node they start from.
pub struct LinkOptions {
    /// This node.
    pub node: NodeId,
    /// The cluster, once known.
    pub cluster_id: Box<dyn Fn() -> Option<u128> + Send + Sync>,
    /// A connection to a node's RPC address, kept alive and made when used; `None` if the topology does not
    /// know the node.
    pub channel: Box<dyn Fn(NodeId) -> Option<Channel> + Send + Sync>,
}

/// The links of this node, one a peer.
pub struct Links {
    options: Arc<LinkOptions>,
    counters: Arc<Counters>,
    links: RwLock<BTreeMap<NodeId, Arc<PeerLink>>>,
}

impl Links {
    /// No links yet.
    pub fn new(options: LinkOptions, counters: Arc<Counters>) -> Self {
        Self { options: Arc::new(options), counters, links: RwLock::default() }
    }

    /// The link to a node, made if it is the first time.
    pub fn to(&self, node: NodeId) -> Arc<PeerLink> {
        if let Some(link) = self.links.read().get(&node) {
            return Arc::clone(link);
        }
        let mut links = self.links.write();
        let link = links
            .entry(node)
            .or_insert_with(|| PeerLink::start(node, Arc::clone(&self.options), Arc::clone(&self.counters)));
        Arc::clone(link)
    }
}

/// The link to one peer.
pub struct PeerLink {
    shared: Arc<Shared>,
}

struct Shared {
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

enum Awaits {
    Propose { reply: oneshot::Sender<ProposeAnswer>, pieces: BytesMut },
    Query { reply: oneshot::Sender<QueryAnswer>, pieces: BytesMut },
    Wait { tag: u64, events: mpsc::UnboundedSender<Notice> },
    Leader { reply: oneshot::Sender<Option<NodeId>> },
}

impl PeerLink {
    fn start(node: NodeId, options: Arc<LinkOptions>, counters: Arc<Counters>) -> Arc<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), wanted: Notify::new() });
        let task = LinkTask { node, options, counters, shared: Arc::clone(&shared), backoff: BACKOFF_MIN };
        tokio::spawn(task.run());
        Arc::new(Self { shared })
    }
}

impl Drop for PeerLink {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wanted.notify_one();
    }
}

impl LeaderEndpoint for PeerLink {
    fn propose(&self, shard: ShardId, part: Bytes, count: u32) -> BoxFuture<'static, ProposeAnswer> {
        let (reply, answer) = oneshot::channel();
        let verb = wire::request::Verb::Propose(wire::Propose { part, count });
        self.shared.send(shard, verb, Awaits::Propose { reply, pieces: BytesMut::new() });
        Box::pin(async move { answer.await.unwrap_or(Err(Refusal::LinkBroken)) })
    }

    fn query(&self, shard: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer> {
        let (reply, answer) = oneshot::channel();
        let count = u32::try_from(queries.len()).unwrap_or(u32::MAX);
        let queries = messages::encode_queries(&queries);
        let verb = wire::request::Verb::Query(wire::QueryAll { queries, count });
        self.shared.send(shard, verb, Awaits::Query { reply, pieces: BytesMut::new() });
        Box::pin(async move { answer.await.unwrap_or(Err(Refusal::LinkBroken)) })
    }

    fn park(
        &self,
        shard: ShardId,
        condition: WaitCondition,
        tag: u64,
        events: mpsc::UnboundedSender<Notice>,
    ) -> Place {
        let verb = wire::request::Verb::Wait(messages::condition_to_wire(&condition));
        let waiter = WaiterId(self.shared.send(shard, verb, Awaits::Wait { tag, events }));
        Place::new(Arc::new(LinkControl { shared: Arc::clone(&self.shared), shard }), waiter)
    }

    fn find_leader(&self, shard: ShardId) -> BoxFuture<'static, Option<NodeId>> {
        let (reply, answer) = oneshot::channel();
        let verb = wire::request::Verb::FindLeader(wire::FindLeader {});
        self.shared.send(shard, verb, Awaits::Leader { reply });
        Box::pin(async move { answer.await.ok().flatten() })
    }
}

struct LinkControl {
    shared: Arc<Shared>,
    shard: ShardId,
}

impl WaitControl for LinkControl {
    fn rearm(&self, waiter: WaiterId) {
        let mut state = self.shared.state.lock();
        if state.pending.contains_key(&waiter.0) {
            self.shared.enqueue(&mut state, self.shard, waiter.0, wire::request::Verb::Rearm(wire::Rearm {}));
        }
    }

    fn cancel(&self, waiter: WaiterId) {
        let mut state = self.shared.state.lock();
        if state.pending.remove(&waiter.0).is_some_and(|pending| pending.taken) {
            self.shared.enqueue(
                &mut state,
                self.shard,
                waiter.0,
                wire::request::Verb::Cancel(wire::Cancel {}),
            );
        } else {
            state.outgoing.retain(|request| request.tag != waiter.0);
        }
    }
}

impl Shared {
    /// Queues a request, or refuses it if the peer was out of reach a moment ago. Answers its tag.
    fn send(&self, shard: ShardId, verb: wire::request::Verb, awaits: Awaits) -> u64 {
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

    fn is_wanted(&self) -> bool {
        let state = self.state.lock();
        state.closed || !state.outgoing.is_empty()
    }

    /// Ends a connection: everything asked over it, or waiting for it, is told so.
    fn disconnect(&self, down_for: Duration) {
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

    fn answered(&self, answer: wire::Answer) {
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

/// Connects and reads answers, for as long as the link is held.
struct LinkTask {
    node: NodeId,
    options: Arc<LinkOptions>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    backoff: Duration,
}

impl LinkTask {
    async fn run(mut self) {
        loop {
            while !self.shared.is_wanted() {
                self.shared.wanted.notified().await;
            }
            if self.shared.state.lock().closed {
                break;
            }
            match tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await {
                Ok(Ok(answers)) => {
                    self.counters.link_connects.increase();
                    self.backoff = BACKOFF_MIN;
                    let reason = self.read(answers).await;
                    self.counters.link_breaks.increase();
                    tracing::info!(peer = %self.node, reason, "link broke");
                }
                Ok(Err(status)) => tracing::debug!(peer = %self.node, %status, "link refused"),
                Err(_) => tracing::debug!(peer = %self.node, "link not made in time"),
            }
            self.shared.disconnect(self.backoff);
            self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        }
        self.shared.disconnect(Duration::ZERO);
    }

    async fn connect(&self) -> Result<Streaming<wire::LinkResponse>, Status> {
        let unknown = || Status::unavailable("the topology does not know the node");
        let channel = (self.options.channel)(self.node).ok_or_else(unknown)?;
        let mut client = PeerClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        let hello = wire::Hello {
            from_node: self.options.node.get(),
            to_node: self.node.get(),
            cluster_id: (self.options.cluster_id)()
                .map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.to_be_bytes())),
        };
        let connection = self.shared.state.lock().connection;
        let requests = Requests { shared: Arc::clone(&self.shared), connection, hello: Some(hello) };
        Ok(client.link(requests).await?.into_inner())
    }

    async fn read(&self, mut answers: Streaming<wire::LinkResponse>) -> String {
        loop {
            let message = tokio::select! {
                message = answers.message() => message,
                () = self.closed() => return "no longer needed".to_owned(),
            };
            match message {
                Ok(Some(response)) => {
                    response.answers.into_iter().for_each(|answer| self.shared.answered(answer))
                }
                Ok(None) => return "the peer ended it".to_owned(),
                Err(status) => return status.to_string(),
            }
        }
    }

    async fn closed(&self) {
        loop {
            self.shared.wanted.notified().await;
            if self.shared.state.lock().closed {
                return;
            }
        }
    }
}

/// One connection's requests: a message is made when the connection can carry one.
struct Requests {
    shared: Arc<Shared>,
    connection: u64,
    hello: Option<wire::Hello>,
}

impl Stream for Requests {
    type Item = wire::LinkRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut state = this.shared.state.lock();
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
