//! Helpers of the tables.

use bytes::{Bytes, BytesMut};
use rivermark_protocol::commands::parse;
use rivermark_protocol::{Authentication, Frame, Parsed, ReplyError, Request, RequestDecoder};
use rivermark_stream::{Command, Query};
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, StreamKey};

/// The request an inline line stands for.
pub fn request(line: &str) -> Request {
    let mut buffer = BytesMut::from(line.as_bytes());
    buffer.extend_from_slice(b"\n");
    let mut decoder = RequestDecoder::new(Authentication::Done);
    decoder.decode(&mut buffer).expect("a test's line is sound").expect("and not blank")
}

pub fn parsed(line: &str) -> Result<Parsed, ReplyError> {
    parse(&request(line), DatabaseIndex::default())
}

pub fn accept(line: &str, expected: Parsed) {
    assert_eq!(parsed(line).as_ref(), Ok(&expected), "{line}");
}

pub fn command(line: &str, expected: Command) {
    accept(line, Parsed::Command(expected));
}

pub fn query(line: &str, expected: Query) {
    accept(line, Parsed::Query(expected));
}

pub fn reply(line: &str, expected: Frame) {
    accept(line, Parsed::Reply(expected));
}

pub fn refuse(line: &str, expected: &str) {
    match parsed(line) {
        Err(error) => assert_eq!(error.to_string(), expected, "{line}"),
        Ok(parsed) => panic!("{line}: expected {expected}, got {parsed:?}"),
    }
}

pub const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
pub const SYNTAX: &str = "ERR syntax error";
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

pub fn key(name: &'static str) -> StreamKey {
    StreamKey::new(DatabaseIndex::default(), Bytes::from_static(name.as_bytes()))
}

pub fn group(name: &'static str) -> GroupName {
    GroupName::new(Bytes::from_static(name.as_bytes()))
}

pub fn consumer(name: &'static str) -> ConsumerName {
    ConsumerName::new(Bytes::from_static(name.as_bytes()))
}

pub fn id(ms: u64, seq: u64) -> EntryId {
    EntryId::new(ms, seq)
}
