//! XRANGE and XREVRANGE.

use rivermark_types::limits::RANGE_BYTES_MAX;

use super::View;
use crate::fields::Entries;
use crate::outcome::{Outcome, Rejection};
use crate::query::XRange;

/// Entries between two ids.
pub(super) fn answer(view: &View<'_>, query: &XRange) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Entries(Entries::default()) };
    match query.count {
        Some(0) => Outcome::NilArray,
        count => {
            let count = count.unwrap_or(u64::MAX);
            let read = stream.entries.read(query.start, query.end, count, query.direction, RANGE_BYTES_MAX);
            read.map_or(Outcome::Rejected(Rejection::RangeTooLarge), Outcome::Entries)
        }
    }
}
