//! Which segments may go: those before the oldest one that still holds a live entry of any shard.
//!
//! Segments go strictly from the oldest on, so what remains is always an unbroken end of the history and
//! replays to the same state. Nothing is ever rewritten to free a segment: a shard that lags pins its
//! segments and everything after them, `bytes_pinned_by` says how much, and the layer above takes a
//! snapshot of that shard and purges it. This follows what is durable, never what is only queued: a
//! segment that went before the purge record was synced would read as damage after a crash.

use std::collections::{BTreeMap, VecDeque};

use rivermark_types::{LogIndex, ShardId};

use crate::record::Record;

/// Consecutive live entries of one shard in one segment.
#[derive(Debug)]
struct Run {
    segment: u64,
    first: u64,
    last: u64,
    bytes: u64,
}

impl Run {
    /// Keeps a part of the run, and as many of its bytes on average.
    fn keep(&mut self, first: u64, last: u64) {
        let (entries, kept) = (self.last - self.first + 1, last - first + 1);
        self.bytes = (u128::from(self.bytes) * u128::from(kept) / u128::from(entries)) as u64;
        (self.first, self.last) = (first, last);
    }
}

/// Live durable entries by shard and segment.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    shards: BTreeMap<ShardId, VecDeque<Run>>,
}

impl Retention {
    /// An entry became durable. Frames arrive in log order.
    pub(crate) fn entry(&mut self, shard: ShardId, index: LogIndex, segment: u64, bytes: u64) {
        let (runs, index) = (self.shards.entry(shard).or_default(), index.get());
        match runs.back_mut() {
            Some(run) if run.segment == segment => {
                run.last = index;
                run.bytes += bytes;
            }
            _ => runs.push_back(Run { segment, first: index, last: index, bytes }),
        }
    }

    /// Another frame became durable.
    pub(crate) fn apply(&mut self, shard: ShardId, record: Record) {
        match record {
            Record::Truncate(last_kept) => self.truncate(shard, last_kept),
            Record::Purge(id) => self.purge(shard, id.index),
            Record::Forget => {
                self.shards.remove(&shard);
            }
            _ => {}
        }
    }

    fn truncate(&mut self, shard: ShardId, last_kept: Option<LogIndex>) {
        let Some(runs) = self.shards.get_mut(&shard) else { return };
        let end = last_kept.map_or(0, |index| index.get() + 1);
        while runs.pop_back_if(|run| run.first >= end).is_some() {}
        if let Some(run) = runs.back_mut()
            && run.last >= end
        {
            run.keep(run.first, end - 1);
        }
    }

    fn purge(&mut self, shard: ShardId, index: LogIndex) {
        let Some(runs) = self.shards.get_mut(&shard) else { return };
        while runs.pop_front_if(|run| run.last <= index.get()).is_some() {}
        if let Some(run) = runs.front_mut()
            && run.first <= index.get()
        {
            run.keep(index.get() + 1, run.last);
        }
    }

    /// The oldest segment any shard needs.
    pub(crate) fn oldest_needed(&self) -> Option<u64> {
        self.shards.values().filter_map(|runs| runs.front()).map(|run| run.segment).min()
    }

    /// The oldest segment this shard needs.
    pub(crate) fn oldest_needed_by(&self, shard: ShardId) -> Option<u64> {
        Some(self.shards.get(&shard)?.front()?.segment)
    }

    /// Bytes of live entries by shard; within a partly purged segment an average.
    pub(crate) fn bytes_by_shard(&self) -> BTreeMap<ShardId, u64> {
        self.shards.iter().map(|(shard, runs)| (*shard, runs.iter().map(|run| run.bytes).sum())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{LeaderId, LogId};

    const A: ShardId = ShardId::new(1);
    const B: ShardId = ShardId::new(2);

    fn purge(index: u64) -> Record {
        Record::Purge(LogId { leader: LeaderId::default(), index: LogIndex::new(index) })
    }

    #[test]
    fn the_laggard_decides() {
        let mut retention = Retention::default();
        for index in 1..=30 {
            retention.entry(A, LogIndex::new(index), index / 10, 100);
            retention.entry(B, LogIndex::new(index), index / 10, 10);
        }
        assert_eq!(retention.oldest_needed(), Some(0));
        retention.apply(A, purge(25));
        assert_eq!((retention.oldest_needed(), retention.oldest_needed_by(A)), (Some(0), Some(2)));
        assert_eq!(retention.bytes_by_shard()[&A], 500);
        retention.apply(B, purge(19));
        assert_eq!(retention.oldest_needed(), Some(2));
        retention.apply(A, Record::Truncate(Some(LogIndex::new(27))));
        assert_eq!(retention.bytes_by_shard()[&A], 200);
        retention.apply(A, Record::Truncate(None));
        assert_eq!(retention.oldest_needed_by(A), None);
        retention.apply(B, Record::Forget);
        assert_eq!(retention.oldest_needed(), None);
    }
}
