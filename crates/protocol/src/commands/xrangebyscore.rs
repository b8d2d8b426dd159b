//! `XRANGEBYSCORE key min max [BY field] [COUNT n]`, a command of our own: `docs/time.md`.

use bytes::Bytes;
use rivermark_stream::Query;
use rivermark_stream::query::XRangeByScore;

use super::args::Arguments;
use super::parsed::Parsed;
use super::scores;
use crate::reply_error::ReplyError;

/// The field without BY.
const FIELD_DEFAULT: &[u8] = b"run_at";

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let (min, max) = (arguments.text()?, arguments.text()?);
    let (start, end) = scores::range(min, max)?;
    let (mut field, mut count) = (Bytes::from_static(FIELD_DEFAULT), None);
    while arguments.left() > 0 {
        if arguments.option("BY", 1) {
            field = arguments.bytes()?;
        } else if arguments.option("COUNT", 1) {
            count = Some(u64::try_from(arguments.integer()?).unwrap_or(0));
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(Parsed::Query(Query::XRangeByScore(XRangeByScore { key, field, start, end, count })))
}
