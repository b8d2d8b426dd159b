//! Numbers the path counts for metrics. Plain atomics: reading them tears between fields, not within one.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that goes up, or up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increase(&self) {
        self.add(1);
    }

    /// One less.
    pub fn decrease(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// So many less.
    pub fn subtract(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What this node's half of the path did since it started, all shards together.
#[derive(Debug, Default)]
pub struct Counters {
    /// Commands callers submitted.
    pub commands: Counter,
    /// Parts sent to leaders, repeats included.
    pub proposals: Counter,
    /// Parts that were sent again.
    pub retries: Counter,
    /// Times the known leader of a shard changed.
    pub leader_changes: Counter,
    /// Sessions begun, the first of each shard included.
    pub sessions: Counter,
    /// Submitted commands not yet answered.
    pub queued_commands: Counter,
    /// Their encoded bytes.
    pub queued_bytes: Counter,
    /// Queries sent to leaders, repeats included.
    pub queries: Counter,
    /// Links opened to peers, the first of each included.
    pub link_connects: Counter,
    /// Links that broke.
    pub link_breaks: Counter,
    /// Blocked readers this node's clients have now, counted once a shard.
    pub waits: Counter,
    /// Blocked readers parked at this node's leaders now.
    pub waiters: Counter,
    /// Blocked readers woken by this node's leaders.
    pub wakes: Counter,
}
