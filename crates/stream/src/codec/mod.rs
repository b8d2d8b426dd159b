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
mod former;
mod outcome;
mod query;
mod reader;
mod values;
mod wire;

pub use batch::{BatchBuilder, PartBuilder};
pub use reader::{DecodeError, Reader};
pub use values::{
    decode_command, decode_outcome, decode_part_outcome, decode_query, encode_command, encode_outcome,
    encode_part_outcome, encode_query,
};

pub(crate) use wire::{Wire as WireValue, wire_struct};

#[cfg(test)]
mod frozen;
#[cfg(test)]
mod tests;
