//! Writes replies in RESP2 or RESP3.
//!
//! Aggregates are written header first, then exactly that many values: the writer does not count. Where the
//! versions differ (null, map, set, double, boolean, verbatim, push) the caller names what it means and the
//! writer picks the form.

use bytes::{BufMut, BytesMut};
use rivermark_types::EntryId;

use super::frame::Frame;
use crate::reply_error::ReplyError;

/// The version of RESP a client speaks, chosen with HELLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Every connection starts here.
    #[default]
    Resp2,
    /// After HELLO 3.
    Resp3,
}

/// Appends replies to a buffer.
#[derive(Debug)]
pub struct ReplyWriter<'a> {
    out: &'a mut BytesMut,
    protocol: Protocol,
}

impl<'a> ReplyWriter<'a> {
    /// A writer for a client that speaks `protocol`.
    pub fn new(out: &'a mut BytesMut, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The version written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.out.put_slice(b"+OK\r\n");
    }

    /// A short text without line ends.
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']));
        self.line(b'+', text.as_bytes());
    }

    /// A refusal.
    pub fn error(&mut self, error: &ReplyError) {
        self.out.put_u8(b'-');
        error.write_line(self.out);
        self.end();
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    /// An integer; what exceeds 63 bits is told as the greatest integer there is.
    pub fn unsigned(&mut self, value: u64) {
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.out.put_slice(bytes);
        self.end();
    }

    /// A bulk string of a number in decimal.
    pub fn bulk_integer(&mut self, value: u64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string of an entry's id, `ms-seq`.
    pub fn entry_id(&mut self, id: EntryId) {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (ms, seq) = (ms.format(id.ms).as_bytes(), seq.format(id.seq).as_bytes());
        self.header(b'$', ms.len() + 1 + seq.len());
        self.out.put_slice(ms);
        self.out.put_u8(b'-');
        self.out.put_slice(seq);
        self.end();
    }

    /// No string.
    pub fn null(&mut self) {
        self.out.put_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.out.put_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Starts an array of `length` values.
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length);
    }

    /// Starts a map of `length` pairs of values.
    pub fn map(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length * 2),
            Protocol::Resp3 => self.header(b'%', length),
        }
    }

    /// Starts a set of `length` values.
    pub fn set(&mut self, length: usize) {
        self.header(self.mark(b'~'), length);
    }

    /// Starts an out-of-band message of `length` values.
    pub fn push(&mut self, length: usize) {
        self.header(self.mark(b'>'), length);
    }

    /// A floating-point number.
    pub fn double(&mut self, value: f64) {
        let text = if value.is_nan() { "nan".to_owned() } else { value.to_string() };
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// A truth value.
    pub fn boolean(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(i64::from(value)),
            Protocol::Resp3 => self.line(b'#', if value { b"t" } else { b"f" }),
        }
    }

    /// A text for people.
    pub fn verbatim(&mut self, text: &[u8]) {
        const FORMAT: &[u8] = b"txt:";
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', FORMAT.len() + text.len());
                self.out.put_slice(FORMAT);
                self.out.put_slice(text);
                self.end();
            }
        }
    }

    /// A value that was built as a whole.
    pub fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Simple(text) => self.simple(text),
            Frame::Error(error) => self.error(error),
            Frame::Integer(value) => self.integer(*value),
            Frame::Bulk(bytes) => self.bulk(bytes),
            Frame::Null => self.null(),
            Frame::NullArray => self.null_array(),
            Frame::Array(items) => self.sequence(b'*', items),
            Frame::Set(items) => self.sequence(self.mark(b'~'), items),
            Frame::Push(items) => self.sequence(self.mark(b'>'), items),
            Frame::Map(pairs) => {
                self.map(pairs.len());
                for (key, value) in pairs {
                    self.frame(key);
                    self.frame(value);
                }
            }
            Frame::Double(value) => self.double(*value),
            Frame::Boolean(value) => self.boolean(*value),
            Frame::Verbatim(text) => self.verbatim(text),
        }
    }

    fn sequence(&mut self, mark: u8, items: &[Frame]) {
        self.header(mark, items.len());
        for item in items {
            self.frame(item);
        }
    }

    /// The mark of an aggregate that RESP2 writes as an array.
    fn mark(&self, resp3: u8) -> u8 {
        match self.protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => resp3,
        }
    }

    fn header(&mut self, mark: u8, length: usize) {
        self.line(mark, itoa::Buffer::new().format(length).as_bytes());
    }

    fn line(&mut self, mark: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.put_u8(mark);
        self.out.put_slice(text);
        self.end();
    }

    fn end(&mut self) {
        self.out.put_slice(b"\r\n");
    }
}
