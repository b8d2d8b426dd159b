//! `HELLO [2|3 [AUTH user password] [SETNAME name]]`

use super::args::{Arguments, clipped};
use super::client::client_name;
use super::parsed::{ConnectionCommand, Credentials, Hello, Parsed};
use crate::reply_error::ReplyError;
use crate::resp::Protocol;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mut hello = Hello::default();
    if arguments.left() > 0 {
        hello.protocol = match arguments.integer_or(ReplyError::ProtocolVersionNotAnInteger)? {
            2 => Some(Protocol::Resp2),
            3 => Some(Protocol::Resp3),
            _ => return Err(ReplyError::ProtocolVersionUnsupported),
        };
    }
    while arguments.left() > 0 {
        if arguments.option("AUTH", 2) {
            let user = Some(arguments.bytes()?);
            let password = arguments.bytes()?;
            hello.credentials = Some(Credentials { user, password, command: arguments.command_as_sent() });
        } else if arguments.option("SETNAME", 1) {
            hello.name = Some(client_name(&mut arguments)?);
        } else {
            return Err(ReplyError::HelloOption(clipped(&arguments.bytes()?)));
        }
    }
    Ok(Parsed::Connection(ConnectionCommand::Hello(hello)))
}
