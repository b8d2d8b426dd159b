//! `XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key... id...`

use bytes::Bytes;
use rivermark_stream::command::ReadBudget;
use rivermark_stream::query::{ReadFrom, XRead};
use rivermark_types::StreamKey;

use super::args::Arguments;
use super::parsed::{BlockingRead, Parsed};
use super::{block, budget, ids};
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (mut count, mut block, mut budget) = (None, None, ReadBudget::UNLIMITED);
    loop {
        if arguments.option("BLOCK", 1) {
            block = Some(block::timeout(&mut arguments)?);
        } else if arguments.option("COUNT", 1) {
            count = self::count(&mut arguments)?;
        } else if arguments.option("STREAMS", 1) {
            break;
        } else if arguments.option("GROUP", 2) {
            return Err(ReplyError::OptionOfXReadGroup(Bytes::from_static(b"GROUP")));
        } else if arguments.option("NOACK", 0) {
            return Err(ReplyError::OptionOfXReadGroup(Bytes::from_static(b"NOACK")));
        } else if arguments.option("CLAIM", 1) {
            return Err(ReplyError::OptionOfXReadGroup(Bytes::from_static(b"CLAIM")));
        } else if !budget::take(&mut arguments, &mut budget)? {
            return Err(ReplyError::Syntax);
        }
    }
    budget::check(&budget, count)?;
    let streams = streams(&mut arguments, ReplyError::UnbalancedXRead, read_from)?;
    Ok(Parsed::Read(BlockingRead { read: XRead { count, budget, streams }, block }))
}

/// COUNT; zero or less is no bound.
pub(super) fn count(arguments: &mut Arguments<'_>) -> Result<Option<u64>, ReplyError> {
    Ok(u64::try_from(arguments.integer()?).ok().filter(|count| *count > 0))
}

/// What follows STREAMS: keys, then as many ids.
pub(super) fn streams<T>(
    arguments: &mut Arguments<'_>,
    unbalanced: ReplyError,
    from: impl Fn(&[u8]) -> Result<T, ReplyError>,
) -> Result<Vec<(StreamKey, T)>, ReplyError> {
    if !arguments.left().is_multiple_of(2) {
        return Err(unbalanced);
    }
    let keys = arguments.left() / 2;
    let first_id = arguments.position() + keys;
    (0..keys)
        .map(|index| {
            let id = arguments.request().get(first_id + index).unwrap_or_default();
            Ok((arguments.key()?, from(id)?))
        })
        .collect()
}

fn read_from(id: &[u8]) -> Result<ReadFrom, ReplyError> {
    match id {
        b"$" => Ok(ReadFrom::Last),
        b"+" => Ok(ReadFrom::LastEntry),
        b">" => Err(ReplyError::NewIdOutsideGroup),
        id => Ok(ReadFrom::After(ids::strict(id)?)),
    }
}
