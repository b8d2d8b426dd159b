//! One shard's replica on this node: the engine, the machine, and the tasks between them.
//!
//! A replica is made from what its node's disk holds; it never begins anew where data is present. Its
//! tasks end with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::errors::{InitializeError, RaftError};
use openraft::impls::EmptyNode;
use openraft::{Config, SnapshotPolicy};
use parking_lot::Mutex;
use rivermark_raft_log::{LogStorage, RaftLog, ShardLog};
use rivermark_store::SnapshotStore;
use rivermark_stream::PartOutcome;
use rivermark_types::{Clock, NodeId, ShardId, UnixMillis};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::apply::{Audience, MachineCell, StateMachine};
use crate::codec::Codec;
use crate::error::{FatalError, ProposeError, ReadError, ReplicaError};
use crate::leadership::{Leadership, LeadershipTask};
use crate::machine::Machine;
use crate::network::Network;
use crate::options::Timing;
use crate::propose::Proposer;
use crate::propose_queue::{EncodedPart, ProposeQueue};
use crate::read::{ReadQueue, Reader};
use crate::snapshot::SnapshotKeeper;
use crate::type_config::{Raft, TypeConfig};

/// Entries of one append request; their bytes are bounded by the log's reads.
const APPEND_ENTRIES_MAX: u64 = 256;
/// How long a read waits for the machine after the quorum confirmed it.
const APPLY_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a node gives each of its replicas.
#[derive(Clone)]
pub(crate) struct ReplicaContext {
    pub(crate) node: NodeId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timing: Timing,
    pub(crate) log: RaftLog,
    pub(crate) snapshots: SnapshotStore,
    pub(crate) snapshot_log_bytes: u64,
    pub(crate) audience: Audience,
    pub(crate) network: Network,
    pub(crate) on_fatal: Arc<dyn Fn(FatalError) + Send + Sync>,
}

/// A shard's replica on this node.
pub struct Replica {
    pub(crate) shard: ShardId,
    pub(crate) node: NodeId,
    pub(crate) raft: Raft,
    pub(crate) log: RaftLog,
    pub(crate) readmitted: Arc<Mutex<BTreeSet<NodeId>>>,
    pub(crate) proposals: Arc<ProposeQueue>,
    pub(crate) cell: Arc<MachineCell>,
    pub(crate) stamps: Arc<Stamps>,
    leadership: watch::Receiver<Leadership>,
    reads: Arc<ReadQueue>,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// The leader's clock, never below a stamp given out or applied.
pub(crate) struct Stamps {
    clock: Arc<dyn Clock>,
    cell: Arc<MachineCell>,
    last: AtomicU64,
}

impl Stamps {
    /// The present: monotone on this node, and never before what the machine has seen.
    pub(crate) fn next(&self) -> UnixMillis {
        let present = self.clock.now().max(self.cell.stamp()).get();
        UnixMillis::new(self.last.fetch_max(present, Ordering::AcqRel).max(present))
    }

    /// Whether the machine waits for a stamp that is due.
    pub(crate) fn deadline_passed(&self) -> bool {
        let deadline = self.cell.read(|machine| machine.streams().and_then(|m| m.next_deadline()));
        deadline.is_some_and(|deadline| deadline <= self.next())
    }
}

impl Replica {
    pub(crate) async fn start(shard: ShardId, context: ReplicaContext) -> Result<Arc<Self>, ReplicaError> {
        let shard_log = context.log.shard(shard);
        if let Some(corruption) = shard_log.corruption() {
            return Err(ReplicaError::Corrupt(corruption.to_string()));
        }
        let cell = Arc::new(MachineCell::new(shard));
        let snapshots = context.snapshots.clone();
        // Looked at here only to tell damage from other failures.
        snapshots.latest(shard)?;
        let machine = StateMachine::new(shard, Arc::clone(&cell), snapshots, context.audience.clone());
        let storage = LogStorage::<TypeConfig, Codec>::new(shard_log.clone());
        let readmitted: Arc<Mutex<BTreeSet<NodeId>>> = Arc::default();
        let network = Network { shard, readmitted: Arc::clone(&readmitted), ..context.network.clone() };
        let config = Arc::new(engine_config(shard, &context.timing));
        let node = context.node.get();
        let raft = Raft::new(node, config, network, storage, machine)
            .await
            .map_err(|fatal| ReplicaError::Failed(fatal.to_string()))?;

        let stamps =
            Stamps { clock: Arc::clone(&context.clock), cell: Arc::clone(&cell), last: AtomicU64::new(0) };
        let (leadership, leadership_receiver) = watch::channel(Leadership::default());
        let replica = Arc::new(Self {
            shard,
            node: context.node,
            raft,
            log: context.log.clone(),
            readmitted,
            proposals: Arc::default(),
            cell,
            stamps: Arc::new(stamps),
            leadership: leadership_receiver,
            reads: Arc::default(),
            stopping: watch::Sender::new(false),
            tasks: Mutex::default(),
        });
        replica.start_tasks(context, shard_log, leadership);
        Ok(replica)
    }

    fn start_tasks(
        &self,
        context: ReplicaContext,
        shard_log: ShardLog,
        leadership: watch::Sender<Leadership>,
    ) {
        let (shard, raft) = (self.shard, &self.raft);
        let stopping = || self.stopping.subscribe();
        let leadership = LeadershipTask {
            shard,
            raft: raft.clone(),
            cell: Arc::clone(&self.cell),
            audience: context.audience,
            leadership,
            on_fatal: context.on_fatal,
            stopping: stopping(),
        };
        let proposer = Proposer {
            shard,
            raft: raft.clone(),
            queue: Arc::clone(&self.proposals),
            stamps: Arc::clone(&self.stamps),
            leadership: self.leadership.clone(),
            retry_max: context.timing.election_max() * 2,
            stopping: stopping(),
            progress: Default::default(),
        };
        let reader = Reader {
            raft: raft.clone(),
            queue: Arc::clone(&self.reads),
            cell: Arc::clone(&self.cell),
            apply_wait_max: APPLY_WAIT_MAX,
            stopping: stopping(),
        };
        let keeper = SnapshotKeeper {
            shard,
            raft: raft.clone(),
            log: context.log,
            shard_log,
            snapshots: context.snapshots,
            log_bytes: context.snapshot_log_bytes,
            stopping: stopping(),
        };
        self.tasks.lock().extend([
            tokio::spawn(leadership.run()),
            tokio::spawn(proposer.run()),
            tokio::spawn(reader.run()),
            tokio::spawn(keeper.run()),
        ]);
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Enqueues a part for the next batch. Never waits: the order of calls is the order in the log.
    ///
    /// The answer arrives once a quorum has the part on disk and the machine applied it, or once it is
    /// certain or likely that this will not happen, see [`ProposeError`].
    pub fn submit(&self, part: EncodedPart) -> oneshot::Receiver<Result<PartOutcome, ProposeError>> {
        self.proposals.submit(part, *self.leadership.borrow())
    }

    /// Returns once the machine shows everything that was acknowledged before the call.
    ///
    /// # Errors
    /// This node does not lead, no quorum confirmed in time that it does, or it is shutting down.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        let leadership = *self.leadership.borrow();
        self.reads.barrier(leadership).await
    }

    /// Reads the machine as it is now. For a linearizable read [`Self::read_barrier`] comes first.
    ///
    /// # Panics
    /// On the metadata shard, whose state is the topology.
    pub fn with_machine<T>(&self, read: impl FnOnce(&rivermark_stream::Machine) -> T) -> T {
        self.cell.read(|machine| read(machine.streams().expect("asked of a stream shard")))
    }

    /// The present as queries and waiters should see it: monotone, and never before what was applied.
    pub fn now(&self) -> UnixMillis {
        self.stamps.next()
    }

    /// The longest time a batch took from proposal to outcome since the last call, while this node led; zero if
    /// there was none.
    pub fn take_longest_commit(&self) -> Duration {
        self.proposals.take_longest_commit()
    }

    /// Follows who leads.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    pub(crate) fn read_machine<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        self.cell.read(read)
    }

    /// Founds the shard with these members, unless it exists. All founding members may do so, with the
    /// same list.
    pub(crate) async fn initialize(&self, members: &[NodeId]) {
        match self.raft.is_initialized().await {
            Ok(false) => {}
            Ok(true) | Err(_) => return,
        }
        let members: BTreeMap<u64, EmptyNode> =
            members.iter().map(|node| (node.get(), EmptyNode::new())).collect();
        match self.raft.initialize(members).await {
            // Another founding member was faster.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(error) => tracing::error!(shard = %self.shard, %error, "shard not founded"),
        }
    }

    /// Ends the tasks and the engine. What was proposed and not answered is answered now.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(shard = %self.shard, %error, "a task of the replica panicked");
            }
        }
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(shard = %self.shard, %error, "the consensus engine panicked");
        }
    }
}

/// The engine's settings. What is left at its default was looked at.
fn engine_config(shard: ShardId, timing: &Timing) -> Config {
    let config = Config {
        cluster_name: format!("shard {shard}"),
        heartbeat_interval: timing.heartbeat_ms,
        // Appends count as heartbeats.
        heartbeat_min_interval: Some(timing.heartbeat_ms),
        election_timeout_min: timing.election_min_ms,
        election_timeout_max: timing.election_max_ms,
        enable_pre_vote: Some(true),
        // A restarted leader must be elected again: its machine may be behind.
        enable_leader_restore: Some(false),
        allow_log_reversion: Some(false),
        max_payload_entries: APPEND_ENTRIES_MAX,
        // Snapshots and purges are the keeper's decision, by bytes.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        install_snapshot_timeout: 60_000,
        backoff: "20ms 50ms 100ms ...500ms".to_owned(),
        ..Config::default()
    };
    config.validate().expect("the node's options were checked")
}
