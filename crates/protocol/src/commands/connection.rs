//! Commands of the connection that take few or no arguments: PING, ECHO, AUTH, SELECT, QUIT, RESET, READONLY,
//! READWRITE, ASKING, MONITOR.

use bytes::Bytes;
use rivermark_types::DatabaseIndex;

use super::args::Arguments;
use super::parsed::{ConnectionCommand, Credentials, Parsed};
use crate::reply_error::ReplyError;
use crate::resp::Frame;

/// `PING [message]`
pub(super) fn ping(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let reply = match arguments.left() {
        0 => Frame::simple("PONG"),
        1 => Frame::Bulk(arguments.bytes()?),
        _ => return Err(arguments.wrong_arity()),
    };
    Ok(Parsed::Reply(reply))
}

/// `ECHO message`
pub(super) fn echo(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Reply(Frame::Bulk(arguments.bytes()?)))
}

/// `AUTH [user] password`
pub(super) fn auth(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let user = match arguments.left() {
        1 => None,
        2 => Some(arguments.bytes()?),
        _ => return Err(ReplyError::Syntax),
    };
    let credentials =
        Credentials { user, password: arguments.bytes()?, command: arguments.command_as_sent() };
    Ok(Parsed::Connection(ConnectionCommand::Auth(credentials)))
}

/// `SELECT index`
pub(super) fn select(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let index = arguments.integer()?;
    if i32::try_from(index).is_err() {
        let bound = |bound: i32| Bytes::from(bound.to_string());
        return Err(ReplyError::OutOfRange(bound(i32::MIN), bound(i32::MAX)));
    }
    let database = u8::try_from(index).ok().and_then(DatabaseIndex::new);
    let database = database.ok_or(ReplyError::DatabaseOutOfRange)?;
    Ok(Parsed::Connection(ConnectionCommand::Select(database)))
}

/// `QUIT`
pub(super) fn quit(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Quit))
}

/// `RESET`
pub(super) fn reset(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Reset))
}

/// `READONLY`
pub(super) fn read_only(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::ReadOnly))
}

/// `READWRITE`
pub(super) fn read_write(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::ReadWrite))
}

/// `ASKING`
pub(super) fn asking(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Asking))
}

/// `MONITOR`
pub(super) fn monitor(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Monitor))
}
