//! XRANGEBYSCORE against a walk over all entries.

use rivermark_stream::query::XRangeByScore;
use rivermark_stream::{Machine, Outcome, Query};
use rivermark_types::{Score, StreamKey, UnixMillis};

use crate::naive::{Item, pack};

const FIELDS: [&str; 2] = ["f", "g"];

fn score(item: &Item, field: &str) -> Option<Score> {
    let (_, value) = item.fields.iter().find(|(name, _)| *name == field.as_bytes())?;
    Score::parse(value)
}

/// What is asked depends on the moment, so that indexes are made at all times and not all are read after each change.
pub fn same_scores(machine: &Machine, key: &StreamKey, live: &[&Item], now: u64) {
    for field in FIELDS {
        if (now + live.len() as u64 + field.len() as u64).is_multiple_of(3) {
            continue;
        }
        for (start, end, count) in [
            (Score::MIN, Score::MAX, None),
            (bound(now % 7), bound(now % 11), Some(now % 4)),
            (bound(0), bound(5), None),
        ] {
            let within =
                |item: &&&Item| score(item, field).is_some_and(|score| start <= score && score <= end);
            let mut expected: Vec<&Item> = live.iter().filter(within).copied().collect();
            expected.sort_by_key(|item| (score(item, field), item.id));
            expected.truncate(count.unwrap_or(u64::MAX).try_into().unwrap_or(usize::MAX));
            let expected = match count {
                Some(0) => Outcome::NilArray,
                _ => Outcome::Entries(pack(expected.iter().map(|item| (item.id, Some(&item.fields))))),
            };
            let query = XRangeByScore { key: key.clone(), field: field.into(), start, end, count };
            assert_eq!(machine.query(UnixMillis::new(now), &Query::XRangeByScore(query)), expected);
        }
    }
}

fn bound(value: u64) -> Score {
    Score::new(value as f64 - 1.0).expect("a number")
}
