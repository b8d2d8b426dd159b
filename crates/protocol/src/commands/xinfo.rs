//! `XINFO STREAM|GROUPS|CONSUMERS|HELP ...`

use rivermark_stream::Query;
use rivermark_stream::query::{XInfoConsumers, XInfoStreamFull};

use super::args::Arguments;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

/// What FULL shows of each list without COUNT.
const FULL_COUNT_DEFAULT: u64 = 10;

/// `XINFO STREAM key [FULL [COUNT n]]`
pub(super) fn stream(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let mut count = FULL_COUNT_DEFAULT;
    match arguments.left() {
        0 => return Ok(Parsed::Query(Query::XInfoStream(key))),
        1 | 3 if arguments.option("FULL", 0) => {}
        _ => return Err(arguments.subcommand_syntax()),
    }
    if arguments.left() > 0 {
        if !arguments.option("COUNT", 1) {
            return Err(arguments.subcommand_syntax());
        }
        count = u64::try_from(arguments.integer()?).unwrap_or(FULL_COUNT_DEFAULT);
    }
    Ok(Parsed::Query(Query::XInfoStreamFull(XInfoStreamFull { key, count })))
}

/// `XINFO GROUPS key`
pub(super) fn groups(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::XInfoGroups(arguments.key()?)))
}

/// `XINFO CONSUMERS key group`
pub(super) fn consumers(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (key, group) = (arguments.key()?, arguments.group()?);
    Ok(Parsed::Query(Query::XInfoConsumers(XInfoConsumers { key, group })))
}

/// `XINFO HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "CONSUMERS <key> <groupname>",
            "    Show the consumers of a group.",
            "GROUPS <key>",
            "    Show the groups of a stream.",
            "STREAM <key> [FULL [COUNT <count>]]",
            "    Show a stream; with FULL its entries, groups and pending entries too.",
        ],
    )
}
