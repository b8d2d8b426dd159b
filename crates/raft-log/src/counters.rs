//! What the log counts, as a plain struct for whoever names the metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use rivermark_types::ShardId;

/// Buckets of [`SyncTimes`].
pub const SYNC_BUCKETS: usize = 24;

/// Durations of syncs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// How many syncs took less than 2^n microseconds and at least half of that; the last holds all longer.
    pub buckets: [u64; SYNC_BUCKETS],
    /// All of them together.
    pub total_us: u64,
    /// The longest.
    pub max_us: u64,
    /// The latest.
    pub last_us: u64,
    /// The longest since someone last took it.
    pub(crate) recent_max_us: u64,
}

impl SyncTimes {
    pub(crate) fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - us.leading_zeros()) as usize;
        self.buckets[bucket.min(SYNC_BUCKETS - 1)] += 1;
        self.total_us = self.total_us.saturating_add(us);
        self.max_us = self.max_us.max(us);
        self.last_us = us;
        self.recent_max_us = self.recent_max_us.max(us);
    }
}

/// A reading of the log's counters. Those that count restart at zero with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of frames written.
    pub bytes_written: u64,
    /// Group commits, each one write and one sync.
    pub syncs: u64,
    /// Frames written.
    pub records: u64,
    /// Of these, log entries.
    pub entries: u64,
    /// How long the syncs took.
    pub sync_times: SyncTimes,
    /// Entries read from memory.
    pub cache_hits: u64,
    /// Entries read from disk.
    pub cache_misses: u64,
    /// Segments that hold the log now, the active one included.
    pub segments: u64,
    /// Purged segments kept for reuse now.
    pub spare_segments: u64,
    /// Segments purged and recycled or removed.
    pub segments_retired: u64,
    /// Failed attempts to make a segment ready or to retire one: the disk may be full.
    pub segment_failures: u64,
    /// Bytes of live entries of each shard now.
    pub log_bytes: BTreeMap<ShardId, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double() {
        let mut times = SyncTimes::default();
        for us in [0, 1, 2, 3, 4, 1 << 40] {
            times.record(Duration::from_micros(us));
        }
        assert_eq!(times.buckets[..4], [1, 1, 2, 1]);
        assert_eq!(times.buckets[SYNC_BUCKETS - 1], 1);
        assert_eq!((times.max_us, times.last_us), (1 << 40, 1 << 40));
    }
}
