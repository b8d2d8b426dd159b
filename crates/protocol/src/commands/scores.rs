//! Bounds of scores in arguments: numbers as ZRANGEBYSCORE reads them, and times.

use rivermark_types::{IsoTime, Score};

use crate::reply_error::ReplyError;

/// Lowest and greatest score of a range, both inclusive. No score lies in it if the first is above the second.
pub(super) type ScoreRange = (Score, Score);

/// Reads both bounds. A time names all its moments, so as the lower bound it is its first one, as the upper its last,
/// and `(` leaves out all of them.
pub(super) fn range(min: &[u8], max: &[u8]) -> Result<ScoreRange, ReplyError> {
    let (min, max) = (Bound::parse(min)?, Bound::parse(max)?);
    let start = if min.is_excluded { min.last.successor() } else { Some(min.first) };
    let end = if max.is_excluded { max.first.predecessor() } else { Some(max.last) };
    // Nothing is above infinity or below minus infinity.
    Ok(start.zip(end).unwrap_or((Score::MAX, Score::MIN)))
}

/// The scores that one bound names.
struct Bound {
    is_excluded: bool,
    first: Score,
    last: Score,
}

impl Bound {
    fn parse(text: &[u8]) -> Result<Self, ReplyError> {
        let (is_excluded, text) = match text.strip_prefix(b"(") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (first, last) = match (Score::parse_number(text), IsoTime::parse(text)) {
            (Some(score), _) => (score, score),
            (None, Some(time)) => (time.first_score(), time.last_score()),
            (None, None) => return Err(ReplyError::InvalidScore),
        };
        Ok(Self { is_excluded, first, last })
    }
}
