//! `XCLAIM key group consumer min-idle id... [IDLE ms] [TIME unix-ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]`
//!
//! The ids end at the first word that is none, so an invalid id is told as an unknown option.

use bytes::Bytes;
use rivermark_stream::Command;
use rivermark_stream::command::{ClaimReply, ConsumerRef, DeliveryTime, Force, XClaim};
use rivermark_types::EntryId;

use super::args::{Arguments, clipped};
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let target =
        ConsumerRef { key: arguments.key()?, group: arguments.group()?, consumer: arguments.consumer()? };
    let mut claim = XClaim {
        target,
        min_idle_ms: min_idle_ms(&mut arguments, "XCLAIM")?,
        ids: leading_ids(&mut arguments),
        delivery_time: DeliveryTime::Now,
        retry_count: None,
        force: Force::No,
        reply: ClaimReply::Entries,
        last_id: None,
    };
    while arguments.left() > 0 {
        option(&mut arguments, &mut claim)?;
    }
    Ok(Parsed::Command(Command::XClaim(claim)))
}

/// Takes min-idle-time; negative is zero.
pub(super) fn min_idle_ms(arguments: &mut Arguments<'_>, command: &'static str) -> Result<u64, ReplyError> {
    let error = ReplyError::InvalidMinIdle(Bytes::from_static(command.as_bytes()));
    Ok(u64::try_from(arguments.integer_or(error)?).unwrap_or(0))
}

fn leading_ids(arguments: &mut Arguments<'_>) -> Vec<EntryId> {
    let mut ids = Vec::with_capacity(arguments.left());
    while let Some(Ok(id)) = arguments.peek().map(ids::of_one_entry) {
        ids.push(id);
        arguments.take();
    }
    ids
}

fn option(arguments: &mut Arguments<'_>, claim: &mut XClaim) -> Result<(), ReplyError> {
    let operand = |arguments: &mut Arguments<'_>, name: &'static str| {
        arguments.integer_or(ReplyError::InvalidClaimOption(Bytes::from_static(name.as_bytes())))
    };
    if arguments.option("FORCE", 0) {
        claim.force = Force::Yes;
    } else if arguments.option("JUSTID", 0) {
        claim.reply = ClaimReply::Ids;
    } else if arguments.option("IDLE", 1) {
        claim.delivery_time = DeliveryTime::IdleMs(operand(arguments, "IDLE")?);
    } else if arguments.option("TIME", 1) {
        claim.delivery_time = DeliveryTime::AtUnixMs(operand(arguments, "TIME")?);
    } else if arguments.option("RETRYCOUNT", 1) {
        // The reference keeps -1 for "not given" and treats all negatives so.
        claim.retry_count = u64::try_from(operand(arguments, "RETRYCOUNT")?).ok();
    } else if arguments.option("LASTID", 1) {
        let id = ids::strict(arguments.text()?)?;
        claim.last_id = claim.last_id.max(Some(id));
    } else {
        return Err(ReplyError::UnknownClaimOption(clipped(&arguments.bytes()?)));
    }
    Ok(())
}
