//! Snapshots of a shard: built without stopping apply, installed whole or not at all, and the decision
//! when to take one and how much log to keep behind it.
//!
//! Invariants:
//! * The log is purged only behind a snapshot that was written, synced, read back and verified
//!   ([`rivermark_store::SnapshotWriter::finish`]).
//! * A received snapshot gets its name only inside install, after the engine cut what contradicts it from
//!   the log: named earlier, a crash could leave a snapshot and a log that disagree.

use std::io;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{RaftSnapshotBuilder, alias};
use rivermark_raft_log::{RaftLog, ShardLog};
use rivermark_store::{Snapshot, SnapshotStore, SnapshotWriter, StoreError};
use rivermark_types::limits::LOG_TAIL_BYTES;
use rivermark_types::{LogIndex, ShardId};
use tokio::sync::watch;

use crate::codec::{decode_snapshot_meta, encode_snapshot_meta};
use crate::error::ReplicaError;
use crate::machine::{Image, Machine};
use crate::replica::Replica;
use crate::type_config::{Raft, SnapshotMeta, TypeConfig};

type EngineSnapshot = alias::SnapshotOf<TypeConfig, SnapshotData>;

/// How often a shard's log is measured.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How often a replica that is being saved looks for its snapshot.
const SAVE_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the engine passes around as a snapshot.
#[derive(Debug)]
pub(crate) enum SnapshotData {
    /// Finished, verified, named.
    Stored(Snapshot),
    /// Completely received, not yet synced, verified or named.
    Received(Box<SnapshotWriter>),
}

/// Writes one image to a snapshot file.
pub(crate) struct SnapshotBuilder {
    shard: ShardId,
    snapshots: SnapshotStore,
    /// Taken by the one build.
    image: Option<Image>,
    meta: SnapshotMeta,
}

impl SnapshotBuilder {
    pub(crate) fn new(shard: ShardId, snapshots: SnapshotStore, image: Image, meta: SnapshotMeta) -> Self {
        Self { shard, snapshots, image: Some(image), meta }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<EngineSnapshot> {
        let image = self.image.take().expect("a builder builds once");
        let (shard, snapshots, meta) = (self.shard, self.snapshots.clone(), self.meta.clone());
        let covered = LogIndex::new(meta.last_log_id.map_or(0, |id| id.index));
        let snapshot = blocking(move || {
            let mut writer = snapshots.writer(shard, covered, &encode_snapshot_meta(&meta))?;
            for chunk in image.chunks() {
                writer.push_chunk(&chunk)?;
            }
            writer.finish()
        })
        .await?;
        tracing::info!(%shard, %covered, bytes = snapshot.bytes(), "snapshot built");
        Ok(EngineSnapshot { meta: self.meta.clone(), snapshot: SnapshotData::Stored(snapshot) })
    }
}

/// The shard's latest snapshot, if it has one.
pub(crate) async fn latest(shard: ShardId, snapshots: SnapshotStore) -> io::Result<Option<EngineSnapshot>> {
    let Some(snapshot) = blocking(move || snapshots.latest(shard)).await? else { return Ok(None) };
    let meta = decode_snapshot_meta(snapshot.meta().clone())?;
    Ok(Some(EngineSnapshot { meta, snapshot: SnapshotData::Stored(snapshot) }))
}

/// Makes the snapshot the shard's latest, durably, and returns the machine it holds.
pub(crate) async fn install(shard: ShardId, data: SnapshotData) -> io::Result<Machine> {
    let restore = move || -> io::Result<Machine> {
        let snapshot = match data {
            SnapshotData::Stored(snapshot) => snapshot,
            SnapshotData::Received(writer) => writer.finish().map_err(to_io)?,
        };
        Machine::restore(shard, snapshot.chunks().map(|chunk| chunk.map_err(to_io)))
    };
    tokio::task::spawn_blocking(restore).await.map_err(io::Error::other)?
}

/// Runs file work where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?.map_err(to_io)
}

pub(crate) fn to_io(error: StoreError) -> io::Error {
    let kind = match &error {
        StoreError::Corruption(_) => io::ErrorKind::InvalidData,
        StoreError::Storage(_) | StoreError::TooLarge { .. } => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl Replica {
    /// Takes a snapshot that covers what the machine has applied now, unless the latest one does.
    pub(crate) async fn save(&self, patience: Duration) -> Result<(), ReplicaError> {
        let covered = || {
            let metrics = self.raft.data_metrics();
            let metrics = metrics.borrow_watched();
            (metrics.last_applied.map(|id| id.index), metrics.snapshot.map(|id| id.index))
        };
        let (wanted, _) = covered();
        let failed = |what: String| ReplicaError::Failed(format!("shard {}: {what}", self.shard));
        let saving = async {
            let mut asked_at = None;
            loop {
                let (_, snapshot) = covered();
                if snapshot >= wanted {
                    return Ok(());
                }
                // Asked again only once another one is done: the engine passes over what is asked while it builds,
                // and that one may be too old.
                if asked_at != Some(snapshot) {
                    asked_at = Some(snapshot);
                    self.raft.trigger().snapshot().await.map_err(|fatal| failed(fatal.to_string()))?;
                }
                tokio::time::sleep(SAVE_POLL_INTERVAL).await;
            }
        };
        let in_time = tokio::time::timeout(patience, saving).await;
        in_time.unwrap_or_else(|_| Err(failed("no snapshot in time".to_owned())))
    }
}

/// Decides when a shard is snapshotted and its log purged.
pub(crate) struct SnapshotKeeper {
    pub(crate) shard: ShardId,
    pub(crate) raft: Raft,
    pub(crate) log: RaftLog,
    pub(crate) shard_log: ShardLog,
    pub(crate) snapshots: SnapshotStore,
    /// Log bytes that call for a snapshot.
    pub(crate) log_bytes: u64,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl SnapshotKeeper {
    /// Runs until the replica stops.
    pub(crate) async fn run(mut self) {
        let mut interval = tokio::time::interval(CHECK_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Index covered by the snapshot last asked for, so that one is not asked for twice.
        let mut asked_at = None;
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
            }
            let Some(log) = self.measure() else { continue };
            if asked_at <= log.snapshot && self.is_due(&log) {
                asked_at = log.applied;
                if self.raft.trigger().snapshot().await.is_err() {
                    return;
                }
            }
            if let Some(upto) = self.purge_upto(&log)
                && self.raft.trigger().purge_log(upto).await.is_err()
            {
                return;
            }
        }
    }

    fn measure(&self) -> Option<Measured> {
        let state = self.shard_log.state().ok()?;
        let bytes = self.log.counters().log_bytes.get(&self.shard).copied().unwrap_or(0);
        let metrics = self.raft.data_metrics();
        let metrics = metrics.borrow_watched();
        Some(Measured {
            applied: metrics.last_applied.map(|id| id.index),
            snapshot: metrics.snapshot.map(|id| id.index),
            first: state.first?.index.get(),
            last: state.last?.index.get(),
            bytes,
            pinned: self.log.bytes_pinned_by(self.shard),
        })
    }

    /// Whether the log that a new snapshot would cover is worth one: as large as the last snapshot, so that
    /// snapshots cost no more writing than the log itself, or pinning the segments of all other shards.
    fn is_due(&self, log: &Measured) -> bool {
        let uncovered = log.bytes_of(next(log.applied).saturating_sub(next(log.snapshot)));
        if log.applied <= log.snapshot {
            return false;
        }
        let last_bytes =
            self.snapshots.latest(self.shard).ok().flatten().map_or(0, |snapshot| snapshot.bytes());
        uncovered >= self.log_bytes.max(last_bytes) || self.pins_others(log)
    }

    fn pins_others(&self, log: &Measured) -> bool {
        log.pinned >= self.log_bytes.saturating_mul(PINNED_FACTOR) && log.bytes < log.pinned / PINNED_FACTOR
    }

    /// What may be purged: what the snapshot covers, but for a tail that lets a follower that was away for
    /// a moment catch up from the log.
    fn purge_upto(&self, log: &Measured) -> Option<u64> {
        let snapshot = log.snapshot.filter(|snapshot| *snapshot >= log.first)?;
        if self.pins_others(log) {
            return Some(snapshot);
        }
        let tail_bytes = LOG_TAIL_BYTES.min(self.log_bytes / 4);
        let kept = log.entries_of(tail_bytes);
        let upto = snapshot.min(log.last.checked_sub(kept)?);
        // In steps: each purge is a record in the log.
        (upto >= log.first + log.entries() / 8).then_some(upto)
    }
}

/// A shard's log as it stands. Bytes are taken to be spread evenly over the entries.
struct Measured {
    applied: Option<u64>,
    snapshot: Option<u64>,
    first: u64,
    last: u64,
    bytes: u64,
    /// Bytes of segments kept for this shard's sake.
    pinned: u64,
}

impl Measured {
    fn entries(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first).max(1)
    }

    fn bytes_of(&self, entries: u64) -> u64 {
        (u128::from(self.bytes) * u128::from(entries) / u128::from(self.entries())) as u64
    }

    fn entries_of(&self, bytes: u64) -> u64 {
        (u128::from(self.entries()) * u128::from(bytes) / u128::from(self.bytes.max(1))) as u64
    }
}

/// A shard may pin this many times its share of log before it is snapshotted for the others' sake.
const PINNED_FACTOR: u64 = 8;

fn next(index: Option<u64>) -> u64 {
    index.map_or(0, |index| index + 1)
}
