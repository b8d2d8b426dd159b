//! `XREADGROUP GROUP group consumer [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] [CLAIM min-idle-ms] [NOACK]
//! STREAMS key... id...`

use bytes::Bytes;
use rivermark_stream::command::{Acknowledgement, GroupReadFrom, ReadBudget, XReadGroup};

use super::args::Arguments;
use super::parsed::{BlockingReadGroup, Parsed};
use super::{block, budget, ids, xread};
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (mut count, mut block, mut group) = (None, None, None);
    let (mut budget, mut claim_min_idle_ms) = (ReadBudget::UNLIMITED, None);
    let mut acknowledgement = Acknowledgement::Explicit;
    loop {
        if arguments.option("BLOCK", 1) {
            block = Some(block::timeout(&mut arguments)?);
        } else if arguments.option("COUNT", 1) {
            count = xread::count(&mut arguments)?;
        } else if arguments.option("STREAMS", 1) {
            break;
        } else if arguments.option("GROUP", 2) {
            group = Some((arguments.group()?, arguments.consumer()?));
        } else if arguments.option("NOACK", 0) {
            acknowledgement = Acknowledgement::Implicit;
        } else if arguments.option("CLAIM", 1) {
            let idle = arguments.integer_or(ReplyError::ClaimMinIdleNotAnInteger)?;
            claim_min_idle_ms = Some(u64::try_from(idle).map_err(|_| ReplyError::ClaimMinIdleNegative)?);
        } else if !budget::take(&mut arguments, &mut budget)? {
            return Err(ReplyError::Syntax);
        }
    }
    budget::check(&budget, count)?;
    if !arguments.left().is_multiple_of(2) {
        return Err(ReplyError::UnbalancedXReadGroup);
    }
    let (group, consumer) = group.ok_or(ReplyError::GroupMissing)?;
    let streams = xread::streams(&mut arguments, ReplyError::UnbalancedXReadGroup, read_from)?;
    let read = XReadGroup { group, consumer, count, budget, claim_min_idle_ms, acknowledgement, streams };
    Ok(Parsed::ReadGroup(BlockingReadGroup { read, block }))
}

fn read_from(id: &[u8]) -> Result<GroupReadFrom, ReplyError> {
    match id {
        b">" => Ok(GroupReadFrom::New),
        b"$" => Err(ReplyError::LastIdInGroup(Bytes::from_static(b"$"))),
        b"+" => Err(ReplyError::LastIdInGroup(Bytes::from_static(b"+"))),
        id => Ok(GroupReadFrom::Pending(ids::strict(id)?)),
    }
}
