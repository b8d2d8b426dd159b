//! `XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]`

use rivermark_stream::Command;
use rivermark_stream::command::{ClaimReply, ConsumerRef, XAutoClaim};

use super::args::Arguments;
use super::parsed::Parsed;
use super::{ids, xclaim};
use crate::reply_error::ReplyError;

const COUNT_DEFAULT: u64 = 100;
/// The reference's bound: what it could size an array of ids for.
const COUNT_MAX: i64 = i64::MAX / 16;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let target =
        ConsumerRef { key: arguments.key()?, group: arguments.group()?, consumer: arguments.consumer()? };
    let min_idle_ms = xclaim::min_idle_ms(&mut arguments, "XAUTOCLAIM")?;
    let start = ids::range_start(arguments.text()?)?;
    let (mut count, mut reply) = (COUNT_DEFAULT, ClaimReply::Entries);
    while arguments.left() > 0 {
        if arguments.option("COUNT", 1) {
            count = match arguments.integer_or(ReplyError::CountNotPositive)? {
                given @ 1..=COUNT_MAX => given.unsigned_abs(),
                _ => return Err(ReplyError::CountNotPositive),
            };
        } else if arguments.option("JUSTID", 0) {
            reply = ClaimReply::Ids;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(Parsed::Command(Command::XAutoClaim(XAutoClaim { target, min_idle_ms, start, count, reply })))
}
