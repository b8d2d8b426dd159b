//! The latency monitor: events that took longer than `latency-monitor-threshold`, the latest of each kind.
//!
//! As in the reference, samples are a second apart: of several within one second the longest is kept. Events of the log
//! and of replication are looked at by [`crate::sampling`], not when they happen, so they cost nothing there.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_types::limits::LATENCY_SAMPLES_MAX;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyEvent {
    /// Commands that are not `fast`, from submission to answer.
    Command,
    /// Commands flagged `fast`, from submission to answer.
    FastCommand,
    /// An fdatasync of the log.
    LogSync,
    /// A batch, from its proposal to its application by this leader.
    RaftCommit,
}

impl LatencyEvent {
    /// Every event there is.
    pub const ALL: [Self; 4] = [Self::Command, Self::FastCommand, Self::LogSync, Self::RaftCommit];

    /// As LATENCY names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::FastCommand => "fast-command",
            Self::LogSync => "log-sync",
            Self::RaftCommit => "raft-commit",
        }
    }

    /// The event of this name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The longest of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in Unix seconds.
    pub unix_s: u64,
    /// How long.
    pub ms: u64,
}

/// The samples of one event, oldest first, and the longest since it was reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// At most [`LATENCY_SAMPLES_MAX`].
    pub samples: VecDeque<Sample>,
    /// Of all samples there ever were.
    pub max_ms: u64,
}

/// What this node knows of slow events.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    events: [Mutex<Series>; LatencyEvent::ALL.len()],
}

impl LatencyMonitor {
    /// Notes an event. The caller has compared it with the threshold.
    pub fn note(&self, event: LatencyEvent, unix_s: u64, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut series = self.series(event).lock();
        series.max_ms = series.max_ms.max(ms);
        match series.samples.back_mut() {
            Some(last) if last.unix_s == unix_s => last.ms = last.ms.max(ms),
            _ => {
                if series.samples.len() == LATENCY_SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { unix_s, ms });
            }
        }
    }

    /// What is known of an event.
    pub fn of(&self, event: LatencyEvent) -> Series {
        self.series(event).lock().clone()
    }

    /// Forgets an event; whether there was anything to forget.
    pub fn reset(&self, event: LatencyEvent) -> bool {
        let forgotten = std::mem::take(&mut *self.series(event).lock());
        !forgotten.samples.is_empty()
    }

    fn series(&self, event: LatencyEvent) -> &Mutex<Series> {
        &self.events[event as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_a_second_is_kept_and_the_oldest_second_goes() {
        let monitor = LatencyMonitor::default();
        for (unix_s, ms) in [(10, 5), (10, 7), (10, 6), (11, 1)] {
            monitor.note(LatencyEvent::LogSync, unix_s, Duration::from_millis(ms));
        }
        let series = monitor.of(LatencyEvent::LogSync);
        assert_eq!(series.samples, [Sample { unix_s: 10, ms: 7 }, Sample { unix_s: 11, ms: 1 }]);
        assert_eq!(series.max_ms, 7);
        for unix_s in 12..=12 + LATENCY_SAMPLES_MAX as u64 {
            monitor.note(LatencyEvent::LogSync, unix_s, Duration::from_millis(2));
        }
        let series = monitor.of(LatencyEvent::LogSync);
        assert_eq!((series.samples.len(), series.samples[0].unix_s), (LATENCY_SAMPLES_MAX, 13));
        assert_eq!(series.max_ms, 7);
        assert!(monitor.reset(LatencyEvent::LogSync) && !monitor.reset(LatencyEvent::LogSync));
        assert_eq!(monitor.of(LatencyEvent::LogSync), Series::default());
    }

    #[test]
    fn events_are_found_by_name() {
        for event in LatencyEvent::ALL {
            assert_eq!(LatencyEvent::from_name(event.name().to_uppercase().as_bytes()), Some(event));
        }
        assert_eq!(LatencyEvent::from_name(b"fork"), None);
    }
}
