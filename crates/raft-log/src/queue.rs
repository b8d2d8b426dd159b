//! The one queue in front of the writer, in which all shards' operations wait, and the failure latch.

use std::collections::BTreeMap;
use std::time::Duration;

use rivermark_types::ShardId;

use crate::entry::{EncodedPayload, LogId};
use crate::error::LogFailed;
use crate::record::Record;
use crate::shard_log::OnDurable;

/// A queued operation of one shard.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) shard: ShardId,
    pub(crate) operation: Operation,
    pub(crate) on_durable: OnDurable,
}

#[derive(Debug)]
pub(crate) enum Operation {
    /// Entries with their tickets.
    Append(Vec<(LogId, EncodedPayload, u64)>),
    Record(Record),
    /// The shard's durable state cannot be trusted any more.
    Distrust,
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) jobs: Vec<Job>,
    /// The latest commit hint of each shard: they ride along at the end of the next group.
    pub(crate) committed: BTreeMap<ShardId, Option<LogId>>,
}

/// Why the writer woke.
pub(crate) enum Wake {
    Work,
    Quiet,
    Close,
}

/// The queue in front of the writer, and the latch.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: parking_lot::Mutex<QueueState>,
    changed: parking_lot::Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: Waiting,
    closing: bool,
    failed: Option<LogFailed>,
}

impl Queue {
    /// Adds a job, having first run `prepare`, unless the log stopped. Nothing comes between the two.
    pub(crate) fn push(&self, prepare: impl FnOnce() -> Job) -> Result<(), LogFailed> {
        let mut state = self.state.lock();
        if let Some(failed) = &state.failed {
            return Err(failed.clone());
        }
        let job = prepare();
        if let Operation::Record(Record::Forget) = job.operation {
            state.waiting.committed.remove(&job.shard);
        }
        state.waiting.jobs.push(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Notes a commit hint without waking the writer.
    pub(crate) fn push_committed(&self, shard: ShardId, id: Option<LogId>) -> Result<(), LogFailed> {
        let mut state = self.state.lock();
        if let Some(failed) = &state.failed {
            return Err(failed.clone());
        }
        state.waiting.committed.insert(shard, id);
        Ok(())
    }

    pub(crate) fn take(&self) -> Waiting {
        std::mem::take(&mut self.state.lock().waiting)
    }

    pub(crate) fn has_jobs(&self) -> bool {
        !self.state.lock().waiting.jobs.is_empty()
    }

    /// Waits for something to do; for `quiet` at most, if given.
    pub(crate) fn wait(&self, quiet: Option<Duration>) -> Wake {
        let mut state = self.state.lock();
        loop {
            if state.closing || state.failed.is_some() {
                return Wake::Close;
            }
            if !state.waiting.jobs.is_empty() {
                return Wake::Work;
            }
            match quiet {
                None => self.changed.wait(&mut state),
                Some(quiet) => {
                    if self.changed.wait_for(&mut state, quiet).timed_out() && state.waiting.jobs.is_empty() {
                        return if state.closing { Wake::Close } else { Wake::Quiet };
                    }
                }
            }
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_one();
    }

    pub(crate) fn failed(&self) -> Option<LogFailed> {
        self.state.lock().failed.clone()
    }

    /// Latches the failure; the first one stays. Jobs that still wait are told.
    pub(crate) fn fail(&self, failure: LogFailed) {
        let mut state = self.state.lock();
        let failed = state.failed.get_or_insert(failure).clone();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for job in waiting.jobs {
            job.on_durable.fire(Err(failed.clone()));
        }
    }
}
