//! The log's settings.

use std::time::Duration;

use crate::error::OpenError;
use crate::record::{FRAME_BYTES, SEGMENT_HEADER_BYTES};

const MIB: u64 = 1024 * 1024;

/// Settings of a log. None of them changes what is stored, only where and how fast.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of a segment file. An entry must fit one. Existing files keep their size.
    pub segment_bytes: u64,
    /// Purged segments kept for reuse; more are removed.
    pub spare_segments_max: usize,
    /// Recent entries kept in memory, all shards together.
    pub cache_bytes: u64,
    /// Who writes.
    pub writer: WriterMode,
    /// When the next segment is written out with zeros.
    pub preparation: SegmentPreparation,
    /// After this long without work a mark is written behind the last entry, so that damage to that
    /// entry can be told from a torn write. `None` leaves it to the closing of the log.
    pub quiet_mark: Option<Duration>,
}

/// Who performs writes and syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterMode {
    /// A thread of the log: production.
    Thread,
    /// The calling thread, before the call returns: deterministic, for simulation.
    Inline,
    /// Whoever calls [`crate::RaftLog::commit_waiting`]: tests that choose what a group commit holds.
    Manual,
}

/// When the next segment is made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentPreparation {
    /// By a thread, while the present segment fills.
    Background,
    /// By the writer, when it needs it: deterministic, for simulation and tests.
    OnDemand,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * MIB,
            spare_segments_max: 2,
            cache_bytes: 64 * MIB,
            writer: WriterMode::Thread,
            preparation: SegmentPreparation::Background,
            quiet_mark: Some(Duration::from_millis(100)),
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        if self.segment_bytes < SEGMENT_HEADER_BYTES + 16 * FRAME_BYTES as u64 {
            return Err(OpenError::Options("segment_bytes is too small for a header and a few records"));
        }
        if self.segment_bytes > u64::from(u32::MAX) {
            return Err(OpenError::Options("segment_bytes must be below 4 GiB"));
        }
        Ok(())
    }

    /// Greatest payload of an entry: a quarter of the segment stays free for the shards' hard states.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        let body = self.segment_bytes - SEGMENT_HEADER_BYTES;
        usize::try_from(body / 4 * 3).expect("segments are below 4 GiB") - FRAME_BYTES
    }
}
