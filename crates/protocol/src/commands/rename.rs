//! `RENAME|RENAMENX key newkey`, `COPY source destination [DB n] [REPLACE]`, `DUMP key`,
//! `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ n]`

use rivermark_stream::command::{CopyKey, Deadline, Occupied, Rename, Restore};
use rivermark_stream::{Command, Query};
use rivermark_types::{DatabaseIndex, StreamKey};

use super::args::Arguments;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn rename(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    renamed(arguments, Occupied::Replace)
}

pub(super) fn rename_if_free(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    renamed(arguments, Occupied::Keep)
}

fn renamed(mut arguments: Arguments<'_>, occupied: Occupied) -> Result<Parsed, ReplyError> {
    let (from, to) = (arguments.key()?, arguments.key()?);
    Ok(Parsed::Command(Command::Rename(Rename { from, to, occupied })))
}

pub(super) fn copy(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (from, name) = (arguments.key()?, arguments.bytes()?);
    let (mut database, mut occupied) = (arguments.database(), Occupied::Keep);
    while arguments.left() > 0 {
        if arguments.option("REPLACE", 0) {
            occupied = Occupied::Replace;
        } else if arguments.option("DB", 1) {
            let index = arguments.integer()?;
            let index = u8::try_from(index).ok().and_then(DatabaseIndex::new);
            database = index.ok_or(ReplyError::DatabaseOutOfRange)?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let to = StreamKey::new(database, name);
    if from == to {
        return Err(ReplyError::SameKey);
    }
    Ok(Parsed::Command(Command::Copy(CopyKey { from, to, occupied })))
}

pub(super) fn dump(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::Dump(arguments.key()?)))
}

/// IDLETIME and FREQ are checked as Redis does and then have no effect: neither is tracked.
pub(super) fn restore(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (key, ttl, payload) = (arguments.key()?, arguments.text()?, arguments.bytes()?);
    let (mut occupied, mut absolute, mut idle, mut frequency) = (Occupied::Keep, false, false, false);
    while arguments.left() > 0 {
        if arguments.option("REPLACE", 0) {
            occupied = Occupied::Replace;
        } else if arguments.option("ABSTTL", 0) {
            absolute = true;
        } else if !frequency && arguments.option("IDLETIME", 1) {
            idle = true;
            if arguments.integer()? < 0 {
                return Err(ReplyError::RestoreIdleTime);
            }
        } else if !idle && arguments.option("FREQ", 1) {
            frequency = true;
            if !(0..=255).contains(&arguments.integer()?) {
                return Err(ReplyError::RestoreFrequency);
            }
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let ttl = crate::resp::parse_integer(ttl).ok_or(ReplyError::NotAnInteger)?;
    let deadline = match ttl {
        ..0 => return Err(ReplyError::RestoreTimeToLive),
        0 => None,
        ms if absolute => Some(Deadline::AtUnixMs(ms)),
        ms => Some(Deadline::InMs(ms)),
    };
    Ok(Parsed::Command(Command::Restore(Restore { key, deadline, payload, occupied })))
}
