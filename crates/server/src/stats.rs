//! What this node counted of its clients' commands. Plain atomics; INFO, LATENCY and metrics read them.
//!
//! Nothing here reads a clock: whoever answers a run of requests knows how long it took.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_protocol::commands::{CommandSpec, table};

use crate::durations::Durations;
use crate::shards::counters::Counter;

/// One command's numbers.
#[derive(Debug)]
pub struct CommandStats {
    /// Answered.
    pub calls: Counter,
    /// Answered with an error.
    pub failed: Counter,
    /// Refused before they were run: by their number of arguments, or for who asked.
    pub rejected: Counter,
    /// From submission to answer, all calls together.
    pub micros: AtomicU64,
    /// The same, each call; made with the first.
    durations: OnceLock<Durations>,
    latency: metrics::Histogram,
}

/// The node's numbers.
#[derive(Debug)]
pub struct Stats {
    commands: HashMap<&'static str, CommandStats>,
    /// Error replies by their code: a closed list, so it stays small.
    errors: Mutex<BTreeMap<&'static str, u64>>,
    /// Connections turned away.
    pub rejected_connections: Counter,
    /// TLS connections of clients or nodes that came to nothing.
    pub failed_handshakes: Counter,
    /// Bytes read from clients.
    pub input_bytes: Counter,
    /// Bytes written to clients.
    pub output_bytes: Counter,
    /// Reads from clients' sockets.
    pub reads: Counter,
    /// Writes to clients' sockets.
    pub writes: Counter,
    /// MONITOR connections cut off because they did not take their lines.
    pub monitors_cut_off: Counter,
}

impl Default for Stats {
    fn default() -> Self {
        let all = table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
        let commands = all.map(|spec| (spec.name, CommandStats::new(spec.name))).collect();
        Self {
            commands,
            errors: Mutex::default(),
            rejected_connections: Counter::default(),
            failed_handshakes: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            monitors_cut_off: Counter::default(),
        }
    }
}

impl CommandStats {
    fn new(name: &'static str) -> Self {
        Self {
            calls: Counter::default(),
            failed: Counter::default(),
            rejected: Counter::default(),
            micros: AtomicU64::new(0),
            durations: OnceLock::new(),
            latency: crate::metrics::command_duration(name),
        }
    }

    /// How long the calls took, if there were any.
    pub fn durations(&self) -> Option<&Durations> {
        self.durations.get()
    }
}

impl Stats {
    /// Notes calls of a command that took equally long.
    pub fn command(&self, spec: &CommandSpec, calls: u64, failed: u64, elapsed: Duration) {
        let Some(stats) = self.commands.get(spec.name) else { return };
        stats.calls.add(calls);
        if failed > 0 {
            stats.failed.add(failed);
        }
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        stats.micros.fetch_add(micros.saturating_mul(calls), Ordering::Relaxed);
        stats.durations.get_or_init(Durations::default).record(micros, calls);
        stats.latency.record_many(elapsed.as_secs_f64(), usize::try_from(calls).unwrap_or(usize::MAX));
    }

    /// Notes a request that was refused before it was run.
    pub fn reject(&self, spec: &CommandSpec) {
        if let Some(stats) = self.commands.get(spec.name) {
            stats.rejected.increase();
        }
    }

    /// Notes an error reply with this code.
    pub fn error(&self, code: &'static str) {
        *self.errors.lock().entry(code).or_default() += 1;
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<&'static str, u64> {
        self.errors.lock().clone()
    }

    /// The numbers of a command, by its full name in lower case.
    pub fn of(&self, name: &str) -> Option<&CommandStats> {
        self.commands.get(name)
    }

    /// Commands that were called, by name.
    pub fn called(&self) -> Vec<(&'static str, &CommandStats)> {
        self.touched(|stats| stats.calls.get() > 0)
    }

    /// Commands that were called or refused, by name.
    pub fn asked(&self) -> Vec<(&'static str, &CommandStats)> {
        self.touched(|stats| stats.calls.get() + stats.rejected.get() > 0)
    }

    fn touched(&self, is: impl Fn(&CommandStats) -> bool) -> Vec<(&'static str, &CommandStats)> {
        let touched = self.commands.iter().filter(|(_, stats)| is(stats));
        let mut touched: Vec<_> = touched.map(|(name, stats)| (*name, stats)).collect();
        touched.sort_unstable_by_key(|(name, _)| *name);
        touched
    }

    /// All commands answered.
    pub fn total_commands(&self) -> u64 {
        self.commands.values().map(|stats| stats.calls.get()).sum()
    }

    /// All error replies.
    pub fn total_errors(&self) -> u64 {
        self.errors.lock().values().sum()
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for stats in self.commands.values() {
            for counter in [&stats.calls, &stats.failed, &stats.rejected] {
                counter.subtract(counter.get());
            }
            stats.micros.store(0, Ordering::Relaxed);
            if let Some(durations) = stats.durations() {
                durations.reset();
            }
        }
        self.errors.lock().clear();
        for counter in [
            &self.rejected_connections,
            &self.input_bytes,
            &self.output_bytes,
            &self.reads,
            &self.writes,
            &self.monitors_cut_off,
        ] {
            counter.subtract(counter.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_forgets_everything() {
        let stats = Stats::default();
        let spec = table::find(b"xadd").expect("a command");
        stats.command(spec, 3, 1, Duration::from_millis(2));
        stats.reject(spec);
        stats.error("ERR");
        let xadd = stats.of("xadd").expect("a command");
        assert_eq!((xadd.calls.get(), xadd.failed.get(), xadd.rejected.get()), (3, 1, 1));
        assert_eq!(xadd.durations().map(|durations| durations.percentile(50.0)), Some(2048));
        assert_eq!((stats.total_commands(), stats.total_errors()), (3, 1));
        stats.reset();
        assert!(stats.asked().is_empty() && stats.errors().is_empty());
        assert_eq!(xadd.durations().map(|durations| durations.percentile(50.0)), Some(0));
    }
}
