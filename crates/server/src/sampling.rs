//! What is looked at now and then rather than counted when it happens: rates, and the longest waits of the log and of
//! replication.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::clock::unix_time;
use crate::latency::LatencyEvent;
use crate::node::Node;

const SAMPLED_EVERY: Duration = Duration::from_millis(100);
/// Samples a rate is taken over, as the reference.
const SAMPLES: usize = 16;

/// Numbers that only go up, at one moment.
#[derive(Clone, Copy, Debug)]
struct Totals {
    at: Instant,
    commands: u64,
    input_bytes: u64,
    output_bytes: u64,
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Rates {
    samples: Mutex<VecDeque<Totals>>,
}

/// Changes a second, over the last one and a half seconds or so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PerSecond {
    /// Commands answered.
    pub commands: f64,
    /// Bytes read from clients.
    pub input_bytes: f64,
    /// Bytes written to clients.
    pub output_bytes: f64,
}

impl Rates {
    fn note(&self, totals: Totals) {
        let mut samples = self.samples.lock();
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(totals);
    }

    /// The rates now.
    pub fn per_second(&self) -> PerSecond {
        let samples = self.samples.lock();
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else {
            return PerSecond::default();
        };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return PerSecond::default();
        }
        // CONFIG RESETSTAT sets totals back.
        let rate = |first: u64, last: u64| last.saturating_sub(first) as f64 / seconds;
        PerSecond {
            commands: rate(first.commands, last.commands),
            input_bytes: rate(first.input_bytes, last.input_bytes),
            output_bytes: rate(first.output_bytes, last.output_bytes),
        }
    }
}

/// Samples until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut ticks = interval(SAMPLED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            now = ticks.tick() => sample(&node, now),
            () = node.stopping.cancelled() => return,
        }
    }
}

fn sample(node: &Node, at: Instant) {
    node.rates.note(Totals {
        at,
        commands: node.stats.total_commands(),
        input_bytes: node.stats.input_bytes.get(),
        output_bytes: node.stats.output_bytes.get(),
    });
    // Taken also while the monitor is off: what was long before it is switched on is not to be noted then.
    let commits = node.raft.replicas().iter().map(|replica| replica.take_longest_commit()).max();
    let longest = [
        (LatencyEvent::LogSync, node.raft.take_longest_sync()),
        (LatencyEvent::RaftCommit, commits.unwrap_or_default()),
    ];
    let Some(threshold) = node.tunables.latency_threshold() else { return };
    let (unix_s, _) = unix_time();
    for (event, took) in longest {
        if took >= threshold {
            node.latency.note(event, unix_s, took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_samples_only() {
        let rates = Rates::default();
        let start = Instant::now();
        let note = |number: u64, commands: u64| {
            let at = start + SAMPLED_EVERY * u32::try_from(number).expect("small");
            rates.note(Totals { at, commands, input_bytes: 10 * commands, output_bytes: 0 });
        };
        note(0, 0);
        assert_eq!(rates.per_second(), PerSecond::default());
        (1..100).for_each(|number| note(number, 1000));
        (100..=115).for_each(|number| note(number, 1000 + (number - 100) * 5));
        let now = rates.per_second();
        assert!((now.commands - 50.0).abs() < 0.01 && (now.input_bytes - 500.0).abs() < 0.1, "{now:?}");
        note(116, 0);
        assert!(rates.per_second().commands.abs() < 0.01, "counters were set back");
    }
}
