//! The values others store and send: commands, queries, outcomes, each on its own.

use super::reader::{DecodeError, Reader};
use super::wire::Wire;
use crate::batch::PartOutcome;
use crate::command::Command;
use crate::outcome::Outcome;
use crate::query::Query;

/// Appends a command.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) {
    command.encode(out);
}

/// Takes a command off the front.
///
/// # Errors
/// [`DecodeError`] if the bytes do not begin with one.
pub fn decode_command(reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    Command::decode(reader)
}

/// Appends a query.
pub fn encode_query(query: &Query, out: &mut Vec<u8>) {
    query.encode(out);
}

/// Takes a query off the front.
///
/// # Errors
/// [`DecodeError`] if the bytes do not begin with one.
pub fn decode_query(reader: &mut Reader<'_>) -> Result<Query, DecodeError> {
    Query::decode(reader)
}

/// Appends an outcome.
pub fn encode_outcome(outcome: &Outcome, out: &mut Vec<u8>) {
    outcome.encode(out);
}

/// Takes an outcome off the front.
///
/// # Errors
/// [`DecodeError`] if the bytes do not begin with one.
pub fn decode_outcome(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    Outcome::decode(reader)
}

/// Appends what became of a part.
pub fn encode_part_outcome(outcome: &PartOutcome, out: &mut Vec<u8>) {
    outcome.encode(out);
}

/// Takes what became of a part off the front.
///
/// # Errors
/// [`DecodeError`] if the bytes do not begin with one.
pub fn decode_part_outcome(reader: &mut Reader<'_>) -> Result<PartOutcome, DecodeError> {
    PartOutcome::decode(reader)
}
