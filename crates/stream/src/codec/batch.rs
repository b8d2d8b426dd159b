//! Parts and batches: the frames around encoded commands.
//!
//! A part is a handful of numbers and the encoded commands; a batch is a version, a stamp and the parts up
//! to the end of the bytes. The proposer joins parts without looking into them.

use bytes::Bytes;
use rivermark_types::{SessionId, UnixMillis};

use super::reader::{DecodeError, Reader};
use super::wire::{Wire, wire_struct};
use crate::batch::{Batch, Part};
use crate::command::Command;

const BATCH_VERSION: u8 = 1;

wire_struct! {
    Part { session, first_sequence, acknowledged_below, count, commands }
}

impl Part {
    /// Appends the part, for [`BatchBuilder::push_encoded_part`] here or on another node.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Wire::encode(self, out);
    }

    /// Takes a part off the front. The commands stay encoded; see [`Part::check`].
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes do not begin with one.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Wire::decode(reader)
    }

    /// The commands, decoded one at a time. Ends after the first error.
    pub fn iter(&self) -> PartIter<'_> {
        PartIter { reader: Reader::new(&self.commands), left: self.count }
    }

    /// Whether the part holds exactly `count` commands this build understands. A leader asks this of every
    /// part that another process encoded before it proposes it: apply takes it for granted.
    ///
    /// # Errors
    /// The first [`DecodeError`].
    pub fn check(&self) -> Result<(), DecodeError> {
        let mut iter = self.iter();
        for command in iter.by_ref() {
            command?;
        }
        iter.reader.finish()
    }
}

/// Decodes a part's commands.
#[derive(Debug)]
pub struct PartIter<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl Iterator for PartIter<'_> {
    type Item = Result<Command, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let command = Command::decode(&mut self.reader);
        if command.is_err() {
            self.left = 0;
        }
        Some(command)
    }
}

/// Encodes commands into a part.
#[derive(Debug)]
pub struct PartBuilder {
    session: SessionId,
    first_sequence: u64,
    acknowledged_below: u64,
    count: u32,
    commands: Vec<u8>,
}

impl PartBuilder {
    /// A part of `session` whose first command has the number `first_sequence`.
    pub fn new(session: SessionId, first_sequence: u64, acknowledged_below: u64) -> Self {
        Self { session, first_sequence, acknowledged_below, count: 0, commands: Vec::new() }
    }

    /// Adds a command.
    pub fn push(&mut self, command: &Command) {
        command.encode(&mut self.commands);
        self.count += 1;
    }

    /// Adds a command that is encoded already.
    pub fn push_encoded(&mut self, command: &[u8]) {
        self.commands.extend_from_slice(command);
        self.count += 1;
    }

    /// Commands so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the commands so far.
    pub fn bytes(&self) -> usize {
        self.commands.len()
    }

    /// The part.
    pub fn finish(self) -> Part {
        Part {
            session: self.session,
            first_sequence: self.first_sequence,
            acknowledged_below: self.acknowledged_below,
            count: self.count,
            commands: self.commands.into(),
        }
    }
}

/// Joins encoded parts into an encoded batch.
#[derive(Debug)]
pub struct BatchBuilder {
    encoded: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch with the leader's stamp.
    pub fn new(stamp: UnixMillis) -> Self {
        let mut encoded = vec![BATCH_VERSION];
        stamp.encode(&mut encoded);
        Self { encoded }
    }

    /// Adds a part as [`Part::encode`] wrote it.
    pub fn push_encoded_part(&mut self, part: &[u8]) {
        self.encoded.extend_from_slice(part);
    }

    /// Adds a part.
    pub fn push_part(&mut self, part: &Part) {
        part.encode(&mut self.encoded);
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.encoded.len()
    }

    /// The encoded batch.
    pub fn finish(self) -> Bytes {
        self.encoded.into()
    }
}

impl Batch {
    /// Decodes a batch; parts share its memory, their commands stay encoded.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one batch.
    pub fn decode(encoded: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        match reader.byte()? {
            BATCH_VERSION => {}
            version => return Err(DecodeError::UnknownVersion(version)),
        }
        let stamp = UnixMillis::decode(&mut reader)?;
        let mut parts = Vec::new();
        while !reader.is_empty() {
            parts.push(Part::decode(&mut reader)?);
        }
        Ok(Self { stamp, parts })
    }

    /// Encodes the batch.
    pub fn encode(&self) -> Bytes {
        let mut builder = BatchBuilder::new(self.stamp);
        for part in &self.parts {
            builder.push_part(part);
        }
        builder.finish()
    }
}
