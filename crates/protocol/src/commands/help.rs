//! HELP of commands that have subcommands.

use super::args::Arguments;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;
use crate::resp::Frame;

/// One simple string a line, between a heading and the line about HELP itself.
pub(super) fn reply(arguments: &Arguments<'_>, lines: &[&'static str]) -> Result<Parsed, ReplyError> {
    let container = arguments.command().split('|').next().unwrap_or_default().to_ascii_uppercase();
    let heading = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut frames = vec![Frame::Simple(heading.into())];
    frames.extend(lines.iter().map(|line| Frame::simple(line)));
    frames.extend(["HELP", "    Print this help."].map(Frame::simple));
    Ok(Parsed::Reply(Frame::Array(frames)))
}
