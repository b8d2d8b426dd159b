//! The one writer: everything that waits, one vectored write, one sync, then all callbacks.
//!
//! The order of the queue is the order on disk and the order of callbacks. A group commit never spans
//! segments: when one is full it is synced before the next is written, so a frame in a later segment
//! proves everything before that segment durable. The writer's own view of the shards (`hard`) is that
//! of the last frame encoded; each new segment starts with all of them.
//!
//! After a failed write or sync nothing is retried: the kernel may have dropped the dirty pages and a
//! second sync would report success (fsyncgate). The log latches failed and every waiter is told.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rivermark_types::{LogIndex, ShardId};

use crate::cache::CacheLedger;
use crate::entry::EncodedPayload;
use crate::error::{LogFailed, StorageError};
use crate::hard_state::HardState;
use crate::index::Place;
use crate::queue::{Job, Operation, Waiting, Wake};
use crate::record::{self, FRAME_BYTES, Frame, Record, SEGMENT_HEADER_BYTES};
use crate::segment::Segment;
use crate::shard_log::OnDurable;
use crate::store::Shared;

/// Payload parts up to this size are copied next to their headers: cheaper than another slice.
const COPIED_PART_BYTES_MAX: usize = 2048;

/// A shard as of its last frame.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) hard: HardState,
    /// Shard sequence of its last frame.
    pub(crate) sequence: u64,
}

#[derive(Debug)]
enum Piece {
    Copied(Range<usize>),
    Shared(Bytes),
}

/// What becomes true with the sync.
#[derive(Debug)]
enum Effect {
    Entry { shard: ShardId, index: LogIndex, ticket: u64, place: Place, bytes: u64 },
    Record { shard: ShardId, record: Record },
}

/// Frames encoded and not yet written.
#[derive(Debug, Default)]
struct Group {
    start: u64,
    length: u64,
    records: u64,
    copied: Vec<u8>,
    pieces: Vec<Piece>,
    effects: Vec<Effect>,
    callbacks: Vec<OnDurable>,
}

impl Group {
    fn push_copied(&mut self, bytes: &[u8]) {
        let at = self.copied.len();
        self.copied.extend_from_slice(bytes);
        match self.pieces.last_mut() {
            Some(Piece::Copied(range)) if range.end == at => range.end += bytes.len(),
            _ => self.pieces.push(Piece::Copied(at..at + bytes.len())),
        }
        self.length += bytes.len() as u64;
    }

    fn push_part(&mut self, part: &Bytes) {
        if part.len() <= COPIED_PART_BYTES_MAX {
            self.push_copied(part);
        } else {
            self.pieces.push(Piece::Shared(part.clone()));
            self.length += part.len() as u64;
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Arc<Segment>,
    /// Where the next frame goes.
    offset: u64,
    next_sequence: u64,
    shards: BTreeMap<ShardId, Written>,
    group: Group,
    ledger: CacheLedger,
    /// The last frame on disk is a mark.
    marked: bool,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        active: Arc<Segment>,
        offset: u64,
        next_sequence: u64,
        shards: BTreeMap<ShardId, Written>,
    ) -> Self {
        let ledger = CacheLedger::new(shared.options.cache_bytes);
        let group = Group::default();
        shared.pool.request(active.id + 1);
        Self { shared, active, offset, next_sequence, shards, group, ledger, marked: false }
    }

    /// Repeats every shard's state, so that what recovery cut off or adopted is settled durably.
    pub(crate) fn begin_session(&mut self) -> Result<(), StorageError> {
        for shard in self.shards.keys().copied().collect::<Vec<_>>() {
            self.put_hard_state(shard)?;
        }
        self.flush()
    }

    /// The thread's life: commits until the log closes or fails.
    pub(crate) fn run(mut self) {
        loop {
            let quiet = if self.marked { None } else { self.shared.options.quiet_mark };
            match self.shared.queue.wait(quiet) {
                Wake::Work => self.commit(),
                Wake::Quiet => self.mark(),
                Wake::Close => return self.close(),
            }
        }
    }

    /// Commits everything that waits.
    pub(crate) fn commit(&mut self) {
        // After a failure even a write that works proves nothing.
        if self.shared.queue.failed().is_some() {
            return;
        }
        let Waiting { jobs, committed } = self.shared.queue.take();
        let mut jobs = jobs.into_iter();
        let result = jobs
            .by_ref()
            .try_for_each(|job| self.put_job(job))
            .and_then(|()| {
                committed.into_iter().try_for_each(|(shard, id)| self.put(shard, Record::Committed(id), None))
            })
            .and_then(|()| self.flush());
        if let Err(error) = result {
            let callbacks = std::mem::take(&mut self.group.callbacks);
            self.shared.fail(LogFailed::Storage(Arc::new(error)));
            let failed = self.shared.queue.failed().expect("just failed");
            for callback in callbacks.into_iter().chain(jobs.map(|job| job.on_durable)) {
                callback.fire(Err(failed.clone()));
            }
        }
    }

    /// Writes a mark behind the last frame, in a group commit of its own.
    pub(crate) fn mark(&mut self) {
        self.commit();
        if self.marked || self.shared.queue.failed().is_some() {
            return;
        }
        let result = self.put(ShardId::default(), Record::Mark, None).and_then(|()| self.flush());
        match result {
            Ok(()) => self.marked = true,
            Err(error) => self.shared.fail(LogFailed::Storage(Arc::new(error))),
        }
    }

    /// Commits what waits, marks the end, and refuses everything after.
    pub(crate) fn close(&mut self) {
        self.mark();
        self.shared.fail(LogFailed::Closed);
    }

    fn put_job(&mut self, job: Job) -> Result<(), StorageError> {
        let result = match job.operation {
            Operation::Append(entries) => entries.into_iter().try_for_each(|(id, payload, ticket)| {
                self.put(job.shard, Record::Entry(id), Some((payload, ticket)))
            }),
            Operation::Record(record) => self.put(job.shard, record, None),
            Operation::Distrust => {
                self.shards.entry(job.shard).or_default().hard.corrupt = true;
                self.put_hard_state(job.shard)
            }
        };
        self.group.callbacks.push(job.on_durable);
        result
    }

    fn put(
        &mut self,
        shard: ShardId,
        record: Record,
        payload: Option<(EncodedPayload, u64)>,
    ) -> Result<(), StorageError> {
        let length = payload.as_ref().map_or(0, |(payload, _)| payload.len());
        self.make_room(record::size_with_payload(length))?;
        let offset = self.offset + self.group.length;
        match payload {
            Some((payload, ticket)) => {
                let bytes = self.encode(shard, record, payload.parts());
                let Record::Entry(id) = record else { unreachable!("only entries have tickets") };
                let place = place(self.active.id, offset, length);
                let effect = Effect::Entry { shard, index: id.index, ticket, place, bytes };
                self.group.effects.push(effect);
            }
            None => {
                self.encode(shard, record, std::iter::empty());
                self.group.effects.push(Effect::Record { shard, record });
            }
        }
        Ok(())
    }

    fn put_hard_state(&mut self, shard: ShardId) -> Result<(), StorageError> {
        let payload = record::encode_hard_state(&self.shards[&shard].hard);
        self.make_room(record::size_with_payload(payload.len()))?;
        self.encode(shard, Record::HardState, std::iter::once(&payload));
        Ok(())
    }

    /// Adds a frame to the group. Returns its size.
    fn encode<'a>(
        &mut self,
        shard: ShardId,
        record: Record,
        parts: impl Iterator<Item = &'a Bytes> + Clone,
    ) -> u64 {
        let shard_sequence = if record == Record::Mark {
            0
        } else {
            let written = self.shards.entry(shard).or_default();
            written.hard.apply(record);
            written.sequence += 1;
            written.sequence
        };
        if self.group.records == 0 {
            self.group.start = self.next_sequence;
        }
        let frame = Frame::new(record, shard, self.next_sequence, self.group.start, shard_sequence)
            .with_payload(self.active.seed, parts.clone());
        self.next_sequence += 1;
        self.group.records += 1;
        self.group.push_copied(&frame.encode(self.active.seed));
        parts.for_each(|part| self.group.push_part(part));
        let padding = frame.size() - FRAME_BYTES - frame.payload_length as usize;
        self.group.push_copied(&[0; 8][..padding]);
        frame.size() as u64
    }

    fn make_room(&mut self, size: usize) -> Result<(), StorageError> {
        let fits =
            |writer: &Self| writer.offset + writer.group.length + size as u64 <= writer.active.capacity;
        if fits(self) {
            return Ok(());
        }
        self.flush()?;
        self.rotate()?;
        if fits(self) { Ok(()) } else { Err(self.no_room()) }
    }

    fn no_room(&self) -> StorageError {
        let full = std::io::Error::other("the shards' states leave no room in a segment");
        StorageError::at("write", &self.active.path)(full)
    }

    /// Moves on to the next segment and repeats all hard states there. The old one is synced.
    fn rotate(&mut self) -> Result<(), StorageError> {
        let next = Arc::new(self.shared.pool.take(self.active.id + 1)?);
        self.shared.segments.write().insert(next.id, Arc::clone(&next));
        self.shared.pool.request(next.id + 1);
        self.active = next;
        self.offset = SEGMENT_HEADER_BYTES;
        for shard in self.shards.keys().copied().collect::<Vec<_>>() {
            let payload = record::encode_hard_state(&self.shards[&shard].hard);
            let size = record::size_with_payload(payload.len()) as u64;
            if self.offset + self.group.length + size > self.active.capacity {
                return Err(self.no_room());
            }
            self.encode(shard, Record::HardState, std::iter::once(&payload));
        }
        Ok(())
    }

    /// Writes and syncs the group, then tells the world.
    fn flush(&mut self) -> Result<(), StorageError> {
        if self.group.records == 0 {
            self.fire();
            return Ok(());
        }
        let path = &self.active.path;
        let mut slices: Vec<IoSlice<'_>> = self
            .group
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Copied(range) => IoSlice::new(&self.group.copied[range.clone()]),
                Piece::Shared(bytes) => IoSlice::new(bytes),
            })
            .collect();
        let written = self.active.file.write_all_vectored_at(&mut slices, self.offset);
        drop(slices);
        written.map_err(StorageError::at("write", path))?;
        let start = Instant::now();
        self.active.file.sync_data().map_err(StorageError::at("sync", path))?;
        self.count(start.elapsed());
        self.offset += self.group.length;
        self.marked = false;
        self.publish();
        self.fire();
        self.group.records = 0;
        self.group.length = 0;
        self.group.pieces.clear();
        self.group.copied.clear();
        self.retire();
        Ok(())
    }

    fn count(&self, sync_time: Duration) {
        let is_entry = |effect: &&Effect| matches!(effect, Effect::Entry { .. });
        let mut counters = self.shared.counters.lock();
        counters.bytes_written += self.group.length;
        counters.syncs += 1;
        counters.records += self.group.records;
        counters.entries += self.group.effects.iter().filter(is_entry).count() as u64;
        counters.sync_times.record(sync_time);
    }

    /// Makes the group's places readable, counts what it holds and bounds the cache.
    fn publish(&mut self) {
        let effects = std::mem::take(&mut self.group.effects);
        let mut retention = self.shared.retention.lock();
        for effect in &effects {
            match *effect {
                Effect::Entry { shard, index, place, bytes, .. } => {
                    retention.entry(shard, index, u64::from(place.segment), bytes);
                }
                Effect::Record { shard, record } => retention.apply(shard, record),
            }
        }
        drop(retention);
        for effect in effects {
            if let Effect::Entry { shard, index, ticket, place, bytes } = effect {
                self.shared.cell(shard).lock().publish(index, ticket, place);
                self.ledger.add(shard, ticket, bytes);
            }
        }
        let shared = &self.shared;
        self.ledger.shrink(|shard, ticket| shared.cell(shard).lock().evict(ticket));
    }

    fn fire(&mut self) {
        for callback in self.group.callbacks.drain(..) {
            callback.fire(Ok(()));
        }
    }

    /// Lets go of the segments no shard needs. The active one stays: it holds the hard states.
    fn retire(&self) {
        let needed = self.shared.retention.lock().oldest_needed().unwrap_or(self.active.id);
        let mut segments = self.shared.segments.write();
        let kept = segments.split_off(&needed.min(self.active.id));
        let gone = std::mem::replace(&mut *segments, kept);
        drop(segments);
        if !gone.is_empty() {
            self.shared.pool.retire(gone.into_values());
        }
    }
}

fn place(segment: u64, offset: u64, length: usize) -> Place {
    let small = |value: u64| u32::try_from(value).expect("segment ids and offsets stay below 2^32");
    Place { segment: small(segment), offset: small(offset), length: small(length as u64) }
}
