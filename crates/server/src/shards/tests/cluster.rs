//! Real nodes over loopback, each on a runtime of its own: ending the runtime is the node's sudden death.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rivermark_cluster::{Node, NodeState};
use rivermark_fs::OsFileSystem;
use rivermark_raft::{InitialCluster, NodeOptions, RaftNode, Role, TcpDialer, Timing};
use rivermark_stream::command::{
    Acknowledgement, GroupReadFrom, GroupRef, GroupStart, MissingKey, ReadBudget, XGroupCreate, XReadGroup,
};
use rivermark_stream::outcome::StreamClaims;
use rivermark_stream::query::{Direction, XRange};
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::{ConsumerName, EntryId, GroupName, NodeId, ShardId};
use rivermark_wire::peer as wire;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::leaders::{add, key};
use crate::clock::SystemClock;
use crate::shards::endpoint::{GroupWait, WaitCondition};
use crate::shards::peer::PeerOptions;
use crate::shards::{ClientOptions, Counters, PeerService, ShardClients, ShardHost, Wake};

const NODES: u64 = 3;
const SHARD: ShardId = ShardId::new(1);

struct Running {
    raft: Arc<RaftNode>,
    clients: Arc<ShardClients>,
    counters: Arc<Counters>,
    runtime: Runtime,
}

struct Cluster {
    _directory: TempDir,
    nodes: Vec<Option<Running>>,
}

impl Cluster {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let port = || TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let founders: Vec<Node> = (1..=NODES)
            .map(|id| Node {
                id: NodeId::new(id),
                rpc_address: format!("127.0.0.1:{}", port()),
                resp_address: format!("127.0.0.1:{}", 20_000 + id),
                resp_tls_address: String::new(),
                http_address: format!("127.0.0.1:{}", 30_000 + id),
                state: NodeState::Active,
            })
            .collect();
        let initial = InitialCluster { nodes: founders, shards: 1, replication: 3 };
        let nodes = (1..=NODES).map(|id| Some(launch(id, &initial, &directory))).collect();
        let cluster = Self { _directory: directory, nodes };
        // Once it leads, leadership stays where it is.
        let preferred =
            || cluster.node(1).raft.topology().borrow().replicas(SHARD).first().map(|node| node.get());
        cluster
            .wait("the preferred leader", || cluster.leader().filter(|leader| preferred() == Some(*leader)));
        cluster
    }

    fn node(&self, id: u64) -> &Running {
        self.nodes[id as usize - 1].as_ref().expect("alive")
    }

    fn alive(&self) -> impl Iterator<Item = &Running> {
        self.nodes.iter().flatten()
    }

    fn leader(&self) -> Option<u64> {
        let leads = |running: &&Running| {
            running.raft.replica(SHARD).is_some_and(|replica| replica.leadership().borrow().is_local_leader)
        };
        self.alive().find(leads).map(|running| running.raft.node_id().get())
    }

    fn kill(&mut self, id: u64) {
        let Running { raft, clients, runtime, .. } = self.nodes[id as usize - 1].take().expect("alive");
        drop((raft, clients));
        runtime.shutdown_timeout(Duration::from_secs(5));
    }

    fn wait<T>(&self, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = check() {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn launch(id: u64, initial: &InitialCluster, directory: &TempDir) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let counters = Arc::new(Counters::default());
    let address = initial.nodes[id as usize - 1].rpc_address.clone();
    let data_dir = directory.path().join(id.to_string());
    std::fs::create_dir_all(&data_dir).expect("a folder");
    let host = ShardHost::new(Arc::clone(&counters));
    let options = NodeOptions {
        node_id: NodeId::new(id),
        role: Role::Replica,
        fs: Arc::new(OsFileSystem),
        data_dir,
        clock: Arc::new(SystemClock),
        dialer: Arc::new(TcpDialer),
        initial: initial.clone(),
        timing: Timing::default(),
        log: rivermark_raft_log::Options { segment_bytes: 4 << 20, ..Default::default() },
        snapshot_log_bytes: 64 << 20,
        effect_sink: Arc::clone(&host) as _,
        cache: None,
    };
    let (raft, clients) = runtime.block_on(async {
        let raft = RaftNode::start(options).await.expect("started");
        host.attach(&raft);
        let topology = raft.topology();
        let peer = PeerOptions {
            node: raft.node_id(),
            cluster_id: Box::new(move || topology.borrow().cluster_id()),
            status: Box::new(wire::StatusResponse::default),
        };
        let service = PeerService::new(Arc::clone(&host) as _, peer);
        let listener = tokio::net::TcpListener::bind(address).await.expect("its port");
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = Server::builder().add_routes(raft.grpc_routes()).add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        let clients = ShardClients::of_node(&raft, &host, ClientOptions::default(), Arc::clone(&counters));
        (raft, clients)
    });
    Running { raft, clients, counters, runtime }
}

async fn values(clients: &ShardClients) -> Vec<u64> {
    let all = XRange {
        key: key("s"),
        start: EntryId::MIN,
        end: EntryId::MAX,
        count: None,
        direction: Direction::Forward,
    };
    let outcomes = clients.query(SHARD, vec![Query::XRange(all)]).await.expect("a leader");
    let [Outcome::Entries(entries)] = &outcomes[..] else { panic!("XRANGE answers entries: {outcomes:?}") };
    let number = |value: &[u8]| std::str::from_utf8(value).expect("text").parse().expect("a number");
    entries.iter().map(|entry| number(entry.fields.expect("live").next().expect("a pair").1)).collect()
}

/// Submits numbers one after the other, several under way, until told to stop. Answers how many, and the
/// longest anyone waited.
async fn load(clients: Arc<ShardClients>, mut stop: tokio::sync::watch::Receiver<bool>) -> (u64, Duration) {
    let mut under_way = std::collections::VecDeque::new();
    let (mut next, mut longest) = (0, Duration::ZERO);
    loop {
        let stopping = *stop.borrow_and_update();
        if stopping && under_way.is_empty() {
            return (next, longest);
        }
        if !stopping && under_way.len() < 32 {
            clients.room(SHARD).await;
            under_way.push_back((Instant::now(), clients.submit(SHARD, vec![add(next)])));
            next += 1;
            continue;
        }
        let (since, answer) = under_way.pop_front().expect("not empty");
        let outcomes = answer.await.expect("no error in a failover");
        assert!(matches!(outcomes[..], [Outcome::EntryId(_)]), "{outcomes:?}");
        longest = longest.max(since.elapsed());
    }
}

#[test]
fn a_dying_leader_loses_nothing_doubles_nothing_and_shows_no_error() {
    let mut cluster = Cluster::start();
    let leader = cluster.leader().expect("one leads");
    let survivor = leader % NODES + 1;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = cluster.node(survivor);
    let clients = Arc::clone(&running.clients);
    let loaded = running.runtime.spawn(load(Arc::clone(&clients), stopped));
    std::thread::sleep(Duration::from_millis(700));
    cluster.kill(leader);
    cluster.wait("new leader", || cluster.leader());
    std::thread::sleep(Duration::from_millis(700));
    stop.send_replace(true);
    let running = cluster.node(survivor);
    let (count, longest) = running.runtime.block_on(loaded).expect("every submission succeeds");
    let values = running.runtime.block_on(values(&clients));
    assert!(count > 100, "{count} submissions");
    assert_eq!(values, (0..count).collect::<Vec<_>>());
    assert_eq!(running.counters.sessions.get(), 1);
    println!("{count} submissions, longest wait {longest:?}");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

fn group() -> GroupName {
    GroupName::new(Bytes::from_static(b"g"))
}

fn read_group(consumer: u64, claim_min_idle_ms: Option<u64>) -> Command {
    Command::XReadGroup(XReadGroup {
        group: group(),
        consumer: ConsumerName::new(Bytes::from(consumer.to_string())),
        count: Some(1),
        budget: ReadBudget::UNLIMITED,
        claim_min_idle_ms,
        acknowledgement: Acknowledgement::Explicit,
        streams: vec![(key("s"), GroupReadFrom::New)],
    })
}

fn create_group() -> Command {
    Command::XGroupCreate(XGroupCreate {
        target: GroupRef { key: key("s"), group: group() },
        start: GroupStart::Last,
        missing_key: MissingKey::Create,
        entries_read: None,
    })
}

/// A blocked XREADGROUP COUNT 1 as dispatch runs it.
async fn blocked_read(
    clients: Arc<ShardClients>,
    consumer: u64,
    claim_min_idle_ms: Option<u64>,
) -> Vec<StreamClaims> {
    let (group, keys) = (group(), vec![key("s")]);
    let condition = WaitCondition::Group(GroupWait { group, keys, count: Some(1), claim_min_idle_ms });
    let mut wait = clients.wait(vec![(SHARD, condition)], None);
    loop {
        assert_eq!(wait.woken().await, Wake::Woken);
        let command = read_group(consumer, claim_min_idle_ms);
        let mut outcomes = clients.submit(SHARD, vec![command]).await.expect("a leader");
        match outcomes.remove(0) {
            Outcome::Streams(read) if read.streams.is_empty() => {}
            Outcome::Streams(read) => {
                let unclaimed = |read| StreamClaims { read, deliveries: Vec::new() };
                return read.streams.into_iter().map(unclaimed).collect();
            }
            Outcome::StreamsClaimed(claims) => return claims,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn blocked_readers_outlive_their_leader() {
    let mut cluster = Cluster::start();
    let leader = cluster.leader().expect("one leads");
    let (first, second) = (leader % NODES + 1, (leader + 1) % NODES + 1);
    let running = cluster.node(first);
    let created =
        running.runtime.block_on(async { running.clients.submit(SHARD, vec![create_group()]).await });
    assert_eq!(created, Ok(vec![Outcome::Done]));
    let readers: Vec<_> = (0..20)
        .map(|consumer| {
            let running = cluster.node(if consumer % 2 == 0 { first } else { second });
            running.runtime.spawn(blocked_read(Arc::clone(&running.clients), consumer, None))
        })
        .collect();
    cluster.wait("parked readers", || (cluster.node(leader).counters.waiters.get() == 20).then_some(()));
    cluster.kill(leader);
    let parked = || cluster.alive().map(|running| running.counters.waiters.get()).sum::<u64>();
    cluster.wait("readers at the new leader", || (parked() == 20).then_some(()));
    let running = cluster.node(first);
    running.runtime.block_on(async {
        for number in 0..20 {
            running.clients.submit(SHARD, vec![add(number)]).await.expect("a leader");
        }
        for reader in readers {
            let read = tokio::time::timeout(Duration::from_secs(10), reader).await.expect("woken");
            assert_eq!(read.expect("served")[0].read.entries.len(), 1);
        }
    });
    cluster.wait("an empty room", || (parked() == 0).then_some(()));
    // One wake a reader, give or take those that came before a grant was seen: no thundering herd.
    let wakes: u64 = cluster.alive().map(|running| running.counters.wakes.get()).sum();
    assert!((20..40).contains(&wakes), "{wakes} wakes");
}

#[test]
fn a_reader_who_claims_is_woken_by_time_alone_and_by_the_next_leader() {
    const IDLE_MS: u64 = 4000;
    let mut cluster = Cluster::start();
    let leader = cluster.leader().expect("one leads");
    let running = cluster.node(leader % NODES + 1);
    running.runtime.block_on(async {
        let commands = vec![create_group(), add(1), add(2), read_group(0, None), read_group(0, None)];
        running.clients.submit(SHARD, commands).await.expect("a leader");
        let served = blocked_read(Arc::clone(&running.clients), 1, Some(50)).await;
        assert_eq!(served[0].read.entries.len(), 1);
        assert!(served[0].deliveries[0].idle_ms >= 50, "{served:?}");
    });
    let reader = running.runtime.spawn(blocked_read(Arc::clone(&running.clients), 2, Some(IDLE_MS)));
    cluster.wait("a parked reader", || (cluster.node(leader).counters.waiters.get() == 1).then_some(()));
    cluster.kill(leader);
    let running = cluster.node(leader % NODES + 1);
    let served =
        running.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), reader).await });
    let served = served.expect("woken").expect("served");
    assert_eq!(served[0].read.entries.len(), 1);
    assert!(served[0].deliveries[0].idle_ms >= IDLE_MS, "{served:?}");
}
