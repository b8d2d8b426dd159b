//! `XLEN key`

use rivermark_stream::Query;

use super::args::Arguments;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::XLen(arguments.key()?)))
}
