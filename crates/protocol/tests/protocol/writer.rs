//! What the writer writes, an independent decoder reads.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use redis_protocol::resp2::decode::decode as decode_resp2;
use redis_protocol::resp2::types::OwnedFrame as Resp2;
use redis_protocol::resp3::decode::complete::decode as decode_resp3;
use redis_protocol::resp3::types::OwnedFrame as Resp3;
use rivermark_protocol::{Frame, Protocol, ReplyError, ReplyWriter};
use rivermark_types::EntryId;

fn written(frame: &Frame, protocol: Protocol) -> BytesMut {
    let mut out = BytesMut::new();
    ReplyWriter::new(&mut out, protocol).frame(frame);
    out
}

#[test]
fn both_protocols_to_the_byte() {
    let check = |frame: Frame, resp2: &str, resp3: &str| {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let out = written(&frame, protocol);
            assert_eq!(
                out.escape_ascii().to_string(),
                expected.as_bytes().escape_ascii().to_string(),
                "{frame:?}"
            );
        }
    };
    let one = || Frame::Integer(1);
    check(Frame::OK, "+OK\r\n", "+OK\r\n");
    check(Frame::Error(ReplyError::Syntax), "-ERR syntax error\r\n", "-ERR syntax error\r\n");
    check(Frame::Integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n");
    check(Frame::literal("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
    check(Frame::literal(""), "$0\r\n\r\n", "$0\r\n\r\n");
    check(Frame::Null, "$-1\r\n", "_\r\n");
    check(Frame::NullArray, "*-1\r\n", "_\r\n");
    check(Frame::Array(vec![one(), Frame::Null]), "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n");
    check(Frame::Map(vec![(one(), one())]), "*2\r\n:1\r\n:1\r\n", "%1\r\n:1\r\n:1\r\n");
    check(Frame::Set(vec![one()]), "*1\r\n:1\r\n", "~1\r\n:1\r\n");
    check(Frame::Push(vec![one()]), "*1\r\n:1\r\n", ">1\r\n:1\r\n");
    check(Frame::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    check(Frame::Double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    check(Frame::Double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n");
    check(Frame::Boolean(true), ":1\r\n", "#t\r\n");
    check(Frame::Boolean(false), ":0\r\n", "#f\r\n");
    check(Frame::Verbatim(Bytes::from_static(b"hi")), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
}

#[test]
fn scalars() {
    let mut out = BytesMut::new();
    let mut writer = ReplyWriter::new(&mut out, Protocol::Resp2);
    writer.unsigned(u64::MAX);
    writer.bulk_integer(u64::MAX);
    writer.entry_id(EntryId::MAX);
    writer.entry_id(EntryId::MIN);
    let max = "18446744073709551615";
    assert_eq!(out, format!(":9223372036854775807\r\n$20\r\n{max}\r\n$41\r\n{max}-{max}\r\n$3\r\n0-0\r\n"));
}

#[test]
fn errors_cannot_forge_replies() {
    let error = ReplyError::UnknownCommand(Bytes::from_static(b"a\r\n+OK\r\n"), Bytes::from_static(b"\xff"));
    let out = written(&Frame::Error(error.clone()), Protocol::Resp2);
    assert_eq!(&out[..], b"-ERR unknown command 'a  +OK  ', with args beginning with: \xff\r\n");
    assert_eq!(error.code(), "ERR");
    assert_eq!(ReplyError::Moved("1".into(), "h:1".into()).to_string(), "MOVED 1 h:1");
    assert_eq!(ReplyError::ExecAborted.code(), "EXECABORT");
}

/// Frames that stand for themselves in RESP3.
fn frame() -> impl Strategy<Value = Frame> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Frame::Integer),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Frame::Bulk(bytes.into())),
        "[a-zA-Z ]{0,9}".prop_map(|text| Frame::Simple(text.into())),
        Just(Frame::Null),
        any::<bool>().prop_map(Frame::Boolean),
        (-1000i32..1000).prop_map(|value| Frame::Double(f64::from(value) / 8.0)),
        Just(Frame::Error(ReplyError::NoSuchKey)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let item = inner.clone();
        let pair = (any::<i64>().prop_map(Frame::Integer), item);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Frame::Array),
            proptest::collection::vec(pair, 0..2).prop_map(Frame::Map),
        ]
    })
}

fn as_resp3(frame: &Frame) -> Resp3 {
    let attributes = None;
    match frame {
        Frame::Integer(data) => Resp3::Number { data: *data, attributes },
        Frame::Bulk(bytes) => Resp3::BlobString { data: bytes.to_vec(), attributes },
        Frame::Simple(text) => Resp3::SimpleString { data: text.as_bytes().to_vec(), attributes },
        Frame::Null | Frame::NullArray => Resp3::Null,
        Frame::Boolean(data) => Resp3::Boolean { data: *data, attributes },
        Frame::Double(data) => Resp3::Double { data: *data, attributes },
        Frame::Error(error) => Resp3::SimpleError { data: error.to_string(), attributes },
        Frame::Array(items) => Resp3::Array { data: items.iter().map(as_resp3).collect(), attributes },
        Frame::Map(pairs) => {
            let data = pairs.iter().map(|(key, value)| (as_resp3(key), as_resp3(value))).collect();
            Resp3::Map { data, attributes }
        }
        Frame::Set(_) | Frame::Push(_) | Frame::Verbatim(_) => unreachable!("not generated"),
    }
}

fn as_resp2(frame: &Frame) -> Resp2 {
    match frame {
        Frame::Integer(value) => Resp2::Integer(*value),
        Frame::Bulk(bytes) => Resp2::BulkString(bytes.to_vec()),
        Frame::Simple(text) => Resp2::SimpleString(text.as_bytes().to_vec()),
        Frame::Null | Frame::NullArray => Resp2::Null,
        Frame::Boolean(value) => Resp2::Integer(i64::from(*value)),
        Frame::Double(value) => Resp2::BulkString(value.to_string().into_bytes()),
        Frame::Error(error) => Resp2::Error(error.to_string()),
        Frame::Array(items) => Resp2::Array(items.iter().map(as_resp2).collect()),
        Frame::Map(pairs) => {
            Resp2::Array(pairs.iter().flat_map(|(key, value)| [as_resp2(key), as_resp2(value)]).collect())
        }
        Frame::Set(_) | Frame::Push(_) | Frame::Verbatim(_) => unreachable!("not generated"),
    }
}

proptest! {
    #[test]
    fn resp3_reads_back(frame in frame()) {
        let out = written(&frame, Protocol::Resp3);
        let (read, length) = decode_resp3(&out).expect("sound").expect("complete");
        prop_assert_eq!((read, length), (as_resp3(&frame), out.len()));
    }

    #[test]
    fn resp2_reads_back(frame in frame()) {
        let out = written(&frame, Protocol::Resp2);
        let (read, length) = decode_resp2(&out).expect("sound").expect("complete");
        prop_assert_eq!((read, length), (as_resp2(&frame), out.len()));
    }
}
