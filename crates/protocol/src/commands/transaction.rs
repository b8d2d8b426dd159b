//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. Whether they fit the connection's state is the server's to say.

use super::args::Arguments;
use super::parsed::{ConnectionCommand, Parsed};
use crate::reply_error::ReplyError;

/// `MULTI`
pub(super) fn multi(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Multi))
}

/// `EXEC`
pub(super) fn exec(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Exec))
}

/// `DISCARD`
pub(super) fn discard(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Discard))
}

/// `WATCH key [key ...]`
pub(super) fn watch(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Watch(arguments.keys()?)))
}

/// `UNWATCH`
pub(super) fn unwatch(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Unwatch))
}
