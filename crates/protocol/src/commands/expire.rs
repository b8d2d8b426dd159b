//! `EXPIRE|PEXPIRE|EXPIREAT|PEXPIREAT key time [NX | XX | GT | LT]` and `PERSIST key`

use bytes::Bytes;
use rivermark_stream::Command;
use rivermark_stream::command::{Deadline, ExistingOnly, Expire, ExpireCondition};

use super::args::{Arguments, clipped};
use super::block::FUTURE_MS_MAX;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

/// `EXPIRE key seconds`
pub(super) fn seconds(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    expire(arguments, |time| in_ms(time.checked_mul(1000)?))
}

/// `PEXPIRE key milliseconds`
pub(super) fn millis(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    expire(arguments, in_ms)
}

/// `EXPIREAT key unix-seconds`
pub(super) fn at_seconds(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    expire(arguments, |time| Some(Deadline::AtUnixMs(time.checked_mul(1000)?)))
}

/// `PEXPIREAT key unix-milliseconds`
pub(super) fn at_millis(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    expire(arguments, |time| Some(Deadline::AtUnixMs(time)))
}

/// `PERSIST key`
pub(super) fn persist(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Command(Command::Persist(arguments.key()?)))
}

/// `None` if the deadline would overflow once the stamp is added.
fn in_ms(ms: i64) -> Option<Deadline> {
    (ms <= FUTURE_MS_MAX).then_some(Deadline::InMs(ms))
}

fn expire(
    mut arguments: Arguments<'_>,
    deadline: impl Fn(i64) -> Option<Deadline>,
) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let time = arguments.text()?;
    let (condition, existing_only) = condition(&mut arguments)?;
    let time = crate::resp::parse_integer(time).ok_or(ReplyError::NotAnInteger)?;
    let invalid = || ReplyError::InvalidExpireTime(Bytes::from_static(arguments.command().as_bytes()));
    let deadline = deadline(time).ok_or_else(invalid)?;
    Ok(Parsed::Command(Command::Expire(Expire { key, deadline, condition, existing_only })))
}

fn condition(arguments: &mut Arguments<'_>) -> Result<(ExpireCondition, ExistingOnly), ReplyError> {
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    while arguments.left() > 0 {
        let given = if arguments.option("NX", 0) {
            &mut nx
        } else if arguments.option("XX", 0) {
            &mut xx
        } else if arguments.option("GT", 0) {
            &mut gt
        } else if arguments.option("LT", 0) {
            &mut lt
        } else {
            return Err(ReplyError::UnsupportedOption(clipped(&arguments.bytes()?)));
        };
        *given = true;
    }
    if nx && (xx || gt || lt) {
        return Err(ReplyError::ExpireNxWithOthers);
    }
    if gt && lt {
        return Err(ReplyError::ExpireGtWithLt);
    }
    let existing_only = if xx && (gt || lt) { ExistingOnly::Yes } else { ExistingOnly::No };
    let condition = match (nx, gt, lt, xx) {
        (true, ..) => ExpireCondition::IfNone,
        (_, true, ..) => ExpireCondition::IfLater,
        (_, _, true, _) => ExpireCondition::IfEarlier,
        (.., true) => ExpireCondition::IfSome,
        _ => ExpireCondition::Always,
    };
    Ok((condition, existing_only))
}
