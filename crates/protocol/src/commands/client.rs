//! `CLIENT ...`, except KILL, which has a file of its own.

use bytes::Bytes;
use rivermark_types::ConnectionId;

use super::args::{Arguments, clipped};
use super::block;
use super::parsed::{
    Block, ClientAttribute, ClientCommand, ClientFilter, ClientKind, ConnectionCommand, Parsed, Pause,
    PauseScope, ReplyMode, Switch, UnblockReason,
};
use crate::reply_error::ReplyError;
use crate::resp::{Frame, parse_integer};

fn client(command: ClientCommand) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::Client(command)))
}

/// `CLIENT ID`
pub(super) fn id(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::Id)
}

/// `CLIENT INFO`
pub(super) fn info(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::Info)
}

/// `CLIENT LIST [TYPE type | ID id [id ...]]`
pub(super) fn list(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mut filter = ClientFilter::default();
    if arguments.left() == 2 && arguments.option("TYPE", 1) {
        filter.kind = Some(kind(&mut arguments)?);
    } else if arguments.option("ID", 1) {
        while let Some(id) = arguments.take() {
            let id = parse_integer(id).ok_or(ReplyError::InvalidClientId)?;
            // No connection has an id below 1; zero stands for all of them.
            filter.ids.push(ConnectionId::new(u64::try_from(id).unwrap_or(0)));
        }
    } else {
        arguments.end()?;
    }
    client(ClientCommand::List(filter))
}

/// `CLIENT SETNAME name`
pub(super) fn set_name(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::SetName(client_name(&mut arguments)?))
}

/// `CLIENT GETNAME`
pub(super) fn get_name(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::GetName)
}

/// `CLIENT SETINFO LIB-NAME|LIB-VER value`
pub(super) fn set_info(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let name = arguments.bytes()?;
    let attribute = if name.eq_ignore_ascii_case(b"LIB-NAME") {
        ClientAttribute::LibraryName
    } else if name.eq_ignore_ascii_case(b"LIB-VER") {
        ClientAttribute::LibraryVersion
    } else {
        return Err(ReplyError::UnknownClientAttribute(clipped(&name)));
    };
    let value = arguments.bytes()?;
    if !is_printable(&value) {
        return Err(ReplyError::InvalidClientAttribute(name));
    }
    client(ClientCommand::SetInfo(attribute, value))
}

/// `CLIENT NO-EVICT ON|OFF`
pub(super) fn no_evict(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::NoEvict(switch(&mut arguments)?))
}

/// `CLIENT NO-TOUCH ON|OFF`
pub(super) fn no_touch(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::NoTouch(switch(&mut arguments)?))
}

/// `CLIENT REPLY ON|OFF|SKIP`
pub(super) fn reply(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mode = if arguments.option("ON", 0) {
        ReplyMode::On
    } else if arguments.option("OFF", 0) {
        ReplyMode::Off
    } else if arguments.option("SKIP", 0) {
        ReplyMode::Skip
    } else {
        return Err(ReplyError::Syntax);
    };
    client(ClientCommand::Reply(mode))
}

/// `CLIENT PAUSE timeout [WRITE|ALL]`
pub(super) fn pause(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    if arguments.left() > 2 {
        return Err(arguments.subcommand_syntax());
    }
    let timeout = block::timeout(&mut arguments)?;
    let scope = match arguments.take() {
        None => PauseScope::All,
        Some(word) if word.eq_ignore_ascii_case(b"ALL") => PauseScope::All,
        Some(word) if word.eq_ignore_ascii_case(b"WRITE") => PauseScope::Writes,
        Some(_) => return Err(ReplyError::PauseMode),
    };
    // Unlike elsewhere, no time is no pause.
    let timeout_ms = match timeout {
        Block::Forever => 0,
        Block::Ms(ms) => ms,
    };
    client(ClientCommand::Pause(Pause { timeout_ms, scope }))
}

/// `CLIENT UNPAUSE`
pub(super) fn unpause(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    client(ClientCommand::Unpause)
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`
pub(super) fn unblock(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    if arguments.left() > 2 {
        return Err(arguments.subcommand_syntax());
    }
    let id = arguments.text()?;
    let reason = match arguments.take() {
        None => UnblockReason::Timeout,
        Some(word) if word.eq_ignore_ascii_case(b"TIMEOUT") => UnblockReason::Timeout,
        Some(word) if word.eq_ignore_ascii_case(b"ERROR") => UnblockReason::Error,
        Some(_) => return Err(ReplyError::UnblockReason),
    };
    let id = parse_integer(id).ok_or(ReplyError::NotAnInteger)?;
    client(ClientCommand::Unblock(ConnectionId::new(u64::try_from(id).unwrap_or(0)), reason))
}

/// `CLIENT TRACKING ON|OFF ...`: OFF is what always holds.
pub(super) fn tracking(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    match switch(&mut arguments)? {
        Switch::On => Err(ReplyError::TrackingUnsupported),
        Switch::Off => arguments.end().map(|()| Parsed::Reply(Frame::OK)),
    }
}

/// `CLIENT TRACKINGINFO`
pub(super) fn tracking_info(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Reply(Frame::fields([
        ("flags", Frame::Set(vec![Frame::literal("off")])),
        ("redirect", Frame::Integer(-1)),
        ("prefixes", Frame::Array(Vec::new())),
    ])))
}

/// `CLIENT GETREDIR`
pub(super) fn get_redirection(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Reply(Frame::Integer(-1)))
}

/// `CLIENT CACHING YES|NO`
pub(super) fn caching(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(ReplyError::CachingWithoutTracking)
}

/// `CLIENT HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "GETNAME",
            "    Return this connection's name.",
            "GETREDIR",
            "    Return where invalidation messages go; -1, as nothing is tracked.",
            "ID",
            "    Return this connection's id.",
            "INFO",
            "    Describe this connection.",
            "KILL <ip:port>",
            "    Close the connection from an address.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Close the connections for which all hold: ID, ADDR, LADDR, TYPE, USER, MAXAGE.",
            "    SKIPME (YES|NO) spares this connection (default: yes).",
            "LIST [TYPE <type> | ID <id> [<id> ...]]",
            "    Describe connections.",
            "NO-EVICT (ON|OFF)",
            "    Spare this connection when memory is short.",
            "NO-TOUCH (ON|OFF)",
            "    Do not count this connection's commands as use of the keys.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Hold back writes, or all commands, for so many milliseconds.",
            "REPLY (ON|OFF|SKIP)",
            "    Choose whether this connection gets replies.",
            "SETINFO (LIB-NAME|LIB-VER) <value>",
            "    Tell which library the client uses.",
            "SETNAME <name>",
            "    Name this connection.",
            "TRACKING (ON|OFF)",
            "    Client-side caching is not supported.",
            "TRACKINGINFO",
            "    Describe client-side caching of this connection.",
            "UNBLOCK <id> [TIMEOUT|ERROR]",
            "    End the wait of a connection.",
            "UNPAUSE",
            "    End a pause.",
        ],
    )
}

/// Takes a name for a connection; the empty one is allowed and takes the name away.
pub(super) fn client_name(arguments: &mut Arguments<'_>) -> Result<Bytes, ReplyError> {
    let name = arguments.bytes()?;
    if is_printable(&name) { Ok(name) } else { Err(ReplyError::InvalidClientName) }
}

/// Takes a kind of connections.
pub(super) fn kind(arguments: &mut Arguments<'_>) -> Result<ClientKind, ReplyError> {
    const KINDS: [(&str, ClientKind); 5] = [
        ("normal", ClientKind::Normal),
        ("slave", ClientKind::Replica),
        ("replica", ClientKind::Replica),
        ("pubsub", ClientKind::PubSub),
        ("master", ClientKind::Leader),
    ];
    let name = arguments.bytes()?;
    let known = KINDS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    known.map(|(_, kind)| *kind).ok_or_else(|| ReplyError::UnknownClientType(clipped(&name)))
}

fn switch(arguments: &mut Arguments<'_>) -> Result<Switch, ReplyError> {
    if arguments.option("ON", 0) {
        Ok(Switch::On)
    } else if arguments.option("OFF", 0) {
        Ok(Switch::Off)
    } else {
        Err(ReplyError::Syntax)
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
