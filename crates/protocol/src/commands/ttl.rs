//! `TTL|PTTL|EXPIRETIME|PEXPIRETIME key`

use rivermark_stream::Query;
use rivermark_stream::query::{DeadlineForm, TimeToLive};

use super::args::Arguments;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn seconds_left(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    time_to_live(arguments, DeadlineForm::SecondsLeft)
}

pub(super) fn millis_left(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    time_to_live(arguments, DeadlineForm::MillisLeft)
}

pub(super) fn unix_seconds(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    time_to_live(arguments, DeadlineForm::UnixSeconds)
}

pub(super) fn unix_millis(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    time_to_live(arguments, DeadlineForm::UnixMillis)
}

fn time_to_live(mut arguments: Arguments<'_>, form: DeadlineForm) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::TimeToLive(TimeToLive { key: arguments.key()?, form })))
}
