//! XRANGEBYSCORE, a command of our own: `docs/time.md`.

use rivermark_types::limits::RANGE_BYTES_MAX;

use super::View;
use crate::fields::Entries;
use crate::outcome::{Outcome, Rejection};
use crate::query::XRangeByScore;

/// Entries whose field lies between two scores.
pub(super) fn answer(view: &View<'_>, query: &XRangeByScore) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Entries(Entries::default()) };
    match query.count {
        Some(0) => Outcome::NilArray,
        count => {
            let count = count.unwrap_or(u64::MAX);
            let read =
                stream.entries.read_by_score(&query.field, query.start, query.end, count, RANGE_BYTES_MAX);
            read.map_or(Outcome::Rejected(Rejection::RangeTooLarge), Outcome::Entries)
        }
    }
}
