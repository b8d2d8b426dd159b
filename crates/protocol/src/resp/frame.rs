//! A reply as a value, for answers that are built rather than streamed: COMMAND, INFO, CLUSTER and the like.
//! Stream data never takes this way, it is written straight by [`super::ReplyWriter`].

use std::borrow::Cow;

use bytes::Bytes;

use crate::reply_error::ReplyError;

/// One RESP3 value; a RESP2 writer downgrades it as the reference does.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A short text without line ends.
    Simple(Cow<'static, str>),
    /// A refusal.
    Error(ReplyError),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Bytes),
    /// No string.
    Null,
    /// No array.
    NullArray,
    /// An array.
    Array(Vec<Frame>),
    /// A map, in this order.
    Map(Vec<(Frame, Frame)>),
    /// A set, in this order.
    Set(Vec<Frame>),
    /// A floating-point number.
    Double(f64),
    /// A truth value; an integer in RESP2.
    Boolean(bool),
    /// A text for people, `txt`; a bulk string in RESP2.
    Verbatim(Bytes),
    /// An out-of-band message; an array in RESP2.
    Push(Vec<Frame>),
}

impl Frame {
    /// `+OK`.
    pub const OK: Self = Self::simple("OK");

    /// A short text without line ends.
    pub const fn simple(text: &'static str) -> Self {
        Self::Simple(Cow::Borrowed(text))
    }

    /// A bulk string of this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    /// A bulk string of a text known at compile time.
    pub const fn literal(text: &'static str) -> Self {
        Self::Bulk(Bytes::from_static(text.as_bytes()))
    }

    /// A map with names for keys.
    pub fn fields(fields: impl IntoIterator<Item = (&'static str, Frame)>) -> Self {
        Self::Map(fields.into_iter().map(|(name, value)| (Self::literal(name), value)).collect())
    }
}
