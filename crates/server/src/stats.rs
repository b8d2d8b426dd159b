//! What this node counted of its clients' commands. Plain atomics; INFO and metrics read them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rivermark_protocol::commands::{CommandSpec, table};

use crate::shards::counters::Counter;

/// One command's numbers.
#[derive(Debug)]
pub struct CommandStats {
    /// Answered.
    pub calls: Counter,
    /// Answered with an error.
    pub failed: Counter,
    /// From submission to answer, all calls together.
    pub micros: AtomicU64,
    latency: metrics::Histogram,
}

/// The node's numbers.
#[derive(Debug)]
pub struct Stats {
    commands: HashMap<&'static str, CommandStats>,
    /// Connections turned away.
    pub rejected_connections: Counter,
    /// Bytes read from clients.
    pub input_bytes: Counter,
    /// Bytes written to clients.
    pub output_bytes: Counter,
}

impl Default for Stats {
    fn default() -> Self {
        let all = table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
        let commands = all.map(|spec| (spec.name, CommandStats::new(spec.name))).collect();
        Self {
            commands,
            rejected_connections: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
        }
    }
}

impl CommandStats {
    fn new(name: &'static str) -> Self {
        Self {
            calls: Counter::default(),
            failed: Counter::default(),
            micros: AtomicU64::new(0),
            latency: crate::metrics::command_duration(name),
        }
    }
}

impl Stats {
    /// Notes calls of a command that took equally long.
    pub fn command(&self, spec: &CommandSpec, calls: u64, failed: u64, elapsed: Duration) {
        let Some(stats) = self.commands.get(spec.name) else { return };
        stats.calls.add(calls);
        stats.failed.add(failed);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        stats.micros.fetch_add(micros.saturating_mul(calls), Ordering::Relaxed);
        stats.latency.record_many(elapsed.as_secs_f64(), usize::try_from(calls).unwrap_or(usize::MAX));
    }

    /// Commands that were called, by name.
    pub fn called(&self) -> Vec<(&'static str, &CommandStats)> {
        let mut called: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, stats)| stats.calls.get() > 0)
            .map(|(name, stats)| (*name, stats))
            .collect();
        called.sort_unstable_by_key(|(name, _)| *name);
        called
    }

    /// All commands answered.
    pub fn total_commands(&self) -> u64 {
        self.commands.values().map(|stats| stats.calls.get()).sum()
    }

    /// All error replies.
    pub fn total_failed(&self) -> u64 {
        self.commands.values().map(|stats| stats.failed.get()).sum()
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for stats in self.commands.values() {
            stats.calls.subtract(stats.calls.get());
            stats.failed.subtract(stats.failed.get());
            stats.micros.store(0, Ordering::Relaxed);
        }
        for counter in [&self.rejected_connections, &self.input_bytes, &self.output_bytes] {
            counter.subtract(counter.get());
        }
    }
}
