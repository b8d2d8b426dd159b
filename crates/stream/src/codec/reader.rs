//! A position in encoded bytes.

use bytes::Bytes;

use crate::varint::take_varint;

/// Lists within lists: no value nests deeper than a transaction of XINFO STREAM FULL answers.
const NESTING_MAX: u8 = 8;

/// The bytes are not what they should be: damaged, or written by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a value.
    #[error("the bytes end within a value")]
    UnexpectedEnd,
    /// No variant of the type has this tag.
    #[error("{kind} has no variant {tag}")]
    UnknownTag {
        /// The type.
        kind: &'static str,
        /// The tag found.
        tag: u8,
    },
    /// A value its type does not allow.
    #[error("not a valid {0}")]
    Invalid(&'static str),
    /// Bytes are left after the last value.
    #[error("bytes are left after the last value")]
    TrailingBytes,
    /// The encoding is of a version this build does not know.
    #[error("encoding version {0} is not known")]
    UnknownVersion(u8),
    /// Values nest deeper than any real one does.
    #[error("values nest too deep")]
    NestedTooDeep,
}

/// Reads values off the front of shared bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Bytes,
    rest: &'a [u8],
    nesting: u8,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    pub fn new(source: &'a Bytes) -> Self {
        Self { source, rest: source, nesting: 0 }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] unless everything was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, after) = self.rest.split_first().ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = after;
        Ok(byte)
    }

    /// The next byte, not taken.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        take_varint(&mut self.rest).ok_or(DecodeError::UnexpectedEnd)
    }

    /// Length-prefixed bytes, sharing the source's memory.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::UnexpectedEnd)?;
        if length > self.rest.len() {
            return Err(DecodeError::UnexpectedEnd);
        }
        let start = self.source.len() - self.rest.len();
        self.rest = &self.rest[length..];
        Ok(self.source.slice(start..start + length))
    }

    /// Runs `read` one list deeper.
    pub(crate) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.nesting == NESTING_MAX {
            return Err(DecodeError::NestedTooDeep);
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }
}
