//! MAXCOUNT and MAXSIZE of XREAD and XREADGROUP.

use rivermark_stream::command::ReadBudget;

use super::args::Arguments;
use crate::reply_error::ReplyError;

/// Takes MAXCOUNT or MAXSIZE if one is next; given again, the last counts.
pub(super) fn take(arguments: &mut Arguments<'_>, budget: &mut ReadBudget) -> Result<bool, ReplyError> {
    if arguments.option("MAXCOUNT", 1) {
        budget.entries = Some(positive(arguments, ReplyError::MaxCountNotPositive)?);
    } else if arguments.option("MAXSIZE", 1) {
        budget.bytes = Some(positive(arguments, ReplyError::MaxSizeNotPositive)?);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// MAXCOUNT below COUNT is a mistake.
pub(super) fn check(budget: &ReadBudget, count: Option<u64>) -> Result<(), ReplyError> {
    match (budget.entries, count) {
        (Some(entries), Some(count)) if entries < count => Err(ReplyError::MaxCountBelowCount),
        _ => Ok(()),
    }
}

fn positive(arguments: &mut Arguments<'_>, error: ReplyError) -> Result<u64, ReplyError> {
    u64::try_from(arguments.integer()?).ok().filter(|value| *value > 0).ok_or(error)
}
