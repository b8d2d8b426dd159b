//! `DEBUG ...`: the few subcommands that have a meaning here. Whether DEBUG is allowed at all is for the server to
//! decide before this grammar.

use std::time::Duration;

use rivermark_types::limits::DEBUG_SLEEP_S_MAX;

use super::args::Arguments;
use super::parsed::{DebugCommand, NodeCommand, Parsed};
use crate::reply_error::ReplyError;
use crate::resp::Frame;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let word = arguments.bytes()?.to_ascii_uppercase();
    match (word.as_slice(), arguments.left()) {
        (b"HELP", 0) => help(&arguments),
        (b"SLEEP", 1) => debug(DebugCommand::Sleep(seconds(&mut arguments)?)),
        (b"OBJECT", 1) => debug(DebugCommand::Object(arguments.key()?)),
        (b"LOG", 1) => debug(DebugCommand::Log(arguments.bytes()?)),
        (b"PROTOCOL", 1) => protocol(&mut arguments).map(Parsed::Reply),
        // Deadlines pass when the leader of their shard stamps a batch after them; that is never switched off.
        (b"SET-ACTIVE-EXPIRE", 1) => match arguments.integer()? {
            0 => Err(ReplyError::ExpiryAlwaysOn),
            _ => Ok(Parsed::Reply(Frame::OK)),
        },
        _ => Err(arguments.subcommand_syntax()),
    }
}

fn debug(command: DebugCommand) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Debug(command)))
}

fn seconds(arguments: &mut Arguments<'_>) -> Result<Duration, ReplyError> {
    let text = std::str::from_utf8(arguments.text()?).map_err(|_| ReplyError::NotAFloat)?;
    let seconds: f64 = text.parse().map_err(|_| ReplyError::NotAFloat)?;
    if !(0.0..=DEBUG_SLEEP_S_MAX as f64).contains(&seconds) {
        return Err(ReplyError::DebugSleepOutOfRange);
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// One value of each type of the protocol.
fn protocol(arguments: &mut Arguments<'_>) -> Result<Frame, ReplyError> {
    let three = || (0..3).map(Frame::Integer).collect();
    Ok(match arguments.bytes()?.to_ascii_lowercase().as_slice() {
        b"string" => Frame::literal("Hello World"),
        b"integer" => Frame::Integer(12345),
        b"double" => Frame::Double(1.5),
        b"null" => Frame::Null,
        b"array" => Frame::Array(three()),
        b"set" => Frame::Set(three()),
        b"map" => {
            let pair = |number| (Frame::Integer(number), Frame::Boolean(number == 1));
            Frame::Map((0..3).map(pair).collect())
        }
        b"push" => Frame::Push(vec![Frame::literal("server-cpu-usage"), Frame::Integer(42)]),
        b"verbatim" => Frame::Verbatim("This is a verbatim\nstring".into()),
        b"true" => Frame::Boolean(true),
        b"false" => Frame::Boolean(false),
        _ => return Err(ReplyError::DebugProtocol),
    })
}

fn help(arguments: &Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        arguments,
        &[
            "LOG <message>",
            "    Write a line to the log of this node.",
            "OBJECT <key>",
            "    Describe the value of a key.",
            "PROTOCOL <type>",
            "    Reply with a value of a type: string, integer, double, null, array, set, map, push, verbatim,",
            "    true, false.",
            "SET-ACTIVE-EXPIRE (0|1)",
            "    Expiry is always on: 1 is accepted, 0 refused.",
            "SLEEP <seconds>",
            "    Begin no command of any client of this node for so long. Replication goes on.",
        ],
    )
}
