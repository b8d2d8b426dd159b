//! `CLIENT KILL ip:port` and `CLIENT KILL <filter> <value> ...`

use rivermark_types::ConnectionId;

use super::args::Arguments;
use super::client::kind;
use super::parsed::{ClientCommand, ClientKill, ConnectionCommand, Myself, Parsed};
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let command = match arguments.left() {
        1 => ClientCommand::KillAddress(arguments.bytes()?),
        _ => ClientCommand::Kill(filters(&mut arguments)?),
    };
    Ok(Parsed::Connection(ConnectionCommand::Client(command)))
}

fn filters(arguments: &mut Arguments<'_>) -> Result<ClientKill, ReplyError> {
    let mut kill = ClientKill {
        id: None,
        address: None,
        local_address: None,
        kind: None,
        user: None,
        age_s_min: None,
        myself: Myself::Skip,
    };
    while arguments.left() > 0 {
        if arguments.option("ID", 1) {
            let id = arguments.integer_or(ReplyError::ClientIdNotPositive)?;
            let id = u64::try_from(id).ok().filter(|id| *id > 0);
            kill.id = Some(ConnectionId::new(id.ok_or(ReplyError::ClientIdNotPositive)?));
        } else if arguments.option("MAXAGE", 1) {
            let age = arguments.integer_or(ReplyError::MaxAgeNotAnInteger)?;
            let age = u64::try_from(age).ok().filter(|age| *age > 0);
            kill.age_s_min = Some(age.ok_or(ReplyError::MaxAgeNotAnInteger)?);
        } else if arguments.option("TYPE", 1) {
            kill.kind = Some(kind(arguments)?);
        } else if arguments.option("ADDR", 1) {
            kill.address = Some(arguments.bytes()?);
        } else if arguments.option("LADDR", 1) {
            kill.local_address = Some(arguments.bytes()?);
        } else if arguments.option("USER", 1) {
            kill.user = Some(arguments.bytes()?);
        } else if arguments.option("SKIPME", 1) {
            kill.myself = skip_me(arguments)?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(kill)
}

fn skip_me(arguments: &mut Arguments<'_>) -> Result<Myself, ReplyError> {
    if arguments.option("YES", 0) {
        Ok(Myself::Skip)
    } else if arguments.option("NO", 0) {
        Ok(Myself::Include)
    } else {
        Err(ReplyError::Syntax)
    }
}
