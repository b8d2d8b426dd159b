//! One shard's log: a cheap handle that queues operations and reads entries.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rivermark_types::{LogIndex, ShardId};

use crate::entry::{EncodedPayload, LogEntry, LogId, StoredEntry, Vote};
use crate::error::{AppendError, Corruption, LogError, LogFailed};
use crate::index::{Located, Place, ShardIndex};
use crate::queue::{Job, Operation};
use crate::record::Record;
use crate::segment::EntryReadError;
use crate::store::Handle;

type DurableCallback = Box<dyn FnOnce(Result<(), LogFailed>) + Send>;

/// What to do once an operation is durable, or never will be. Runs on the writer's thread: be brief.
#[derive(Default)]
pub struct OnDurable(Option<DurableCallback>);

impl OnDurable {
    /// Nothing.
    pub fn ignore() -> Self {
        Self(None)
    }

    /// Calls `callback`.
    pub fn call(callback: impl FnOnce(Result<(), LogFailed>) + Send + 'static) -> Self {
        Self(Some(Box::new(callback)))
    }

    pub(crate) fn fire(self, result: Result<(), LogFailed>) {
        if let Some(callback) = self.0 {
            callback(result);
        }
    }
}

impl fmt::Debug for OnDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "OnDurable(call)" } else { "OnDurable(ignore)" })
    }
}

/// Which entries a shard's log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardLogState {
    /// The last purged entry.
    pub purged: Option<LogId>,
    /// The first entry.
    pub first: Option<LogId>,
    /// The last entry or, if there is none, the last purged one.
    pub last: Option<LogId>,
}

/// A handle to one shard's log. Operations take effect in memory at once, in the order of the calls,
/// and on disk in the same order; `OnDurable` tells when. If a call fails its `OnDurable` is dropped.
#[derive(Debug, Clone)]
pub struct ShardLog {
    shard: ShardId,
    cell: Arc<Mutex<ShardIndex>>,
    handle: Arc<Handle>,
}

impl ShardLog {
    pub(crate) fn new(shard: ShardId, cell: Arc<Mutex<ShardIndex>>, handle: Arc<Handle>) -> Self {
        Self { shard, cell, handle }
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Adds entries behind the last. They are readable on return.
    ///
    /// # Errors
    /// Nothing is added if the log failed, the shard is corrupt, an entry is too large, or an index does
    /// not follow the one before; the first entry of a log without a purge point may have any index.
    pub fn append(&self, entries: Vec<LogEntry>, on_durable: OnDurable) -> Result<(), LogError> {
        let mut index = self.readable()?;
        self.check(&index, &entries)?;
        let shared = &self.handle.shared;
        shared.queue.push(|| {
            let entries = entries
                .into_iter()
                .map(|entry| (entry.id, entry.payload.clone(), index.append(entry.id, entry.payload)))
                .collect();
            Job { shard: self.shard, operation: Operation::Append(entries), on_durable }
        })?;
        drop(index);
        self.handle.commit_inline();
        Ok(())
    }

    fn check(&self, index: &ShardIndex, entries: &[LogEntry]) -> Result<(), AppendError> {
        let max = self.handle.shared.options.payload_bytes_max();
        let mut range = index.hard.range;
        for entry in entries {
            let bytes = entry.payload.len();
            if bytes > max {
                return Err(AppendError::TooLarge { bytes, max });
            }
            if !range.accepts(entry.id.index.get()) {
                let expected = LogIndex::new(range.next.unwrap_or(0));
                return Err(AppendError::NotConsecutive { index: entry.id.index, expected });
            }
            range.append(entry.id.index.get());
        }
        Ok(())
    }

    /// Stores the shard's vote. A node must not act on a vote before it is durable.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn save_vote(&self, vote: Vote, on_durable: OnDurable) -> Result<(), LogError> {
        self.queue(Record::Vote(vote), on_durable)
    }

    /// Notes how far the shard is committed: a hint that becomes durable with the next group commit.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn save_committed(&self, committed: Option<LogId>) -> Result<(), LogError> {
        let mut index = self.readable()?;
        self.handle.shared.queue.push_committed(self.shard, committed)?;
        index.apply(Record::Committed(committed));
        Ok(())
    }

    /// Drops the entries after `last_kept`, or all of them.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn truncate_after(&self, last_kept: Option<LogIndex>, on_durable: OnDurable) -> Result<(), LogError> {
        self.queue(Record::Truncate(last_kept), on_durable)
    }

    /// Drops the entries up to `id`. It may lie behind the last entry: the log then continues after it,
    /// as when a snapshot was installed.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn purge(&self, id: LogId, on_durable: OnDurable) -> Result<(), LogError> {
        self.queue(Record::Purge(id), on_durable)
    }

    /// Makes the shard as if it had never been on this node, vote included, and clears corruption. Safe
    /// only if this node will not vote or lead for the shard under its old identity.
    ///
    /// # Errors
    /// The log failed.
    pub fn forget(&self, on_durable: OnDurable) -> Result<(), LogError> {
        self.queue_on(self.cell.lock(), Record::Forget, on_durable)
    }

    fn queue(&self, record: Record, on_durable: OnDurable) -> Result<(), LogError> {
        self.queue_on(self.sound()?, record, on_durable)
    }

    fn queue_on(
        &self,
        mut index: MutexGuard<'_, ShardIndex>,
        record: Record,
        on_durable: OnDurable,
    ) -> Result<(), LogError> {
        self.handle.shared.queue.push(|| {
            index.apply(record);
            Job { shard: self.shard, operation: Operation::Record(record), on_durable }
        })?;
        drop(index);
        self.handle.commit_inline();
        Ok(())
    }

    /// The index, if the shard may be served at all.
    fn sound(&self) -> Result<MutexGuard<'_, ShardIndex>, LogError> {
        let index = self.cell.lock();
        match &index.corruption {
            Some(corruption) => Err(corruption.clone().into()),
            None => Ok(index),
        }
    }

    /// As [`Self::sound`], and the log has not failed.
    fn readable(&self) -> Result<MutexGuard<'_, ShardIndex>, LogError> {
        match self.handle.shared.queue.failed() {
            Some(failed) => Err(failed.into()),
            None => self.sound(),
        }
    }

    /// Why the shard is not served, if so.
    pub fn corruption(&self) -> Option<Corruption> {
        self.cell.lock().corruption.clone()
    }

    /// The vote last saved.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn vote(&self) -> Result<Option<Vote>, LogError> {
        Ok(self.readable()?.hard.vote)
    }

    /// The commit hint last saved.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn committed(&self) -> Result<Option<LogId>, LogError> {
        Ok(self.readable()?.hard.committed)
    }

    /// Which entries there are.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn state(&self) -> Result<ShardLogState, LogError> {
        let index = self.readable()?;
        let range = index.hard.range;
        Ok(ShardLogState { purged: range.purged, first: index.id_at(range.first), last: index.last() })
    }

    /// The id of the entry at an index, if the log holds it.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn id_at(&self, index: LogIndex) -> Result<Option<LogId>, LogError> {
        Ok(self.readable()?.id_at(index.get()))
    }

    /// The last entry of each leader, in order.
    ///
    /// # Errors
    /// The log failed or the shard is corrupt.
    pub fn leader_ends(&self) -> Result<Vec<LogId>, LogError> {
        Ok(self.readable()?.leader_ends().collect())
    }

    /// The entries of a range that the log holds, in order and without holes, up to about `bytes_max`
    /// of payload but at least one. Each is verified if it comes from disk.
    ///
    /// # Errors
    /// The log failed, a read failed, or the shard is corrupt: damaged entries are never returned.
    pub fn read(&self, range: Range<LogIndex>, bytes_max: usize) -> Result<Vec<StoredEntry>, LogError> {
        'again: loop {
            let located = locate(&*self.readable()?, &range, bytes_max);
            self.count_reads(&located);
            let mut entries = Vec::with_capacity(located.len());
            for (id, located) in located {
                let payload = match located {
                    Located::Cached(payload) => payload,
                    Located::OnDisk(place) => match self.read_from_disk(id, place) {
                        Ok(payload) => payload,
                        Err(error) if self.is_still_at(id, place)? => return Err(error),
                        // The entry was dropped, and its segment perhaps reused, while it was read.
                        Err(_) => continue 'again,
                    },
                };
                entries.push(StoredEntry { id, payload });
            }
            return Ok(entries);
        }
    }

    fn is_still_at(&self, id: LogId, place: Place) -> Result<bool, LogError> {
        let now = self.readable()?.locate(id.index);
        Ok(matches!(now, Some((now_id, Located::OnDisk(now))) if (now_id, now) == (id, place)))
    }

    fn count_reads(&self, located: &[(LogId, Located)]) {
        let cached = located.iter().filter(|(_, located)| matches!(located, Located::Cached(_))).count();
        let mut counters = self.handle.shared.counters.lock();
        counters.cache_hits += cached as u64;
        counters.cache_misses += (located.len() - cached) as u64;
    }

    fn read_from_disk(&self, id: LogId, place: Place) -> Result<EncodedPayload, LogError> {
        let corrupt = || Corruption {
            shard: Some(self.shard),
            segment: u64::from(place.segment),
            offset: u64::from(place.offset),
            reason: "a log entry fails its checksum",
        };
        let segment = self.handle.shared.segments.read().get(&u64::from(place.segment)).cloned();
        let segment = segment.ok_or_else(corrupt)?;
        match segment.read_entry(self.shard, id, place) {
            Ok(payload) => Ok(payload.into()),
            Err(EntryReadError::Mismatch) => Err(corrupt().into()),
            Err(EntryReadError::Io(error)) => Err(LogError::Read(Arc::new(error))),
        }
    }
}

/// Where the entries of a range are, as of one moment.
fn locate(index: &ShardIndex, range: &Range<LogIndex>, bytes_max: usize) -> Vec<(LogId, Located)> {
    let first = index.hard.range.first.max(range.start.get());
    let mut bytes = 0;
    (first..range.end.get())
        .map_while(|at| index.locate(LogIndex::new(at)))
        .take_while(|(_, located)| {
            let fits = bytes < bytes_max || bytes == 0;
            bytes += match located {
                Located::Cached(payload) => payload.len(),
                Located::OnDisk(place) => place.length as usize,
            };
            fits
        })
        .collect()
}
