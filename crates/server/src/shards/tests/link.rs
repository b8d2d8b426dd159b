use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rivermark_stream::batch::{Part, PartOutcome};
use rivermark_stream::codec::Reader;
use rivermark_stream::fields::EntriesBuilder;
use rivermark_stream::{Outcome, PartBuilder, Query};
use rivermark_types::{EntryId, NodeId, SessionId, ShardId};
use rivermark_wire::peer as wire;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

use super::leaders::{add, key};
use crate::shards::counters::Counters;
use crate::shards::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, Registration, WaitCondition,
    WaitControl, WaitEvent, WaiterId,
};
use crate::shards::link::{LinkOptions, Links};
use crate::shards::peer::{PeerOptions, PeerService};

const SHARD: ShardId = ShardId::new(3);
const CLUSTER: u128 = 77;

/// Answers each part with its sequence numbers, unless told to hold back; notes everything.
#[derive(Default)]
struct Host {
    seen: Mutex<Vec<String>>,
    waits: Mutex<Vec<(u64, mpsc::UnboundedSender<Notice>)>>,
}

struct Control(Arc<Host>);

impl WaitControl for Control {
    fn rearm(&self, waiter: WaiterId) {
        self.0.note(format!("rearm {}", waiter.0));
    }

    fn cancel(&self, waiter: WaiterId) {
        self.0.note(format!("cancel {}", waiter.0));
    }
}

impl Host {
    fn note(&self, what: String) {
        self.seen.lock().push(what);
    }

    async fn saw(&self, what: &str) {
        let saw = async {
            while !self.seen.lock().iter().any(|seen| seen == what) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(5), saw).await.unwrap_or_else(|_| panic!("{what} in {:?}", self.seen));
    }
}

struct Scripted(Arc<Host>);

impl LeaderEndpoint for Scripted {
    fn propose(&self, shard: ShardId, part: Bytes, _: u32) -> BoxFuture<'static, ProposeAnswer> {
        let part = Part::decode(&mut Reader::new(&part)).expect("checked by the service");
        self.0.note(format!("propose {shard} {}", part.first_sequence));
        let answer = match part.session.get() {
            1 => Ok(PartOutcome::Applied(vec![Outcome::Integer(part.first_sequence as i64)])),
            2 => Err(Refusal::NotLeader { leader: Some(NodeId::new(9)) }),
            3 => return std::future::pending().boxed(),
            _ => Ok(PartOutcome::Gap { expected: 5 }),
        };
        std::future::ready(answer).boxed()
    }

    fn query(&self, _: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer> {
        let mut large = EntriesBuilder::default();
        for seq in 1..=100 {
            large.begin(EntryId::new(1, seq), 1);
            large.pair(b"f", &vec![7; 1 << 20]);
        }
        let large = Outcome::Entries(large.finish());
        std::future::ready(Ok(queries.iter().map(|_| large.clone()).collect())).boxed()
    }

    fn park(
        &self,
        _: ShardId,
        condition: WaitCondition,
        tag: u64,
        events: mpsc::UnboundedSender<Notice>,
    ) -> Place {
        self.0.note(format!("park {condition:?}"));
        let mut waits = self.0.waits.lock();
        waits.push((tag, events));
        Place::new(Arc::new(Control(Arc::clone(&self.0))), WaiterId(waits.len() as u64))
    }

    fn find_leader(&self, _: ShardId) -> BoxFuture<'static, Option<NodeId>> {
        std::future::ready(Some(NodeId::new(4))).boxed()
    }
}

struct Peers {
    host: Arc<Host>,
    links: Links,
    counters: Arc<Counters>,
    server: Option<Runtime>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.server.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn peers(to_node: u64, cluster_id: u128) -> Peers {
    let host = Arc::new(Host::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let service = PeerService::new(
        Arc::new(Scripted(Arc::clone(&host))),
        PeerOptions {
            node: NodeId::new(2),
            cluster_id: Box::new(|| Some(CLUSTER)),
            status: Box::new(wire::StatusResponse::default),
        },
    );
    // A runtime of its own, so that ending it ends the connections too, as the death of a process does.
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let server = server.expect("a runtime");
    let listener = listener.into_std().expect("a socket");
    server.spawn(async move {
        let listener = TcpListener::from_std(listener).expect("a socket");
        let served =
            Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        served.await.expect("served");
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = endpoint.connect_lazy();
    let counters = Arc::new(Counters::default());
    let options = LinkOptions {
        node: NodeId::new(1),
        cluster_id: Box::new(move || Some(cluster_id)),
        channel: Box::new(move |node| (node.get() == to_node).then(|| channel.clone())),
    };
    Peers { host, links: Links::new(options, Arc::clone(&counters)), counters, server: Some(server) }
}

fn part(session: u64, sequence: u64) -> Bytes {
    let mut part = PartBuilder::new(SessionId::new(session), sequence, 1);
    part.push(&add(sequence));
    let mut encoded = Vec::new();
    part.finish().encode(&mut encoded);
    encoded.into()
}

#[tokio::test]
async fn proposals_arrive_in_order_and_are_answered() {
    let peers = peers(2, CLUSTER).await;
    let link = peers.links.to(NodeId::new(2));
    let answers: Vec<_> = (1..=2000).map(|sequence| link.propose(SHARD, part(1, sequence), 1)).collect();
    for (sequence, answer) in (1..).zip(answers) {
        assert_eq!(answer.await, Ok(PartOutcome::Applied(vec![Outcome::Integer(sequence)])));
    }
    let expected: Vec<String> = (1..=2000).map(|sequence| format!("propose 3 {sequence}")).collect();
    assert_eq!(*peers.host.seen.lock(), expected);
    let refused = link.propose(SHARD, part(2, 1), 1).await;
    assert_eq!(refused, Err(Refusal::NotLeader { leader: Some(NodeId::new(9)) }));
    assert_eq!(link.propose(SHARD, part(4, 9), 1).await, Ok(PartOutcome::Gap { expected: 5 }));
    assert_eq!(link.find_leader(SHARD).await, Some(NodeId::new(4)));
    assert_eq!(peers.counters.link_connects.get(), 1);
}

#[tokio::test]
async fn a_part_that_does_not_decode_goes_no_further() {
    let peers = peers(2, CLUSTER).await;
    let link = peers.links.to(NodeId::new(2));
    let whole = part(1, 1);
    for bytes in [whole.slice(..whole.len() - 1), Bytes::from_static(b"\xff\xff"), Bytes::new()] {
        let refused = link.propose(SHARD, bytes, 1).await.expect_err("malformed");
        assert!(!refused.leaves_doubt());
    }
    assert!(link.propose(SHARD, whole, 2).await.is_err(), "the count is wrong");
    assert_eq!(peers.host.seen.lock().len(), 0);
}

#[tokio::test]
async fn answers_larger_than_a_message_come_in_pieces() {
    let peers = peers(2, CLUSTER).await;
    let link = peers.links.to(NodeId::new(2));
    let queries: Arc<[Query]> = vec![Query::XLen(key("s"))].into();
    let outcomes = link.query(SHARD, queries).await.expect("answered");
    let [Outcome::Entries(entries)] = &outcomes[..] else { panic!("{} outcomes", outcomes.len()) };
    assert_eq!(entries.len(), 100);
    assert!(entries.packed().len() > 100 << 20);
}

#[tokio::test]
async fn waits_are_woken_rearmed_moved_and_cancelled() {
    let peers = peers(2, CLUSTER).await;
    let link = peers.links.to(NodeId::new(2));
    let condition = || WaitCondition::Entries(vec![(key("s"), EntryId::new(5, 6))]);
    let park = || Registration::new(&*link, SHARD, condition());
    let (mut first, second) = (park(), park());
    peers.host.saw(&format!("park {:?}", condition())).await;
    while peers.host.waits.lock().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waits = std::mem::take(&mut *peers.host.waits.lock());
    waits[0].1.send((waits[0].0, WaitEvent::Woken)).expect("listened to");
    assert_eq!(first.event().await, WaitEvent::Woken);
    first.rearm();
    peers.host.saw("rearm 1").await;
    drop(second);
    peers.host.saw("cancel 2").await;
    let moved = WaitEvent::Moved { leader: Some(NodeId::new(8)) };
    waits[0].1.send((waits[0].0, moved)).expect("listened to");
    assert_eq!(first.event().await, moved);
}

#[tokio::test]
async fn what_was_under_way_when_the_link_broke_is_in_doubt() {
    let mut peers = peers(2, CLUSTER).await;
    let link = peers.links.to(NodeId::new(2));
    let sent = link.propose(SHARD, part(3, 1), 1);
    let mut wait = Registration::new(&*link, SHARD, WaitCondition::Entries(Vec::new()));
    peers.host.saw("propose 3 1").await;
    peers.host.saw("park Entries([])").await;
    // The process dies: its sockets close.
    peers.server.take().expect("running").shutdown_background();
    assert_eq!(timeout(Duration::from_secs(5), sent).await.expect("told"), Err(Refusal::LinkBroken));
    assert_eq!(wait.event().await, WaitEvent::Unreachable);
    // The other end gave up the reader's place.
    peers.host.saw("cancel 1").await;
    let refused = link.propose(SHARD, part(3, 2), 1).await.expect_err("nobody is there");
    assert_eq!(refused, Refusal::Unreachable);
}

#[tokio::test]
async fn links_to_the_wrong_node_or_cluster_carry_nothing() {
    for (to_node, cluster) in [(5, CLUSTER), (2, CLUSTER + 1), (6, CLUSTER)] {
        let peers = peers(if to_node == 6 { 2 } else { to_node }, cluster).await;
        let link = peers.links.to(NodeId::new(to_node));
        assert!(link.propose(SHARD, part(1, 1), 1).await.is_err(), "node {to_node}, cluster {cluster}");
        assert_eq!(link.find_leader(SHARD).await, None);
        assert_eq!(peers.host.seen.lock().len(), 0);
    }
}
