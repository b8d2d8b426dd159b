//! The shard's own binary encoding: of commands in the Raft log, of outcomes between nodes and in
//! snapshots. See "Shard encoding" in docs/formats.md.
//!
//! A value is a tag byte for its variant, then its fields in order; numbers are LEB128 varints, bytes are
//! length-prefixed. Tags are written out here, never renumbered and never reused; a command that gains
//! arguments gains a tag, so every log ever written stays readable and an older node refuses what it does
//! not know instead of guessing. Decoding shares the buffer it reads (`Bytes::slice`), checks everything
//! a value's type promises, allocates no more than it was given bytes for, and never panics.
//!
//! Not here: framing and checksums, which belong to whoever stores or sends the bytes.

mod batch;
mod command;
mod outcome;
mod query;
mod reader;
mod wire;

pub use batch::{BatchBuilder, PartBuilder};
pub use reader::{DecodeError, Reader};

use crate::batch::PartOutcome;
use crate::command::Command;
use crate::outcome::Outcome;
use crate::query::Query;
use wire::Wire;

pub(crate) use wire::{Wire as WireValue, wire_struct};

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

#[cfg(test)]
mod tests;
