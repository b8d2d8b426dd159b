//! How many reads of a connection are asked at once.
//!
//! Answers are held in memory until the connection writes them, and only then is it known how large they
//! were. So a connection learns from its last answers: small ones are asked for by the thousand, large
//! ones one at a time.

use rivermark_types::limits::{CONNECTION_OUTPUT_BYTES_MAX, CONNECTION_REQUESTS_IN_FLIGHT_MAX};

/// Before anything is known.
const REQUESTS_AT_FIRST: usize = 16;
/// How much faster a pace may become from one run to the next.
const GROWTH_MAX: usize = 4;

/// The pace of one connection.
#[derive(Debug)]
pub struct ReadPace {
    requests_at_once: usize,
}

impl Default for ReadPace {
    fn default() -> Self {
        Self { requests_at_once: REQUESTS_AT_FIRST }
    }
}

impl ReadPace {
    /// How many reads may be under way: at least one.
    pub fn requests_at_once(&self) -> usize {
        self.requests_at_once
    }

    /// Takes in that so many requests were answered with so many bytes.
    pub fn learn(&mut self, requests: usize, bytes: usize) {
        let bytes_each = bytes / requests.max(1) + 1;
        let fitting = (CONNECTION_OUTPUT_BYTES_MAX / bytes_each).max(1);
        let growing = self.requests_at_once.saturating_mul(GROWTH_MAX);
        self.requests_at_once = fitting.min(growing).min(CONNECTION_REQUESTS_IN_FLIGHT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_answers_quicken_and_large_ones_slow_down() {
        let mut pace = ReadPace::default();
        for _ in 0..10 {
            pace.learn(pace.requests_at_once(), pace.requests_at_once() * 20);
        }
        assert_eq!(pace.requests_at_once(), CONNECTION_REQUESTS_IN_FLIGHT_MAX);
        pace.learn(10, 10 * CONNECTION_OUTPUT_BYTES_MAX);
        assert_eq!(pace.requests_at_once(), 1);
        pace.learn(1, 100);
        assert_eq!(pace.requests_at_once(), GROWTH_MAX);
        pace.learn(0, 0);
        assert!(pace.requests_at_once() >= 1);
    }
}
