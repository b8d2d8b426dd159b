//! How long the calls of one command took: counted in buckets that are exact to a sixteenth, cheap enough for every
//! command of every connection.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets between two powers of two.
const STEPS: u64 = 16;
const STEPS_BITS: u32 = STEPS.trailing_zeros();
/// Whatever takes longer than 2^32 microseconds, over an hour, counts as that long.
const EXPONENT_MAX: u32 = 32;
const BUCKETS: usize = ((EXPONENT_MAX - STEPS_BITS + 1) as usize) * STEPS as usize;

/// Durations in microseconds. A bucket holds those above the bound of the one before, up to and including its own, and
/// every power of two is a bound.
#[derive(Debug)]
pub struct Durations {
    buckets: Box<[AtomicU64]>,
}

impl Default for Durations {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Durations {
    /// Counts calls that took equally long.
    pub fn record(&self, micros: u64, calls: u64) {
        self.buckets[bucket_of(micros)].fetch_add(calls, Ordering::Relaxed);
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }

    /// The least bound, in microseconds, that so many percent of the calls did not exceed; zero if there were none.
    pub fn percentile(&self, percent: f64) -> u64 {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let wanted = ((percent / 100.0 * all as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(0, bound_of)
    }

    /// For each power of two that more calls did not exceed than the one before: it, in microseconds, and how many did
    /// not exceed it.
    pub fn by_power_of_two(&self) -> Vec<(u64, u64)> {
        let mut told = Vec::new();
        let (mut seen, mut told_last) = (0, 0);
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Ordering::Relaxed);
            let bound = bound_of(index);
            if bound.is_power_of_two() && seen > told_last {
                told.push((bound, seen));
                told_last = seen;
            }
        }
        told
    }
}

fn bucket_of(micros: u64) -> usize {
    // One less, so that a power of two is the last of its bucket rather than the first.
    let value = micros.saturating_sub(1).min((1 << EXPONENT_MAX) - 1);
    if value < STEPS {
        return value as usize;
    }
    let exponent = value.ilog2();
    let step = (value >> (exponent - STEPS_BITS)) - STEPS;
    ((exponent - STEPS_BITS + 1) as usize) * STEPS as usize + step as usize
}

/// The greatest duration that falls into a bucket.
fn bound_of(index: usize) -> u64 {
    let (row, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if row == 0 { step + 1 } else { (STEPS + step + 1) << (row - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_within_its_bucket() {
        let mut last = 0;
        for index in 0..BUCKETS {
            let bound = bound_of(index);
            assert_eq!((bucket_of(last + 1), bucket_of(bound)), (index, index));
            assert!(last == 0 || bound - last <= (last / STEPS).max(1), "{last} to {bound}");
            last = bound;
        }
        assert_eq!(last, 1 << EXPONENT_MAX);
        assert_eq!((bucket_of(0), bucket_of(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn percentiles_and_powers_of_two() {
        let durations = Durations::default();
        assert_eq!(durations.percentile(50.0), 0);
        for micros in 1..=100 {
            durations.record(micros, 10);
        }
        assert_eq!(durations.percentile(50.0), 50);
        assert_eq!(durations.percentile(100.0), 100);
        let powers = [(1, 10), (2, 20), (4, 40), (8, 80), (16, 160), (32, 320), (64, 640), (128, 1000)];
        assert_eq!(durations.by_power_of_two(), powers);
        durations.reset();
        assert!(durations.by_power_of_two().is_empty());
    }
}
