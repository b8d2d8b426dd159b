//! How the machine's values are written: a format version, then tagged fields.
//!
//! A field is its tag, the length of its content and the content; a number's content is LEB128, a
//! message's content is fields again. Tags are never reused, so a later release may add fields. Who reads
//! a field it does not know must stop if skipping it could make replicas differ (`UnknownFields::Refuse`:
//! commands, snapshots), and may go on if it is only informed (`UnknownFields::Skip`: topologies sent to
//! routers).

use crate::invariants::Violation;

/// The first byte of every encoding. Raised only if old readers could not even find the fields.
const FORMAT_VERSION: u8 = 1;
/// Deepest nesting written by this release is 4; a reader stops where no writer goes.
const DEPTH_MAX: u8 = 8;

/// Why bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a field, or a number is longer than its type.
    #[error("truncated or malformed field")]
    Malformed,
    /// Written by a newer release in a format this one cannot read.
    #[error("format version {0} is not supported")]
    Version(u8),
    /// Written by a newer release: a field, variant or setting this one does not know.
    #[error("unknown {what} {number}")]
    Unknown {
        /// What kind of number.
        what: &'static str,
        /// The number.
        number: u64,
    },
    /// A field that every writer writes.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A field's content is not of its type.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// Well-formed, and states what no machine can.
    #[error("inconsistent: {0}")]
    Inconsistent(#[from] Violation),
}

/// What to do with a tag that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    Refuse,
    Skip,
}

/// Writes fields.
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins an encoding.
    pub(crate) fn new() -> Self {
        Self { out: vec![FORMAT_VERSION] }
    }

    pub(crate) fn into_bytes(self) -> bytes::Bytes {
        self.out.into()
    }

    pub(crate) fn number(&mut self, tag: u64, value: u64) {
        let mut content = Vec::with_capacity(10);
        put_varint(&mut content, value);
        self.bytes(tag, &content);
    }

    pub(crate) fn text(&mut self, tag: u64, text: &str) {
        self.bytes(tag, text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, tag: u64, content: &[u8]) {
        put_varint(&mut self.out, tag);
        put_varint(&mut self.out, content.len() as u64);
        self.out.extend_from_slice(content);
    }

    pub(crate) fn message(&mut self, tag: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self { out: Vec::new() };
        write(&mut inner);
        self.bytes(tag, &inner.out);
    }
}

/// Reads the fields of one message.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    unknown: UnknownFields,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// Begins to read an encoding.
    pub(crate) fn new(bytes: &'a [u8], unknown: UnknownFields) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&FORMAT_VERSION, rest)) => Ok(Self { rest, unknown, depth: 0 }),
            Some((&version, _)) => Err(DecodeError::Version(version)),
            None => Err(DecodeError::Malformed),
        }
    }

    /// The next field with its tag; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = take_varint(&mut self.rest)?;
        let len = usize::try_from(take_varint(&mut self.rest)?).map_err(|_| DecodeError::Malformed)?;
        let (content, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(Some((tag, Field { content, unknown: self.unknown, depth: self.depth })))
    }

    /// What to do with a tag that no arm of the caller took.
    pub(crate) fn unknown(&self, what: &'static str, tag: u64) -> Result<(), DecodeError> {
        match self.unknown {
            UnknownFields::Skip => Ok(()),
            UnknownFields::Refuse => Err(DecodeError::Unknown { what, number: tag }),
        }
    }

    pub(crate) fn unknown_fields(&self) -> UnknownFields {
        self.unknown
    }
}

/// A field's content, not yet interpreted.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    content: &'a [u8],
    unknown: UnknownFields,
    depth: u8,
}

impl<'a> Field<'a> {
    pub(crate) fn number(self) -> Result<u64, DecodeError> {
        let mut rest = self.content;
        let value = take_varint(&mut rest)?;
        if rest.is_empty() { Ok(value) } else { Err(DecodeError::Malformed) }
    }

    /// A number that fits a narrower type.
    pub(crate) fn narrow<T: TryFrom<u64>>(self) -> Result<T, DecodeError> {
        T::try_from(self.number()?).map_err(|_| DecodeError::Malformed)
    }

    pub(crate) fn text(self) -> Result<String, DecodeError> {
        std::str::from_utf8(self.content).map(str::to_owned).map_err(|_| DecodeError::Invalid("text"))
    }

    pub(crate) fn bytes(self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(self.content)
    }

    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], DecodeError> {
        self.content.try_into().map_err(|_| DecodeError::Malformed)
    }

    pub(crate) fn message(self) -> Result<Reader<'a>, DecodeError> {
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::Malformed);
        }
        Ok(Reader { rest: self.content, unknown: self.unknown, depth: self.depth + 1 })
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(DecodeError::Malformed)?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(DecodeError::Malformed);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Malformed)
}
