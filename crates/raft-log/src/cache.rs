//! Which recent entries stay in memory: the last ones appended, of all shards together, up to a bound.
//!
//! The entries themselves sit in their shard's index; this is the writer's list of them in the order
//! they were written. An entry dropped by a purge or truncation stays in the list, and counted, until
//! its turn comes.

use std::collections::VecDeque;

use rivermark_types::ShardId;

#[derive(Debug)]
struct Item {
    shard: ShardId,
    ticket: u64,
    bytes: u64,
}

#[derive(Debug)]
pub(crate) struct CacheLedger {
    items: VecDeque<Item>,
    bytes: u64,
    bytes_max: u64,
}

impl CacheLedger {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { items: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn add(&mut self, shard: ShardId, ticket: u64, bytes: u64) {
        self.items.push_back(Item { shard, ticket, bytes });
        self.bytes += bytes;
    }

    /// Hands the oldest entries to `evict` until the rest fits.
    pub(crate) fn shrink(&mut self, mut evict: impl FnMut(ShardId, u64)) {
        while self.bytes > self.bytes_max {
            let Some(item) = self.items.pop_front() else { return };
            self.bytes -= item.bytes;
            evict(item.shard, item.ticket);
        }
    }
}
