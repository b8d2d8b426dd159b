//! Nodes in one process, each on a runtime of its own, speaking over loopback. Dropping a node's runtime
//! is its sudden death: nothing is flushed, told or handed over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, missing_docs, reason = "each test target uses its part")]

use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use rivermark_cluster::{Node, NodeState};
use rivermark_fs::{OsFileSystem, SharedFileSystem};
use rivermark_raft::{
    EffectSink, EncodedPart, InitialCluster, NodeOptions, ProposeError, RaftNode, Replica, Role, TcpDialer,
    Timing,
};
use rivermark_stream::command::{MissingKey, NewEntryId, XAdd};
use rivermark_stream::{Command, Effect, Fields, Outcome, PartBuilder, PartOutcome, Query};
use rivermark_types::{Clock, DatabaseIndex, NodeId, SessionId, ShardId, StreamKey, UnixMillis};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Server;

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        UnixMillis::new(since.as_millis() as u64)
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Sink {
    pub effects: Mutex<Vec<(ShardId, Effect)>>,
    pub lost: Mutex<Vec<ShardId>>,
}

impl EffectSink for Sink {
    fn effects(&self, shard: ShardId, effects: Vec<Effect>) {
        self.effects.lock().extend(effects.into_iter().map(|effect| (shard, effect)));
    }

    fn leadership_lost(&self, shard: ShardId) {
        self.lost.lock().push(shard);
    }
}

pub struct Running {
    pub node: Arc<RaftNode>,
    pub sink: Arc<Sink>,
    runtime: Runtime,
}

impl Running {
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

pub struct Cluster {
    pub directory: TempDir,
    pub initial: InitialCluster,
    pub snapshot_log_bytes: u64,
    /// What nodes are started on.
    pub fs: SharedFileSystem,
    pub nodes: Vec<Option<Running>>,
}

pub const KEY: &str = "k";

impl Cluster {
    /// Starts `count` nodes and waits until every shard has a leader.
    pub fn start(count: u64, shards: u32, replication: u32) -> Self {
        let mut cluster = Self::prepare(count, shards, replication);
        for id in 1..=count {
            cluster.start_node(id);
        }
        cluster.wait_until_led();
        cluster
    }

    pub fn prepare(count: u64, shards: u32, replication: u32) -> Self {
        // RUST_LOG=rivermark=debug shows what happens.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let nodes = (1..=count)
            .map(|id| {
                let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                Node {
                    id: NodeId::new(id),
                    rpc_address: format!("127.0.0.1:{}", port()),
                    resp_address: format!("127.0.0.1:{}", 20000 + id),
                    resp_tls_address: String::new(),
                    http_address: String::new(),
                    state: NodeState::Active,
                }
            })
            .collect();
        Self {
            directory: tempfile::tempdir().unwrap(),
            initial: InitialCluster { nodes, shards, replication },
            snapshot_log_bytes: 64 << 20,
            fs: Arc::new(OsFileSystem),
            nodes: (0..count).map(|_| None).collect(),
        }
    }

    pub fn data_dir(&self, id: u64) -> PathBuf {
        self.directory.path().join(id.to_string())
    }

    pub fn start_node(&mut self, id: u64) {
        let address = self.initial.nodes[id as usize - 1].rpc_address.clone();
        let running = self.launch(id, Role::Replica, &self.data_dir(id), Some(&address));
        self.nodes[id as usize - 1] = Some(running);
    }

    pub fn launch(&self, id: u64, role: Role, data_dir: &Path, listen: Option<&str>) -> Running {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let sink = Arc::new(Sink::default());
        let log = rivermark_raft_log::Options {
            segment_bytes: 4 << 20,
            cache_bytes: 1 << 20,
            ..Default::default()
        };
        let options = NodeOptions {
            node_id: NodeId::new(id),
            role,
            fs: Arc::clone(&self.fs),
            data_dir: data_dir.to_owned(),
            clock: Arc::new(SystemClock),
            dialer: Arc::new(TcpDialer),
            initial: self.initial.clone(),
            cache: None,
            timing: Timing::default(),
            log,
            snapshot_log_bytes: self.snapshot_log_bytes,
            effect_sink: Arc::clone(&sink) as Arc<dyn EffectSink>,
        };
        let node = runtime.block_on(async {
            let node = RaftNode::start(options).await.unwrap();
            if let Some(address) = listen {
                let listener = tokio::net::TcpListener::bind(address).await.unwrap();
                let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
                let server = Server::builder().add_routes(node.grpc_routes());
                tokio::spawn(server.serve_with_incoming(incoming));
            }
            node
        });
        Running { node, sink, runtime }
    }

    pub fn node(&self, id: u64) -> &Running {
        self.nodes[id as usize - 1].as_ref().unwrap()
    }

    pub fn running(&self) -> impl Iterator<Item = &Running> {
        self.nodes.iter().flatten()
    }

    /// Sudden death.
    pub fn kill(&mut self, id: u64) {
        let Running { node, sink, runtime } = self.nodes[id as usize - 1].take().unwrap();
        drop((node, sink));
        runtime.shutdown_timeout(Duration::from_secs(5));
    }

    pub fn stop(&mut self, id: u64) {
        let running = self.nodes[id as usize - 1].take().unwrap();
        running.block_on(running.node.shutdown());
        running.runtime.shutdown_timeout(Duration::from_secs(5));
    }

    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (1..=self.initial.shards).map(ShardId::new)
    }

    pub fn wait_until_led(&self) {
        wait("every shard has a leader", Duration::from_secs(15), || {
            self.shards().all(|shard| self.leader(shard).is_some()).then_some(())
        });
    }

    /// The running node that leads a shard.
    pub fn leader(&self, shard: ShardId) -> Option<u64> {
        let leads = |running: &&Running| {
            running.node.replica(shard).is_some_and(|r| r.leadership().borrow().is_local_leader)
        };
        self.running().find(leads).map(|running| running.node.node_id().get())
    }

    pub fn leader_replica(&self, shard: ShardId) -> Option<Arc<Replica>> {
        let leader = self.leader(shard)?;
        self.node(leader).node.replica(shard)
    }

    /// Waits until all running replicas of a shard hold the same.
    pub fn wait_until_equal(&self, shard: ShardId) -> u64 {
        wait("replicas are equal", Duration::from_secs(15), || {
            let replicas: Vec<_> = self.running().filter_map(|r| r.node.replica(shard)).collect();
            let digests: Vec<u64> =
                replicas.iter().map(|replica| replica.with_machine(|machine| machine.digest())).collect();
            let applied: Vec<_> = replicas.iter().map(|replica| replica.status().applied).collect();
            let is_equal = |all: &[u64]| all.iter().all(|digest| *digest == all[0]);
            (is_equal(&digests) && applied.iter().all(|a| *a == applied[0])).then(|| digests[0])
        })
    }
}

pub fn wait<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn key() -> StreamKey {
    StreamKey::new(DatabaseIndex::default(), Bytes::from_static(KEY.as_bytes()))
}

pub fn add(value: &[u8]) -> Command {
    Command::XAdd(XAdd {
        key: key(),
        missing_key: MissingKey::Create,
        trim: None,
        id: NewEntryId::Auto,
        fields: Fields::from_pairs([(&b"f"[..], value)]),
    })
}

/// A router's session with a shard, as the server keeps one.
pub struct Session {
    pub id: SessionId,
    pub next: u64,
}

impl Session {
    pub fn new(id: u64) -> Self {
        Self { id: SessionId::new(id), next: 1 }
    }

    pub fn part(&mut self, commands: &[Command]) -> EncodedPart {
        let mut builder = PartBuilder::new(self.id, self.next, self.next);
        commands.iter().for_each(|command| builder.push(command));
        self.next += commands.len() as u64;
        EncodedPart::new(&builder.finish())
    }

    /// Writes until it is acknowledged, whoever leads, as a router does.
    pub fn write(&mut self, cluster: &Cluster, shard: ShardId, value: &[u8]) {
        let part = self.part(&[add(value)]);
        wait("a write is acknowledged", Duration::from_secs(10), || {
            let leader = cluster.leader(shard)?;
            let running = cluster.node(leader);
            let receiver = running.node.replica(shard)?.submit(part.clone());
            let answer = running
                .block_on(async { tokio::time::timeout(Duration::from_secs(2), receiver).await })
                .ok()?;
            match answer.expect("every submission is answered") {
                Ok(PartOutcome::Applied(outcomes)) => {
                    assert!(matches!(outcomes[..], [Outcome::EntryId(_)]), "{outcomes:?}");
                    Some(())
                }
                Ok(other) => panic!("{other:?}"),
                Err(ProposeError::Overloaded) => panic!("overloaded"),
                Err(_) => None,
            }
        });
    }
}

/// The stream's length, read linearizably at the leader.
pub fn length(cluster: &Cluster, shard: ShardId) -> i64 {
    wait("a read is served", Duration::from_secs(5), || {
        let running = cluster.node(cluster.leader(shard)?);
        let replica = running.node.replica(shard)?;
        running.block_on(replica.read_barrier()).ok()?;
        let now = replica.now();
        match replica.with_machine(|machine| machine.query(now, &Query::XLen(key()))) {
            Outcome::Integer(length) => Some(length),
            other => panic!("{other:?}"),
        }
    })
}
