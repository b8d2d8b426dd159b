//! One request: its arguments, still in the bytes they arrived in.
//!
//! A request holds one shared buffer and the place of each argument in it, so decoding costs one
//! reference and one small vector however many arguments there are. Whoever keeps an argument longer than
//! the request copies it, lest a short key keep a whole network buffer.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// Where an argument lies. A request is smaller than 4 GiB (`REQUEST_BYTES_MAX`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub(super) fn new(start: usize, length: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).expect("a request is shorter than REQUEST_BYTES_MAX");
        Self { start: narrow(start), length: narrow(length) }
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + self.length as usize
    }
}

/// A command name and its arguments, at least one in all.
#[derive(Clone)]
pub struct Request {
    frame: Bytes,
    spans: Vec<Span>,
}

impl Request {
    pub(super) fn from_spans(frame: Bytes, spans: Vec<Span>) -> Self {
        debug_assert!(!spans.is_empty());
        Self { frame, spans }
    }

    /// A request with these arguments, copied. For callers that are not a connection.
    pub fn from_arguments<A: AsRef<[u8]>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut frame = Vec::new();
        let mut spans = Vec::new();
        for argument in arguments {
            spans.push(Span::new(frame.len(), argument.as_ref().len()));
            frame.extend_from_slice(argument.as_ref());
        }
        Self { frame: frame.into(), spans }
    }

    /// How many arguments, the command's name included.
    #[expect(clippy::len_without_is_empty, reason = "a request is never empty")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`, the command's name being 0.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|span| &self.frame[span.range()])
    }

    /// The argument at `index`, sharing the request's buffer.
    pub fn bytes(&self, index: usize) -> Option<Bytes> {
        self.spans.get(index).map(|span| self.frame.slice(span.range()))
    }

    /// All arguments in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.spans.iter().map(|span| &self.frame[span.range()])
    }

    /// How many bytes of its buffer the request keeps from being freed.
    pub fn bytes_held(&self) -> usize {
        self.frame.len()
    }

    /// An upper bound of what the arguments take in any encoding of ours, however they were framed.
    pub(crate) fn bytes_bound(&self) -> usize {
        const FRAMING_BYTES: usize = 6;
        self.spans.iter().map(|span| span.length as usize + FRAMING_BYTES).sum()
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Request {}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|argument| argument.escape_ascii().to_string())).finish()
    }
}

/// Writes a request as clients send it: an array of bulk strings.
pub fn encode_request<A: AsRef<[u8]>>(out: &mut BytesMut, arguments: &[A]) {
    let mut digits = itoa::Buffer::new();
    let mut header = |out: &mut BytesMut, mark: u8, length: usize| {
        out.put_u8(mark);
        out.put_slice(digits.format(length).as_bytes());
        out.put_slice(b"\r\n");
    };
    header(out, b'*', arguments.len());
    for argument in arguments {
        header(out, b'$', argument.as_ref().len());
        out.put_slice(argument.as_ref());
        out.put_slice(b"\r\n");
    }
}
