//! From a request to its row in the table.

use bytes::Bytes;
use rivermark_types::DatabaseIndex;

use super::args::{Arguments, clipped};
use super::parsed::Parsed;
use super::spec::CommandSpec;
use super::table;
use crate::reply_error::ReplyError;
use crate::resp::Request;

/// How much of a request is told back in the unknown-command error.
const TOLD_BYTES_MAX: usize = 128;

/// The command or subcommand a request names.
///
/// # Errors
/// Unknown command or subcommand, or a number of arguments it cannot have. Inside MULTI these abort the transaction.
pub fn resolve(request: &Request) -> Result<&'static CommandSpec, ReplyError> {
    let name = request.get(0).unwrap_or_default();
    let command = table::find(name).ok_or_else(|| unknown_command(request))?;
    let spec = match request.get(1) {
        Some(word) if !command.subcommands.is_empty() => {
            command.subcommand(word).ok_or_else(|| unknown_subcommand(command, request))?
        }
        _ => command,
    };
    if spec.accepts_arity(request.len()) { Ok(spec) } else { Err(ReplyError::wrong_arity(spec.name)) }
}

/// [`resolve`] and [`CommandSpec::parse`] in one step.
///
/// # Errors
/// Those of either.
pub fn parse(request: &Request, database: DatabaseIndex) -> Result<Parsed, ReplyError> {
    resolve(request)?.parse(request, database)
}

impl CommandSpec {
    /// The subcommand of this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        self.subcommands.iter().find(|spec| spec.own_name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The grammar of a command that is nothing without its subcommands: never reached, as those have two words
/// and [`resolve`] finds them or refuses.
pub(super) fn container(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(arguments.wrong_arity())
}

fn unknown_command(request: &Request) -> ReplyError {
    let mut told = Vec::new();
    for argument in request.iter().skip(1) {
        if told.len() >= TOLD_BYTES_MAX {
            break;
        }
        told.push(b'\'');
        told.extend_from_slice(&argument[..argument.len().min(TOLD_BYTES_MAX - told.len() + 1)]);
        told.extend_from_slice(b"' ");
    }
    let name = request.bytes(0).unwrap_or_default();
    ReplyError::UnknownCommand(clipped(&name), Bytes::from(told))
}

fn unknown_subcommand(command: &CommandSpec, request: &Request) -> ReplyError {
    let name = request.bytes(1).unwrap_or_default();
    ReplyError::UnknownSubcommand(clipped(&name), Bytes::from(command.name.to_ascii_uppercase()))
}
