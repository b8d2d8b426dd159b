//! The wire format: requests in, replies out. RESP2 and RESP3 differ only in replies.

mod decoder;
mod encoder;
mod frame;
mod inline;
mod number;
mod request;

pub use decoder::{Authentication, DecodeError, RequestDecoder};
pub use encoder::{Protocol, ReplyWriter};
pub use frame::Frame;
pub use inline::split_words;
pub use number::parse_integer;
pub use request::{Request, encode_request};
