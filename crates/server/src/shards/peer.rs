//! The other end of a link: takes a peer's requests in the order they were sent and gives them to this
//! node's host.
//!
//! Whatever a peer has here ends with its link: its blocked readers leave their queues, and answers to its
//! proposals are dropped (its sessions ask again elsewhere).

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use parking_lot::Mutex;
use rivermark_stream::batch::Part;
use rivermark_stream::codec::Reader;
use rivermark_types::limits::{LINK_MESSAGE_BYTES_TARGET, LINK_PIECE_BYTES_MAX, PEER_MESSAGE_BYTES_MAX};
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::peer as wire;
use rivermark_wire::peer::peer_server::{Peer, PeerServer};
use tokio::sync::{Notify, mpsc};
use tonic::{Request, Response, Status, Streaming};

use super::endpoint::{LeaderEndpoint, Notice, Place, WaitEvent};
use super::messages;

/// What the service tells of its node.
pub struct PeerOptions {
    /// This node: links meant for another are refused.
    pub node: NodeId,
    /// The cluster, once known: links of another are refused.
    pub cluster_id: Box<dyn Fn() -> Option<u128> + Send + Sync>,
    /// The node's status as it is now.
    pub status: Box<dyn Fn() -> wire::StatusResponse + Send + Sync>,
}

/// Serves links and status requests of peers.
pub struct PeerService {
    host: Arc<dyn LeaderEndpoint>,
    options: PeerOptions,
}

impl PeerService {
    /// The service to add to the node's RPC listener.
    pub fn new(host: Arc<dyn LeaderEndpoint>, options: PeerOptions) -> PeerServer<Self> {
        PeerServer::new(Self { host, options })
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
    }

    fn check(&self, hello: &wire::Hello) -> Result<(), Status> {
        if hello.to_node != self.options.node.get() {
            let message = format!("this is node {}, not node {}", self.options.node, hello.to_node);
            return Err(Status::failed_precondition(message));
        }
        let own = (self.options.cluster_id)().map(u128::to_be_bytes);
        match own {
            Some(own) if !hello.cluster_id.is_empty() && hello.cluster_id != own[..] => {
                Err(Status::failed_precondition("this node belongs to another cluster"))
            }
            _ => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    type LinkStream = Answers;

    async fn link(
        &self,
        request: Request<Streaming<wire::LinkRequest>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.ok_or_else(|| Status::invalid_argument("no hello"))?;
        let hello = first.hello.as_ref().ok_or_else(|| Status::invalid_argument("no hello"))?;
        self.check(hello)?;
        let outbox = Arc::new(Outbox::default());
        let (events, notices) = mpsc::unbounded_channel();
        let served = Served {
            host: Arc::clone(&self.host),
            outbox: Arc::clone(&outbox),
            places: HashMap::new(),
            events,
        };
        tokio::spawn(served.run(first, requests, notices));
        Ok(Response::new(Answers { outbox }))
    }

    async fn status(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusResponse>, Status> {
        Ok(Response::new((self.options.status)()))
    }
}

/// One peer's link, from this side.
struct Served {
    host: Arc<dyn LeaderEndpoint>,
    outbox: Arc<Outbox>,
    /// The peer's blocked readers by tag. Dropping a place gives it up.
    places: HashMap<u64, Place>,
    events: mpsc::UnboundedSender<Notice>,
}

impl Served {
    async fn run(
        mut self,
        first: wire::LinkRequest,
        mut requests: Streaming<wire::LinkRequest>,
        mut notices: mpsc::UnboundedReceiver<Notice>,
    ) {
        first.requests.into_iter().for_each(|request| self.take(request));
        loop {
            tokio::select! {
                message = requests.message() => match message {
                    Ok(Some(message)) => message.requests.into_iter().for_each(|request| self.take(request)),
                    Ok(None) | Err(_) => break,
                },
                Some((tag, event)) = notices.recv() => self.notice(tag, event),
                () = self.outbox.abandoned.notified() => break,
            }
        }
        self.outbox.close();
    }

    fn take(&mut self, request: wire::Request) {
        use wire::request::Verb;
        let tag = request.tag;
        let shard = ShardId::new(request.shard);
        match request.verb {
            Some(Verb::Propose(propose)) => self.propose(tag, shard, propose),
            Some(Verb::Query(query)) => self.query(tag, shard, &query),
            Some(Verb::Wait(wait)) => match messages::condition_from_wire(wait) {
                Ok(condition) => {
                    let place = self.host.park(shard, condition, tag, self.events.clone());
                    self.places.insert(tag, place);
                }
                Err(messages::Malformed) => self.outbox.refuse(tag, messages::malformed()),
            },
            Some(Verb::Rearm(_)) => {
                if let Some(place) = self.places.get(&tag) {
                    place.rearm();
                }
            }
            Some(Verb::Cancel(_)) => drop(self.places.remove(&tag)),
            Some(Verb::FindLeader(_)) => {
                let leader = self.host.find_leader(shard);
                let outbox = Arc::clone(&self.outbox);
                tokio::spawn(async move {
                    let leader = messages::leader_to_wire(leader.await);
                    outbox.push(tag, wire::answer::Answer::Leader(wire::Leader { leader }));
                });
            }
            None => self.outbox.refuse(tag, messages::malformed()),
        }
    }

    /// The hand-over to the proposer happens here, in the order of requests.
    fn propose(&self, tag: u64, shard: ShardId, propose: wire::Propose) {
        // Apply takes for granted that parts decode.
        let mut reader = Reader::new(&propose.part);
        let part = Part::decode(&mut reader);
        let is_sound = part.is_ok_and(|part| part.count == propose.count && part.check().is_ok());
        if !is_sound || reader.finish().is_err() {
            return self.outbox.refuse(tag, messages::malformed());
        }
        let answer = self.host.propose(shard, propose.part, propose.count);
        let outbox = Arc::clone(&self.outbox);
        tokio::spawn(async move {
            match answer.await {
                Ok(outcome) => outbox.push_payload(tag, messages::encode_part_outcome(&outcome)),
                Err(refusal) => outbox.refuse(tag, messages::refusal_to_wire(refusal)),
            }
        });
    }

    fn query(&self, tag: u64, shard: ShardId, query: &wire::QueryAll) {
        let Ok(queries) = messages::decode_queries(&query.queries) else {
            return self.outbox.refuse(tag, messages::malformed());
        };
        let answer = self.host.query(shard, queries.into());
        let outbox = Arc::clone(&self.outbox);
        tokio::spawn(async move {
            match answer.await {
                Ok(outcomes) => outbox.push_payload(tag, messages::encode_outcomes(&outcomes)),
                Err(refusal) => outbox.refuse(tag, messages::refusal_to_wire(refusal)),
            }
        });
    }

    fn notice(&mut self, tag: u64, event: WaitEvent) {
        let answer = match event {
            WaitEvent::Woken if !self.places.contains_key(&tag) => return,
            WaitEvent::Woken => wire::answer::Answer::Woken(wire::Woken {}),
            WaitEvent::Moved { leader } => {
                self.places.remove(&tag);
                let leader = messages::leader_to_wire(leader);
                wire::answer::Answer::Moved(wire::Moved { leader })
            }
            WaitEvent::Unreachable => {
                self.places.remove(&tag);
                wire::answer::Answer::Moved(wire::Moved { leader: 0 })
            }
        };
        self.outbox.push(tag, answer);
    }
}

/// Answers that wait for the link to take them.
#[derive(Default)]
struct Outbox {
    state: Mutex<OutboxState>,
    /// The peer no longer listens.
    abandoned: Notify,
}

#[derive(Default)]
struct OutboxState {
    answers: VecDeque<wire::Answer>,
    taker: Option<Waker>,
    closed: bool,
}

impl Outbox {
    fn push(&self, tag: u64, answer: wire::answer::Answer) {
        self.push_all(std::iter::once(wire::Answer { tag, answer: Some(answer) }));
    }

    fn refuse(&self, tag: u64, refusal: wire::Refusal) {
        self.push(tag, wire::answer::Answer::Refusal(refusal));
    }

    fn push_payload(&self, tag: u64, mut payload: Bytes) {
        let mut pieces = Vec::with_capacity(1);
        loop {
            let bytes = payload.split_to(payload.len().min(LINK_PIECE_BYTES_MAX));
            let last = payload.is_empty();
            let piece = wire::answer::Answer::Piece(wire::Piece { bytes, last });
            pieces.push(wire::Answer { tag, answer: Some(piece) });
            if last {
                break;
            }
        }
        self.push_all(pieces.into_iter());
    }

    fn push_all(&self, answers: impl Iterator<Item = wire::Answer>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.answers.extend(answers);
        if let Some(taker) = state.taker.take() {
            taker.wake();
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if let Some(taker) = state.taker.take() {
            taker.wake();
        }
    }
}

/// A link's answers: a message is made when the link can carry one.
pub struct Answers {
    outbox: Arc<Outbox>,
}

impl Stream for Answers {
    type Item = Result<wire::LinkResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.outbox.state.lock();
        let mut answers = Vec::new();
        let mut bytes = 0;
        while bytes < LINK_MESSAGE_BYTES_TARGET
            && let Some(answer) = state.answers.pop_front()
        {
            if let Some(wire::answer::Answer::Piece(piece)) = &answer.answer {
                bytes += piece.bytes.len();
            }
            bytes += ANSWER_BYTES_ABOUT;
            answers.push(answer);
        }
        if !answers.is_empty() {
            return Poll::Ready(Some(Ok(wire::LinkResponse { answers })));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.taker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.outbox.abandoned.notify_one();
    }
}

const ANSWER_BYTES_ABOUT: usize = 32;
