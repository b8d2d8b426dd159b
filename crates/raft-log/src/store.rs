//! The public face: open a node's log, hand out shards, count, close.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rivermark_fs::SharedFileSystem;
use rivermark_types::ShardId;

use crate::counters::Counters;
use crate::error::{Corruption, LogFailed, OpenError, StorageError};
use crate::index::ShardIndex;
use crate::options::{Options, SegmentPreparation, WriterMode};
use crate::purge::Retention;
use crate::queue::{Job, Operation, Queue};
use crate::recovery::{self, Recovered};
use crate::segment::Segment;
use crate::segment_pool::SegmentPool;
use crate::shard_log::{OnDurable, ShardLog};
use crate::writer::Writer;

/// What the handles, the writer and the background thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) queue: Queue,
    pub(crate) pool: SegmentPool,
    pub(crate) segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    pub(crate) retention: Mutex<Retention>,
    pub(crate) counters: Mutex<Counters>,
    shards: RwLock<BTreeMap<ShardId, Arc<Mutex<ShardIndex>>>>,
}

impl Shared {
    /// The shard's index, made if there is none.
    pub(crate) fn cell(&self, shard: ShardId) -> Arc<Mutex<ShardIndex>> {
        if let Some(cell) = self.shards.read().get(&shard) {
            return Arc::clone(cell);
        }
        Arc::clone(self.shards.write().entry(shard).or_default())
    }

    /// Latches the failure and tells everyone who waits.
    pub(crate) fn fail(&self, failure: LogFailed) {
        if let LogFailed::Storage(error) = &failure {
            tracing::error!(%error, "the raft log stopped");
        }
        self.queue.fail(failure);
    }
}

/// Shared state plus whoever writes; closes the log when the last handle goes.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    /// The writer where no thread owns it.
    writer: Mutex<Option<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Frames were lost at a place that may have spoken of shards never heard of again.
    suspicion: Option<Corruption>,
}

impl Handle {
    /// In the inline mode, commits what waits.
    pub(crate) fn commit_inline(&self) {
        if self.shared.options.writer == WriterMode::Inline {
            self.commit_waiting();
        }
    }

    fn commit_waiting(&self) {
        // Who finds the writer busy leaves the job to it: it looks again after letting go.
        while self.shared.queue.has_jobs() {
            let Some(mut writer) = self.writer.try_lock() else { return };
            match writer.as_mut() {
                Some(writer) => writer.commit(),
                None => return,
            }
        }
    }

    fn close(&self) {
        match self.shared.options.writer {
            WriterMode::Thread => self.shared.queue.close(),
            WriterMode::Inline | WriterMode::Manual => {
                if let Some(mut writer) = self.writer.lock().take() {
                    writer.close();
                }
            }
        }
        self.shared.pool.close();
        for thread in self.threads.lock().drain(..) {
            // The last handle may die inside a callback, on the writer's own thread.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// The durable log of all shards of a node. Clones are handles to the same log; it closes when the last
/// handle, shard handles included, is dropped. One process at a time may open a folder.
#[derive(Debug, Clone)]
pub struct RaftLog {
    handle: Arc<Handle>,
}

impl RaftLog {
    /// Opens the log in `directory`, creating it if needed, and recovers what a crash left.
    ///
    /// Damage does not fail the opening: the shards concerned are reported in [`Recovered`] and answer
    /// every call with [`crate::LogError::Corrupt`] until they are forgotten.
    ///
    /// # Errors
    /// A file operation failed, a segment is of a newer format, or the options make no sense.
    pub fn open(
        fs: SharedFileSystem,
        directory: impl Into<PathBuf>,
        options: Options,
    ) -> Result<(Self, Recovered), OpenError> {
        options.check()?;
        let directory: PathBuf = directory.into();
        fs.create_directory(&directory).map_err(StorageError::at("create", &directory))?;
        let pool = SegmentPool::new(Arc::clone(&fs), directory.clone(), &options);
        let found = recovery::recover(&fs, &directory, &pool)?;
        let shared = Arc::new(Shared {
            options,
            queue: Queue::default(),
            pool,
            segments: RwLock::new(found.segments),
            retention: Mutex::new(found.retention),
            counters: Mutex::default(),
            shards: RwLock::new(found.shards),
        });
        let mut writer =
            Writer::new(Arc::clone(&shared), found.active, found.offset, found.next_sequence, found.written);
        writer.begin_session()?;
        set_aside(&fs, &directory, &found.unreadable)?;
        let handle = Handle {
            shared,
            writer: Mutex::new(None),
            threads: Mutex::default(),
            suspicion: found.recovered.unattributed().cloned(),
        };
        start(&handle, writer).map_err(StorageError::at("start a thread for", &directory))?;
        Ok((Self { handle: Arc::new(handle) }, found.recovered))
    }

    /// A handle to one shard's log, which is empty if the shard is new. If recovery lost frames of
    /// shards it could not name, a shard without any trace is corrupt until forgotten.
    pub fn shard(&self, shard: ShardId) -> ShardLog {
        let shared = &self.handle.shared;
        let known = shared.shards.read().contains_key(&shard);
        let cell = shared.cell(shard);
        if let Some(suspicion) = self.handle.suspicion.as_ref().filter(|_| !known) {
            let mut index = cell.lock();
            // Written down, or the suspicion would end when the damaged segment is recycled.
            let job = || Job { shard, operation: Operation::Distrust, on_durable: OnDurable::ignore() };
            index.hard.corrupt = true;
            index.corruption = Some(Corruption { shard: Some(shard), ..suspicion.clone() });
            // A failed log refuses everything anyway.
            let _ = shared.queue.push(job);
            drop(index);
            self.handle.commit_inline();
        }
        ShardLog::new(shard, cell, Arc::clone(&self.handle))
    }

    /// The shards the log knows.
    pub fn shards(&self) -> Vec<ShardId> {
        self.handle.shared.shards.read().keys().copied().collect()
    }

    /// Commits everything queued, on the calling thread; for [`WriterMode::Manual`].
    pub fn commit_waiting(&self) {
        self.handle.commit_waiting();
    }

    /// A reading of the counters.
    pub fn counters(&self) -> Counters {
        let shared = &self.handle.shared;
        let pool = shared.pool.counters();
        Counters {
            segments: shared.segments.read().len() as u64,
            spare_segments: pool.spares,
            segments_retired: pool.retired,
            segment_failures: pool.failures,
            log_bytes: shared.retention.lock().bytes_by_shard(),
            ..shared.counters.lock().clone()
        }
    }

    /// The longest sync since the last call; zero if there was none.
    pub fn take_longest_sync(&self) -> Duration {
        let mut counters = self.handle.shared.counters.lock();
        Duration::from_micros(std::mem::take(&mut counters.sync_times.recent_max_us))
    }

    /// Bytes of segments that stay because this shard still needs the oldest of them; zero if it holds
    /// nothing. Purging a shard frees disk only down to what the others pin.
    pub fn bytes_pinned_by(&self, shard: ShardId) -> u64 {
        let shared = &self.handle.shared;
        let Some(oldest) = shared.retention.lock().oldest_needed_by(shard) else { return 0 };
        shared.segments.read().range(oldest..).map(|(_, segment)| segment.capacity).sum()
    }

    /// Why the log stopped, if it did.
    pub fn failure(&self) -> Option<LogFailed> {
        self.handle.shared.queue.failed()
    }

    /// Commits what waits, marks the end of the log, and stops it. Calls after this fail.
    pub fn close(&self) {
        self.handle.close();
    }
}

/// Keeps damaged files for whoever investigates, under a name recovery passes over: which shards they
/// hit is durable by now.
fn set_aside(fs: &SharedFileSystem, directory: &Path, paths: &[PathBuf]) -> Result<(), StorageError> {
    for path in paths {
        tracing::error!(path = %path.display(), "a raft log segment is unreadable and set aside");
        fs.rename(path, &path.with_extension("damaged")).map_err(StorageError::at("rename", path))?;
        fs.sync_directory(directory).map_err(StorageError::at("sync", directory))?;
    }
    Ok(())
}

fn start(handle: &Handle, writer: Writer) -> std::io::Result<()> {
    let options = &handle.shared.options;
    let mut threads = handle.threads.lock();
    let mut spawn = |name: &str, body: Box<dyn FnOnce() + Send>| -> std::io::Result<()> {
        threads.push(thread::Builder::new().name(name.into()).spawn(body)?);
        Ok(())
    };
    if options.preparation == SegmentPreparation::Background {
        let shared = Arc::clone(&handle.shared);
        spawn("raft-log-segments", Box::new(move || shared.pool.run()))?;
    }
    match options.writer {
        WriterMode::Thread => spawn("raft-log-writer", Box::new(move || writer.run()))?,
        WriterMode::Inline | WriterMode::Manual => *handle.writer.lock() = Some(writer),
    }
    Ok(())
}
