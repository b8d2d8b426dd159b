//! `XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id ...]`

use rivermark_stream::Command;
use rivermark_stream::command::XDelEx;

use super::args::Arguments;
use super::parsed::Parsed;
use super::references::ids_and_references;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let (ids, references) = ids_and_references(&mut arguments)?;
    Ok(Parsed::Command(Command::XDelEx(XDelEx { key, references, ids })))
}
