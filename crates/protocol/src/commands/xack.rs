//! `XACK key group id [id ...]`
//!
//! Ids are read before the key is looked at, so an invalid one is an error even if the key is missing.

use rivermark_stream::Command;
use rivermark_stream::command::{GroupRef, XAck};

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let target = GroupRef { key: arguments.key()?, group: arguments.group()? };
    let ids = ids::of_entries(&mut arguments)?;
    Ok(Parsed::Command(Command::XAck(XAck { target, ids })))
}
