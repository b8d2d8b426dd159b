//! The request decoder: framing, limits, and indifference to how bytes are split.

use bytes::BytesMut;
use proptest::prelude::*;
use rivermark_protocol::resp::encode_request;
use rivermark_protocol::{Authentication, DecodeError, Request, RequestDecoder};
use rivermark_types::limits::{
    REQUEST_BULK_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_INLINE_BYTES_MAX, UNAUTHENTICATED_ARGUMENTS_MAX,
    UNAUTHENTICATED_BULK_BYTES_MAX,
};

type Requests = Vec<Vec<Vec<u8>>>;

/// Everything that comes out of `input` when it arrives in these pieces, and the error that ended it.
fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Requests, Option<DecodeError>) {
    let mut decoder = RequestDecoder::new(Authentication::Done);
    let (mut buffer, mut requests) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(request)) => requests.push(request.iter().map(<[u8]>::to_vec).collect()),
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn decode(input: &[u8]) -> (Requests, Option<DecodeError>) {
    decode_pieces([input])
}

#[test]
fn framings() {
    let check = |input: &[u8], expected: &[&[&[u8]]]| {
        let expected: Requests =
            expected.iter().map(|request| request.iter().map(|word| word.to_vec()).collect()).collect();
        assert_eq!(decode(input), (expected, None), "{}", input.escape_ascii());
    };
    check(b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]);
    check(b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\nPING\r\n", &[&[b"ECHO", b""], &[b"PING"]]);
    check(b"PING\n\r\n\n  \r\nECHO 'a b'\r\n", &[&[b"PING"], &[b"ECHO", b"a b"]]);
    check(b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]);
    check(b"*1\r\n$4\r\nPINGxy*1\r\n$4\r\nPING\r\n", &[&[b"PING"], &[b"PING"]]);
    check(b"*1\r\n$2\r\n\r\n\r\n", &[&[b"\r\n"]]);
    check(b"*1\r\n$4\r\nPING\r", &[]);
    check(b"*2\r\n$4\r\nPING\r\n", &[]);
    check(b"PING", &[]);
}

#[test]
fn protocol_errors() {
    let check = |input: &[u8], reply: &str| {
        let (_, error) = decode(input);
        let error = error.unwrap_or_else(|| panic!("{} is accepted", input.escape_ascii()));
        let told = error.reply().map(|reply| reply.to_string());
        assert_eq!(told.as_deref(), Some(reply), "{}", input.escape_ascii());
    };
    for count in ["x", "", "+1", "01", "1 ", "2147483648", "99999999999999999999"] {
        check(format!("*{count}\r\n").as_bytes(), "ERR Protocol error: invalid multibulk length");
    }
    for length in ["x", "", "-1", "+1", "01", "67108865", "99999999999999999999"] {
        check(format!("*1\r\n${length}\r\n").as_bytes(), "ERR Protocol error: invalid bulk length");
    }
    check(b"*1\r\na4\r\n", "ERR Protocol error: expected '$', got 'a'");
    check(b"*1\r\n:4\r\n", "ERR Protocol error: expected '$', got ':'");
    check(b"*1\r\n\r\n", "ERR Protocol error: expected '$', got ' '");
    check(b"ECHO \"a\r\n", "ERR Protocol error: unbalanced quotes in request");
    let long = vec![b'1'; REQUEST_INLINE_BYTES_MAX + 1];
    check(&long, "ERR Protocol error: too big inline request");
    check(&[&b"*"[..], &long].concat(), "ERR Protocol error: too big mbulk count string");
    check(&[&b"*1\r\n$"[..], &long].concat(), "ERR Protocol error: too big bulk count string");
}

#[test]
fn what_came_before_an_error_is_served() {
    let (requests, error) = decode(b"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\n");
    assert_eq!((requests.len(), error), (2, Some(DecodeError::InvalidArgumentCount)));
}

#[test]
fn browsers_are_cut_off_in_silence() {
    for input in [&b"POST / HTTP/1.1\r\n"[..], b"Host: x\r\n", b"host: x\r\n", b"*1\r\n$4\r\npost\r\n"] {
        let (requests, error) = decode(input);
        assert_eq!((requests.len(), error), (0, Some(DecodeError::CrossProtocol)));
        assert_eq!(error.and_then(|error| error.reply()), None);
    }
}

#[test]
fn tls_where_plain_text_is_expected_ends_in_silence() {
    // The beginning of a ClientHello, which may hold line ends anywhere.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\r\nPING\r\n";
    for end in 1..=hello.len() {
        assert_eq!(decode(&hello[..end]), (Vec::new(), Some(DecodeError::Tls)));
    }
    assert_eq!(DecodeError::Tls.reply(), None);
    let (requests, error) = decode(&[b"PING\r\n", &hello[..]].concat());
    assert_eq!((requests.len(), error), (1, Some(DecodeError::Tls)));
}

#[test]
fn lines_at_the_limit() {
    let line = [vec![b'x'; REQUEST_INLINE_BYTES_MAX], b"\n".to_vec()].concat();
    assert_eq!(decode(&line).0.len(), 1);
    assert_eq!(decode(&line[..REQUEST_INLINE_BYTES_MAX]), (Vec::new(), None));
}

#[test]
fn bulks_at_the_limit() {
    let header = |length: usize| decode(format!("*1\r\n${length}\r\n").as_bytes()).1;
    assert_eq!(header(REQUEST_BULK_BYTES_MAX), None);
    assert_eq!(header(REQUEST_BULK_BYTES_MAX + 1), Some(DecodeError::InvalidBulkLength));
    let mut decoder = RequestDecoder::new(Authentication::Done);
    decoder.set_bulk_bytes_max(3);
    assert!(decoder.decode(&mut BytesMut::from(&b"*1\r\n$3\r\nabc\r\n"[..])).is_ok_and(|r| r.is_some()));
    let error = decoder.decode(&mut BytesMut::from(&b"*1\r\n$4\r\nabcd\r\n"[..]));
    assert_eq!(error, Err(DecodeError::InvalidBulkLength));
}

#[test]
fn a_request_is_bounded_as_a_whole() {
    let mut decoder = RequestDecoder::new(Authentication::Done);
    let piece = BytesMut::from(&vec![b'x'; REQUEST_BULK_BYTES_MAX / 2][..]);
    let mut buffer = BytesMut::from(&b"*9\r\n"[..]);
    let mut error = None;
    for _ in 0..9 {
        buffer.extend_from_slice(format!("${}\r\n", piece.len()).as_bytes());
        error = decoder.decode(&mut buffer).err();
        if error.is_some() {
            break;
        }
        buffer.extend_from_slice(&piece);
        buffer.extend_from_slice(b"\r\n");
    }
    assert_eq!(error, Some(DecodeError::RequestTooLarge));
    assert!(buffer.len() <= REQUEST_BYTES_MAX);
}

#[test]
fn strangers_must_be_brief() {
    let decode = |authentication, input: String| {
        RequestDecoder::new(authentication).decode(&mut BytesMut::from(input.as_bytes())).err()
    };
    let count = |authentication, count: usize| decode(authentication, format!("*{count}\r\n"));
    let length = |authentication, length: usize| decode(authentication, format!("*1\r\n${length}\r\n"));
    use Authentication::{Done, Required};
    assert_eq!(count(Required, UNAUTHENTICATED_ARGUMENTS_MAX), None);
    let error = count(Required, UNAUTHENTICATED_ARGUMENTS_MAX + 1);
    assert_eq!(error, Some(DecodeError::UnauthenticatedArgumentCount));
    assert_eq!(count(Done, UNAUTHENTICATED_ARGUMENTS_MAX + 1), None);
    assert_eq!(length(Required, UNAUTHENTICATED_BULK_BYTES_MAX), None);
    let error = length(Required, UNAUTHENTICATED_BULK_BYTES_MAX + 1);
    assert_eq!(error, Some(DecodeError::UnauthenticatedBulkLength));
    assert_eq!(length(Done, UNAUTHENTICATED_BULK_BYTES_MAX + 1), None);
}

#[test]
fn announcing_much_reserves_little() {
    let mut decoder = RequestDecoder::new(Authentication::Done);
    let mut buffer = BytesMut::from(&b"*1000000\r\n$67108864\r\n"[..]);
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert!(buffer.capacity() < 1024);
    assert!(decoder.wanted_bytes(&buffer) <= 16 * 1024);
    // What has arrived earns as much again, up to what is missing.
    buffer.extend_from_slice(&vec![b'x'; 1 << 20]);
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert!(((1 << 20)..(2 << 20)).contains(&decoder.wanted_bytes(&buffer)));
    buffer.extend_from_slice(&vec![b'x'; REQUEST_BULK_BYTES_MAX - (1 << 20) - 100_000]);
    assert!(decoder.wanted_bytes(&buffer) < 110_000);
}

#[test]
fn arguments_share_the_buffer_they_arrived_in() {
    let mut buffer = BytesMut::from(&b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n"[..]);
    let place = buffer.as_ptr() as usize;
    let request = RequestDecoder::new(Authentication::Done).decode(&mut buffer);
    let request = request.expect("sound").expect("complete");
    let argument = request.bytes(1).expect("two arguments");
    assert_eq!(argument.as_ptr() as usize, place + 18);
}

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..40), "[a-z]{1,8}".prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn requests_come_back_however_they_are_split(
        requests in proptest::collection::vec(proptest::collection::vec(argument(), 1..6), 1..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        prop_assume!(requests.iter().all(|r| !r[0].eq_ignore_ascii_case(b"post")));
        let mut wire = BytesMut::new();
        requests.iter().for_each(|request| encode_request(&mut wire, request));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &wire[ends[0]..ends[1]]);
        prop_assert_eq!(decode_pieces(pieces), (requests, None));
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_split(
        input in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(b"*$\r\n0123-\"' \\xP\0".to_vec()).prop_map(|byte| vec![byte]),
                proptest::sample::select(vec!["\r\n", "*1\r\n", "*2\r\n", "$1\r\nx\r\n", "$0\r\n\r\n"])
                    .prop_map(|text| text.as_bytes().to_vec()),
                any::<u8>().prop_map(|byte| vec![byte]),
            ],
            0..40,
        ),
    ) {
        let input = input.concat();
        let whole = decode(&input);
        prop_assert_eq!(decode_pieces(input.chunks(1)), whole.clone());
        prop_assert_eq!(decode_pieces(input.chunks(3)), whole);
    }

    #[test]
    fn inline_words_are_a_request(words in proptest::collection::vec("[a-z0-9]{1,9}", 1..6)) {
        prop_assume!(words[0] != "post");
        let (requests, error) = decode(format!("{}\r\n", words.join("  ")).as_bytes());
        prop_assert_eq!(error, None);
        prop_assert_eq!(Request::from_arguments(&requests[0]), Request::from_arguments(&words));
    }
}
