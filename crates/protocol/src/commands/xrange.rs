//! `XRANGE key start end [COUNT n]` and `XREVRANGE key end start [COUNT n]`

use rivermark_stream::Query;
use rivermark_stream::query::{Direction, XRange};

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    range(arguments, Direction::Forward)
}

pub(super) fn parse_reverse(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    range(arguments, Direction::Backward)
}

fn range(mut arguments: Arguments<'_>, direction: Direction) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let (first, second) = (arguments.text()?, arguments.text()?);
    let (start, end) = match direction {
        Direction::Forward => (first, second),
        Direction::Backward => (second, first),
    };
    let (start, end) = (ids::range_start(start)?, ids::range_end(end)?);
    let mut count = None;
    while arguments.left() > 0 {
        if !arguments.option("COUNT", 1) {
            return Err(ReplyError::Syntax);
        }
        count = Some(u64::try_from(arguments.integer()?).unwrap_or(0));
    }
    Ok(Parsed::Query(Query::XRange(XRange { key, start, end, count, direction })))
}
