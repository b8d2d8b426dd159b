//! Cuts requests out of what a connection has read.
//!
//! Invariants:
//! - Linear: a byte that was parsed or searched is not looked at again, however the input is split.
//! - Bounded: no request, line or argument beyond its limit; memory is proportional to what arrived, never to
//!   what was announced. Ten thousand clients that announce 64 MiB and stop cost what they sent.
//! - What one call yields does not depend on how the bytes were split into reads.
//!
//! An error ends the stream: the decoder cannot tell where the next request begins. Errors carry the
//! reference's wording, see [`DecodeError::reply`].

use bytes::{Buf, Bytes, BytesMut};
use rivermark_types::limits::{
    REQUEST_ARGUMENTS_MAX, REQUEST_BULK_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_INLINE_BYTES_MAX,
    UNAUTHENTICATED_ARGUMENTS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};

use super::inline;
use super::number::parse_integer;
use super::request::{Request, Span};
use crate::reply_error::ReplyError;

/// Room for arguments reserved before they arrive.
const SPANS_RESERVED_MAX: usize = 16;
/// The least a reader should make room for, so that short reads stay few.
const READ_BYTES_MIN: usize = 16 * 1024;

/// The first byte of a TLS connection (the record type of RFC 8446, 5.1); no command begins with it.
const TLS_HANDSHAKE: u8 = 22;

/// Whether the client has shown who it is. Until then requests must be small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A password is required and was not given yet.
    Required,
    /// The client may send requests of any permitted size.
    Done,
}

/// The bytes are no request, or a limit is exceeded. The connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An inline request without end.
    #[error("too big inline request")]
    InlineTooLong,
    /// An inline request with an open quote.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// The number of arguments has no end.
    #[error("too big mbulk count string")]
    ArgumentCountTooLong,
    /// The length of an argument has no end.
    #[error("too big bulk count string")]
    BulkLengthTooLong,
    /// The number of arguments is no number, or beyond the limit.
    #[error("invalid multibulk length")]
    InvalidArgumentCount,
    /// The length of an argument is no number, or beyond the limit.
    #[error("invalid bulk length")]
    InvalidBulkLength,
    /// Too many arguments for a client that has not authenticated.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedArgumentCount,
    /// Too long an argument for a client that has not authenticated.
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// An argument is not a bulk string.
    #[error("expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// The whole request is beyond the limit (`client-query-buffer-limit`).
    #[error("request too large")]
    RequestTooLarge,
    /// A browser was made to talk to us. Closed without a word, as nothing may reach the page behind it.
    #[error("request looks like HTTP")]
    CrossProtocol,
    /// The client speaks TLS where plain text is expected, and would understand no answer.
    #[error("request looks like TLS")]
    Tls,
}

impl DecodeError {
    /// What to answer before closing; `None` is to close in silence.
    pub fn reply(&self) -> Option<ReplyError> {
        match self {
            Self::RequestTooLarge | Self::CrossProtocol | Self::Tls => None,
            error => Some(ReplyError::Protocol(Bytes::from(error.to_string()))),
        }
    }
}

/// An incremental decoder of one connection's requests.
///
/// A client's limits may change with a request (AUTH), so take one request, serve it, then ask for the next.
#[derive(Debug)]
pub struct RequestDecoder {
    authentication: Authentication,
    bulk_bytes_max: usize,
    /// Arguments still to come of the array being read; zero between requests.
    arguments_left: usize,
    /// The arguments of that array so far.
    spans: Vec<Span>,
    /// The length of the argument being read, once it is known.
    bulk_length: Option<usize>,
    /// From the front of the buffer: all before it is parsed.
    parsed: usize,
    /// From the front of the buffer: the end of the line begun at `parsed` is not before it.
    searched: usize,
}

impl RequestDecoder {
    /// A decoder at the start of a connection.
    pub fn new(authentication: Authentication) -> Self {
        Self {
            authentication,
            bulk_bytes_max: REQUEST_BULK_BYTES_MAX,
            arguments_left: 0,
            spans: Vec::new(),
            bulk_length: None,
            parsed: 0,
            searched: 0,
        }
    }

    /// Sets which limits hold from the next argument on.
    pub fn set_authentication(&mut self, authentication: Authentication) {
        self.authentication = authentication;
    }

    /// Sets the greatest size of one argument (`proto-max-bulk-len`).
    pub fn set_bulk_bytes_max(&mut self, bulk_bytes_max: usize) {
        self.bulk_bytes_max = bulk_bytes_max;
    }

    /// Takes the next request off the front of `buffer`; `None` if it has not wholly arrived.
    ///
    /// Between calls the buffer may only grow at its end.
    ///
    /// # Errors
    /// The bytes are no request or exceed a limit; the connection must be closed.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, DecodeError> {
        loop {
            if self.arguments_left > 0 {
                return self.arguments(buffer);
            }
            let Some(&first) = buffer.first() else { return Ok(None) };
            if first == TLS_HANDSHAKE {
                return Err(DecodeError::Tls);
            }
            if first != b'*' {
                match self.inline(buffer)? {
                    Inline::Request(request) => return Ok(Some(request)),
                    Inline::Blank => continue,
                    Inline::Incomplete => return Ok(None),
                }
            }
            let Some(count) = self.argument_count(buffer)? else { return Ok(None) };
            if count == 0 {
                buffer.advance(std::mem::take(&mut self.parsed));
                self.searched = 0;
                continue;
            }
            self.arguments_left = count;
            self.spans = Vec::with_capacity(count.min(SPANS_RESERVED_MAX));
        }
    }

    /// How much more room a reader should make for what is known to come: enough to read in large pieces, but
    /// no more than has arrived already, so that a client must send what it announces before it costs memory.
    pub fn wanted_bytes(&self, buffer: &BytesMut) -> usize {
        let Some(length) = self.bulk_length else { return READ_BYTES_MIN };
        let missing = (self.parsed + length + 2).saturating_sub(buffer.len());
        missing.min(buffer.len()).max(READ_BYTES_MIN)
    }

    fn arguments(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, DecodeError> {
        while self.arguments_left > 0 {
            let length = match self.bulk_length {
                Some(length) => length,
                None => match self.bulk_header(buffer)? {
                    Some(length) => length,
                    None => return Ok(None),
                },
            };
            // The two bytes after the body are skipped unread, as the reference does.
            let end = self.parsed + length + 2;
            if buffer.len() < end {
                return Ok(None);
            }
            self.spans.push(Span::new(self.parsed, length));
            self.parsed = end;
            self.searched = end;
            self.bulk_length = None;
            self.arguments_left -= 1;
        }
        let frame = buffer.split_to(self.parsed).freeze();
        self.parsed = 0;
        self.searched = 0;
        let request = Request::from_spans(frame, std::mem::take(&mut self.spans));
        guard_cross_protocol(&request)?;
        Ok(Some(request))
    }

    /// Reads `*<count>`; zero for the counts that are ignored.
    fn argument_count(&mut self, buffer: &BytesMut) -> Result<Option<usize>, DecodeError> {
        let Some(line) = self.line(buffer, DecodeError::ArgumentCountTooLong)? else { return Ok(None) };
        let count = parse_integer(&line[1..]).ok_or(DecodeError::InvalidArgumentCount)?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > REQUEST_ARGUMENTS_MAX {
            return Err(DecodeError::InvalidArgumentCount);
        }
        if self.authentication == Authentication::Required && count > UNAUTHENTICATED_ARGUMENTS_MAX {
            return Err(DecodeError::UnauthenticatedArgumentCount);
        }
        Ok(Some(count))
    }

    /// Reads `$<length>`.
    fn bulk_header(&mut self, buffer: &BytesMut) -> Result<Option<usize>, DecodeError> {
        let Some(line) = self.line(buffer, DecodeError::BulkLengthTooLong)? else { return Ok(None) };
        if line.first() != Some(&b'$') {
            return Err(DecodeError::ExpectedBulk(line.first().copied().unwrap_or(b'\r')));
        }
        let length = parse_integer(&line[1..]).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= self.bulk_bytes_max);
        let length = length.ok_or(DecodeError::InvalidBulkLength)?;
        if self.authentication == Authentication::Required && length > UNAUTHENTICATED_BULK_BYTES_MAX {
            return Err(DecodeError::UnauthenticatedBulkLength);
        }
        if self.parsed + length + 2 > REQUEST_BYTES_MAX {
            return Err(DecodeError::RequestTooLarge);
        }
        self.bulk_length = Some(length);
        Ok(Some(length))
    }

    /// The line at `parsed` without its end, which is a CR and one byte more; steps over both.
    fn line<'a>(
        &mut self,
        buffer: &'a BytesMut,
        too_long: DecodeError,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        let start = self.parsed;
        let from = self.searched.max(start);
        let end = buffer[from..].iter().position(|byte| *byte == b'\r').map(|found| from + found);
        match end {
            Some(end) if end + 1 < buffer.len() => {
                self.parsed = end + 2;
                self.searched = self.parsed;
                Ok(Some(&buffer[start..end]))
            }
            Some(end) => {
                self.searched = end;
                Ok(None)
            }
            None if buffer.len() - start > REQUEST_INLINE_BYTES_MAX => Err(too_long),
            None => {
                self.searched = buffer.len();
                Ok(None)
            }
        }
    }

    fn inline(&mut self, buffer: &mut BytesMut) -> Result<Inline, DecodeError> {
        let found = buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = found.map(|found| self.searched + found) else {
            if buffer.len() > REQUEST_INLINE_BYTES_MAX {
                return Err(DecodeError::InlineTooLong);
            }
            self.searched = buffer.len();
            return Ok(Inline::Incomplete);
        };
        self.searched = 0;
        let split = inline::split(&buffer[..end]);
        buffer.advance(end + 1);
        let (words, spans) = split.map_err(|inline::UnbalancedQuotes| DecodeError::UnbalancedQuotes)?;
        if spans.is_empty() {
            return Ok(Inline::Blank);
        }
        let request = Request::from_spans(words.into(), spans);
        guard_cross_protocol(&request)?;
        Ok(Inline::Request(request))
    }
}

enum Inline {
    Request(Request),
    Blank,
    Incomplete,
}

fn guard_cross_protocol(request: &Request) -> Result<(), DecodeError> {
    let name = request.get(0).unwrap_or_default();
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        return Err(DecodeError::CrossProtocol);
    }
    Ok(())
}
