//! What a crash leaves, and how it is read.
//!
//! Segments are scanned in order of their ids, frame by frame. Frames are numbered without gaps, so the
//! scan always knows which number must come next, and each frame says with which number its group
//! commit began. Everything before that number was synced when the frame was written. Where the next
//! frame cannot be read there are three cases:
//!
//! * The segment ended and the next one starts with the expected number: nothing is missing.
//! * No later frame was written in a later group commit: the last group was torn by the crash, nobody
//!   was told that it is durable, the log ends here. What is left of it is overwritten with zeros, so
//!   that it cannot join up with frames written from now on.
//! * Some later frame, in this segment or another, belongs to a later group commit: the unreadable
//!   frames had been durable. That is damage. It is reported, and everything readable is kept.
//!
//! Damage concerns the shards whose frames were lost. A shard's own numbering shows a gap if it was
//! hit, and shows that it was not if its next frame fits. A shard without any frame after the damage
//! cannot be cleared and counts as hit, as does a shard the log shows no trace of: it may have existed.
//!
//! One case cannot be told apart: damage to the very last group commit looks like a torn one. Marks make
//! it rare: after a pause, and on closing, an empty frame is committed behind the last group.
//!
//! The oldest segment starts with the hard states of all shards (`hard_state.rs`), so whatever earlier
//! segments said is known; if it cannot be read from its first byte, that is damage too.

mod shard;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rivermark_fs::SharedFileSystem;
use rivermark_types::{LogIndex, ShardId};

use crate::error::{Corruption, OpenError, StorageError};
use crate::index::ShardIndex;
use crate::purge::Retention;
use crate::record::{self, Frame, Record, SEGMENT_HEADER_BYTES};
use crate::segment::{self, FileKind, Opened, Segment};
use crate::segment_pool::SegmentPool;
use crate::shard_log::ShardLogState;
use crate::writer::Written;
use shard::{FoundFrame, ReplayedShard};

/// The number of the first frame ever.
const FIRST_SEQUENCE: u64 = 1;
const FIRST_SEGMENT: u64 = 1;

/// What recovery found of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredShard {
    /// The shard.
    pub shard: ShardId,
    /// Which entries its log holds.
    pub state: ShardLogState,
    /// Why it is not served, if so.
    pub corruption: Option<Corruption>,
}

/// What opening a log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Every shard the log knows, in order.
    pub shards: Vec<RecoveredShard>,
    /// Damaged places. The shards they hit say so themselves.
    pub corruptions: Vec<Corruption>,
    /// Frames read.
    pub records: u64,
    /// Frames of a torn last group commit that were dropped; nobody was told they are durable.
    pub torn_records: u64,
}

impl Recovered {
    /// Damage that may have hit shards of which no trace is left.
    pub(crate) fn unattributed(&self) -> Option<&Corruption> {
        self.corruptions.iter().find(|corruption| corruption.shard.is_none())
    }
}

/// Everything the log starts from.
pub(crate) struct Found {
    pub(crate) recovered: Recovered,
    pub(crate) shards: BTreeMap<ShardId, Arc<Mutex<ShardIndex>>>,
    pub(crate) written: BTreeMap<ShardId, Written>,
    pub(crate) retention: Retention,
    pub(crate) segments: BTreeMap<u64, Arc<Segment>>,
    pub(crate) active: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) next_sequence: u64,
    /// Segments whose header is damaged. They may be set aside once the new session is durable.
    pub(crate) unreadable: Vec<PathBuf>,
}

/// Reads the folder.
pub(crate) fn recover(
    fs: &SharedFileSystem,
    directory: &Path,
    pool: &SegmentPool,
) -> Result<Found, OpenError> {
    let paths = segment_paths(fs, directory, pool)?;
    let mut replay = Replay::new(paths.keys().next().copied());
    let mut segments = BTreeMap::new();
    let mut unreadable = Vec::new();
    for (id, path) in &paths {
        match segment::open(fs, path, *id)? {
            Opened::Sound(segment, bytes) => {
                replay.scan(&segment, &bytes);
                segments.insert(*id, Arc::new(segment));
            }
            Opened::Cut(segment, bytes) => {
                replay.scan(&segment, &bytes);
                replay.lose_here(*id, bytes.len() as u64, "a segment was cut short");
                segments.insert(*id, Arc::new(segment));
            }
            Opened::Damaged(path) => {
                // The header was synced before the file got its name: this is no torn write.
                replay.lose_here(*id, 0, "a segment's header is damaged");
                unreadable.push(path);
            }
            Opened::Version(version) => {
                let path = path.clone();
                return Err(OpenError::UnsupportedVersion { path, version, supported: record::VERSION });
            }
        }
    }
    replay.end();
    let last_id = paths.keys().next_back().copied().unwrap_or(0);
    let (active, offset) = replay.resume(&mut segments, pool, last_id)?;
    Ok(Found { unreadable, ..replay.finish(segments, active, offset) })
}

/// The segments by id. Spare files go to the pool.
fn segment_paths(
    fs: &SharedFileSystem,
    directory: &Path,
    pool: &SegmentPool,
) -> Result<BTreeMap<u64, PathBuf>, StorageError> {
    let mut segments = BTreeMap::new();
    for path in fs.list(directory).map_err(StorageError::at("list", directory))? {
        match FileKind::of(&path) {
            FileKind::Segment(id) => {
                segments.insert(id, path);
            }
            FileKind::Spare(number) => pool.adopt_spare(path, number)?,
            FileKind::Other => tracing::warn!(path = %path.display(), "not a raft log file; left alone"),
        }
    }
    Ok(segments)
}

/// Where the expected frame could not be read.
#[derive(Debug, Clone, Copy)]
struct Cut {
    segment: u64,
    offset: u64,
    /// The number expected there; zero if even that is unknown, which only damage explains.
    sequence: u64,
}

struct Replay {
    expected: Option<u64>,
    cut: Option<Cut>,
    /// Frames after the cut that may belong to the torn group.
    tentative: Vec<FoundFrame>,
    shards: BTreeMap<ShardId, ReplayedShard>,
    losses: Vec<Corruption>,
    records: u64,
    torn_records: u64,
    /// The last segment seen cannot be written to.
    end_is_unusable: bool,
}

impl Replay {
    fn new(oldest: Option<u64>) -> Self {
        let expected = oldest.is_none_or(|id| id == FIRST_SEGMENT).then_some(FIRST_SEQUENCE);
        Self {
            expected,
            cut: None,
            tentative: Vec::new(),
            shards: BTreeMap::new(),
            losses: Vec::new(),
            records: 0,
            torn_records: 0,
            end_is_unusable: false,
        }
    }

    fn scan(&mut self, segment: &Segment, bytes: &[u8]) {
        self.end_is_unusable = false;
        let mut at = SEGMENT_HEADER_BYTES as usize;
        while at < bytes.len() {
            if let Some((frame, payload)) = Frame::decode(&bytes[at..], segment.seed) {
                let payload = &bytes[at..][payload];
                let hard_state =
                    if frame.record == Record::HardState { record::decode_hard_state(payload) } else { None };
                self.accept(FoundFrame { frame, segment: segment.id, offset: at as u64, hard_state });
                at += frame.size();
            } else {
                self.stop_at(segment.id, at as u64);
                match record::find_frame(bytes, at + 8, segment.seed) {
                    Some(next) => at = next,
                    None => return,
                }
            }
        }
        // Full to the last byte.
        self.stop_at(segment.id, bytes.len() as u64);
    }

    fn stop_at(&mut self, segment: u64, offset: u64) {
        let sequence = self.expected.unwrap_or(0);
        self.cut.get_or_insert(Cut { segment, offset, sequence });
    }

    /// Durable frames may have been lost at this place, whatever follows.
    fn lose_here(&mut self, segment: u64, offset: u64, reason: &'static str) {
        self.stop_at(segment, offset);
        self.lose(reason);
        self.end_is_unusable = true;
    }

    fn accept(&mut self, found: FoundFrame) {
        let sequence = found.frame.sequence;
        let starts_segment = found.offset == SEGMENT_HEADER_BYTES;
        let expected = match self.expected {
            // The oldest segment starts with some number; behind unreadable bytes it is only tentative.
            None if self.cut.is_none() && starts_segment => sequence,
            None => 0,
            Some(expected) => expected,
        };
        // Remains of a torn group that an earlier recovery was interrupted in clearing.
        if sequence < expected {
            return;
        }
        if let Some(cut) = self.cut {
            if sequence == expected && starts_segment && self.tentative.is_empty() {
                self.cut = None;
            } else if found.frame.group_start > cut.sequence {
                self.lose("durable records are unreadable");
            } else {
                self.tentative.push(found);
                return;
            }
        } else if sequence > expected {
            self.stop_at(found.segment, found.offset);
            if found.frame.group_start > expected {
                self.lose("durable records are missing");
            } else {
                self.tentative.push(found);
                return;
            }
        }
        self.replay(found);
    }

    /// Frames at the cut are lost for good. What followed them was durable too and counts.
    fn lose(&mut self, reason: &'static str) {
        let Some(cut) = self.cut.take() else { return };
        let corruption = Corruption { shard: None, segment: cut.segment, offset: cut.offset, reason };
        tracing::error!(%corruption, "the raft log is damaged");
        self.losses.push(corruption);
        for found in std::mem::take(&mut self.tentative) {
            self.replay(found);
        }
    }

    fn end(&mut self) {
        if self.cut.is_some_and(|cut| cut.sequence == 0) {
            self.lose("the oldest segment does not start with its states");
        }
    }

    fn replay(&mut self, found: FoundFrame) {
        let frame = found.frame;
        self.expected = Some(frame.sequence + 1);
        self.records += 1;
        if frame.record == Record::Mark {
            return;
        }
        let losses = self.losses.len();
        let shard = self.shards.entry(frame.shard).or_default();
        let lost = shard.follow(&found);
        shard.losses_seen = losses;
        if let Some(reason) = lost {
            shard.distrust(found.frame.shard, found.segment, found.offset, reason);
        }
    }

    /// Where writing goes on: at the cut, in the segment there.
    fn resume(
        &mut self,
        segments: &mut BTreeMap<u64, Arc<Segment>>,
        pool: &SegmentPool,
        last_id: u64,
    ) -> Result<(Arc<Segment>, u64), StorageError> {
        self.clear_torn(segments)?;
        let cut = self.cut.filter(|_| !self.end_is_unusable);
        let Some(cut) = cut else {
            // A new log, or one whose end is unreadable: go on behind everything there is.
            let segment = Arc::new(pool.take(last_id + 1)?);
            segments.insert(segment.id, Arc::clone(&segment));
            return Ok((segment, SEGMENT_HEADER_BYTES));
        };
        // Segments behind the cut hold nothing: one was made ready, more are never expected.
        for segment in segments.split_off(&(cut.segment + 1)).into_values() {
            match Arc::try_unwrap(segment) {
                Ok(segment) if segment.id == cut.segment + 1 => pool.adopt_ready(segment),
                Ok(segment) => pool.retire([Arc::new(segment)]),
                Err(segment) => pool.retire([segment]),
            }
        }
        Ok((Arc::clone(&segments[&cut.segment]), cut.offset))
    }

    /// Overwrites what is left of a torn group: its frames are sound and numbered as the next ones will
    /// be, so they must not be found behind them.
    fn clear_torn(&mut self, segments: &BTreeMap<u64, Arc<Segment>>) -> Result<(), StorageError> {
        let torn = std::mem::take(&mut self.tentative);
        self.torn_records = torn.len() as u64;
        let mut regions: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for found in &torn {
            let end = found.offset + found.frame.size() as u64;
            let start = match self.cut {
                Some(cut) if cut.segment == found.segment => cut.offset,
                _ => SEGMENT_HEADER_BYTES,
            };
            regions.entry(found.segment).or_insert((start, end)).1 = end;
        }
        for (id, (start, end)) in regions {
            let segment = &segments[&id];
            let zeros = vec![0; (end - start) as usize];
            segment.file.write_all_at(&zeros, start).map_err(StorageError::at("clear", &segment.path))?;
            segment.file.sync_data().map_err(StorageError::at("sync", &segment.path))?;
        }
        Ok(())
    }

    fn finish(mut self, segments: BTreeMap<u64, Arc<Segment>>, active: Arc<Segment>, offset: u64) -> Found {
        let losses = self.losses.len();
        let mut retention = Retention::default();
        for (id, shard) in &mut self.shards {
            if shard.losses_seen < losses {
                let last = &self.losses[losses - 1];
                shard.distrust(*id, last.segment, last.offset, "records that may be this shard's were lost");
            }
            if !shard.index.settle() {
                shard.distrust(*id, active.id, offset, "log entries are missing");
            }
            if shard.index.corruption.is_none() {
                for (index, place) in shard.index.places() {
                    let bytes = record::size_with_payload(place.length as usize) as u64;
                    retention.entry(*id, LogIndex::new(index), u64::from(place.segment), bytes);
                }
            }
        }
        let attributed = self.shards.values().filter_map(|shard| shard.index.corruption.clone());
        let corruptions = self.losses.iter().cloned().chain(attributed).collect();
        let shards = self.shards.iter().map(|(id, shard)| shard.report(*id)).collect();
        let recovered =
            Recovered { shards, corruptions, records: self.records, torn_records: self.torn_records };
        let written = self
            .shards
            .iter()
            .map(|(id, shard)| (*id, Written { hard: shard.index.hard, sequence: shard.sequence }))
            .collect();
        Found {
            recovered,
            shards: self
                .shards
                .into_iter()
                .map(|(id, shard)| (id, Arc::new(Mutex::new(shard.index))))
                .collect(),
            written,
            retention,
            segments,
            active,
            offset,
            next_sequence: self.expected.unwrap_or(FIRST_SEQUENCE),
            unreadable: Vec::new(),
        }
    }
}
