//! The way to another node's shards: one multiplexed stream a peer, opened when first needed and again
//! after it broke.
//!
//! Requests queue here in the order they were made; whenever the stream can carry a message it takes all
//! that wait. A request that was not yet taken when the link broke certainly did not arrive
//! ([`Refusal::Unreachable`]); one that was may have been carried out ([`Refusal::LinkBroken`]). Nothing
//! is sent twice from here: whether to try again is for the asker to decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use rivermark_stream::Query;
use rivermark_types::limits::PEER_MESSAGE_BYTES_MAX;
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::peer as wire;
use rivermark_wire::peer::peer_client::PeerClient;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::counters::Counters;
use super::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, WaitCondition, WaitControl, WaiterId,
};
use super::exchange::{Awaits, Exchange, Requests};
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
    exchange: Arc<Exchange>,
}

impl PeerLink {
    fn start(node: NodeId, options: Arc<LinkOptions>, counters: Arc<Counters>) -> Arc<Self> {
        let exchange = Arc::new(Exchange::default());
        let task =
            LinkTask { node, options, counters, exchange: Arc::clone(&exchange), backoff: BACKOFF_MIN };
        tokio::spawn(task.run());
        Arc::new(Self { exchange })
    }
}

impl Drop for PeerLink {
    fn drop(&mut self) {
        self.exchange.close();
    }
}

impl LeaderEndpoint for PeerLink {
    fn propose(&self, shard: ShardId, part: Bytes, count: u32) -> BoxFuture<'static, ProposeAnswer> {
        let (reply, answer) = oneshot::channel();
        let verb = wire::request::Verb::Propose(wire::Propose { part, count });
        self.exchange.send(shard, verb, Awaits::Propose { reply, pieces: BytesMut::new() });
        Box::pin(async move { answer.await.unwrap_or(Err(Refusal::LinkBroken)) })
    }

    fn query(&self, shard: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer> {
        let (reply, answer) = oneshot::channel();
        let count = u32::try_from(queries.len()).unwrap_or(u32::MAX);
        let queries = messages::encode_queries(&queries);
        let verb = wire::request::Verb::Query(wire::QueryAll { queries, count });
        self.exchange.send(shard, verb, Awaits::Query { reply, pieces: BytesMut::new() });
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
        let waiter = WaiterId(self.exchange.send(shard, verb, Awaits::Wait { tag, events }));
        Place::new(Arc::new(LinkControl { exchange: Arc::clone(&self.exchange), shard }), waiter)
    }

    fn find_leader(&self, shard: ShardId) -> BoxFuture<'static, Option<NodeId>> {
        let (reply, answer) = oneshot::channel();
        let verb = wire::request::Verb::FindLeader(wire::FindLeader {});
        self.exchange.send(shard, verb, Awaits::Leader { reply });
        Box::pin(async move { answer.await.ok().flatten() })
    }
}

struct LinkControl {
    exchange: Arc<Exchange>,
    shard: ShardId,
}

impl WaitControl for LinkControl {
    fn rearm(&self, waiter: WaiterId) {
        self.exchange.rearm(self.shard, waiter.0);
    }

    fn cancel(&self, waiter: WaiterId) {
        self.exchange.cancel(self.shard, waiter.0);
    }
}

/// Connects and reads answers, for as long as the link is held.
struct LinkTask {
    node: NodeId,
    options: Arc<LinkOptions>,
    counters: Arc<Counters>,
    exchange: Arc<Exchange>,
    backoff: Duration,
}

impl LinkTask {
    async fn run(mut self) {
        loop {
            self.exchange.wanted().await;
            if self.exchange.is_closed() {
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
            self.exchange.disconnect(self.backoff);
            self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        }
        self.exchange.disconnect(Duration::ZERO);
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
        let requests = Requests::new(Arc::clone(&self.exchange), hello);
        Ok(client.link(requests).await?.into_inner())
    }

    async fn read(&self, mut answers: Streaming<wire::LinkResponse>) -> String {
        loop {
            let message = tokio::select! {
                message = answers.message() => message,
                () = self.exchange.closed() => return "no longer needed".to_owned(),
            };
            match message {
                Ok(Some(response)) => {
                    response.answers.into_iter().for_each(|answer| self.exchange.answered(answer))
                }
                Ok(None) => return "the peer ended it".to_owned(),
                Err(status) => return status.to_string(),
            }
        }
    }
}
