//! `XPENDING key group [[IDLE ms] start end count [consumer]]`

use rivermark_stream::Query;
use rivermark_stream::query::{PendingRange, PendingSummary};

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (key, group) = (arguments.key()?, arguments.group()?);
    match arguments.left() {
        0 => return Ok(Parsed::Query(Query::XPendingSummary(PendingSummary { key, group }))),
        3..=6 => {}
        _ => return Err(ReplyError::Syntax),
    }
    let mut min_idle_ms = 0;
    if arguments.option("IDLE", 0) {
        min_idle_ms = u64::try_from(arguments.integer()?).unwrap_or(0);
        if arguments.left() < 3 {
            return Err(ReplyError::Syntax);
        }
    }
    let (start, end) = (arguments.text()?, arguments.text()?);
    let count = u64::try_from(arguments.integer()?).unwrap_or(0);
    let (start, end) = (ids::range_start(start)?, ids::range_end(end)?);
    let consumer = if arguments.left() > 0 { Some(arguments.consumer()?) } else { None };
    let range = PendingRange { key, group, min_idle_ms, start, end, count, consumer };
    Ok(Parsed::Query(Query::XPendingRange(range)))
}
