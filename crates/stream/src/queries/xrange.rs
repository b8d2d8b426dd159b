//! XRANGE and XREVRANGE.

use super::View;
use crate::fields::Entries;
use crate::outcome::Outcome;
use crate::query::XRange;

/// Entries between two ids.
pub(super) fn answer(view: &View<'_>, query: &XRange) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Entries(Entries::default()) };
    match query.count {
        Some(0) => Outcome::NilArray,
        count => {
            let count = count.unwrap_or(u64::MAX);
            Outcome::Entries(stream.entries.read(query.start, query.end, count, query.direction))
        }
    }
}
