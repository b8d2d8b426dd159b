//! `XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE pairs]` and `XIDMPRECORD key producer id entry`

use rivermark_stream::Command;
use rivermark_stream::command::{IdempotentId, XCfgSet, XIdmpRecord};
use rivermark_types::limits::{IDEMPOTENT_PAIRS_MAX, IDEMPOTENT_S_MAX};

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let (mut duration_s, mut pairs_max) = (None, None);
    while arguments.left() > 0 {
        if arguments.option("IDMP-DURATION", 1) {
            let value = bounded(&mut arguments, IDEMPOTENT_S_MAX)?.ok_or(ReplyError::IdempotentDuration)?;
            if duration_s.replace(value).is_some() {
                return Err(ReplyError::IdempotentDurationTwice);
            }
        } else if arguments.option("IDMP-MAXSIZE", 1) {
            let value = bounded(&mut arguments, IDEMPOTENT_PAIRS_MAX)?.ok_or(ReplyError::IdempotentSize)?;
            if pairs_max.replace(value).is_some() {
                return Err(ReplyError::IdempotentSizeTwice);
            }
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    if duration_s.is_none() && pairs_max.is_none() {
        return Err(ReplyError::NothingToConfigure);
    }
    Ok(Parsed::Command(Command::XCfgSet(XCfgSet { key, duration_s, pairs_max })))
}

pub(super) fn record(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let pair = IdempotentId { producer: arguments.bytes()?, id: arguments.bytes()? };
    let entry = ids::of_one_entry(arguments.text()?)?;
    if pair.producer.is_empty() {
        return Err(ReplyError::ProducerEmpty);
    }
    if pair.id.is_empty() {
        return Err(ReplyError::IdempotentIdEmpty);
    }
    Ok(Parsed::Command(Command::XIdmpRecord(XIdmpRecord { key, pair, entry })))
}

/// An integer from 1 to `max`; `None` if it is another.
fn bounded(arguments: &mut Arguments<'_>, max: u32) -> Result<Option<u32>, ReplyError> {
    let value = arguments.integer()?;
    Ok(u32::try_from(value).ok().filter(|value| (1..=max).contains(value)))
}
