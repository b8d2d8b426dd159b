//! Sizes at both sides of each bound.

use rivermark_protocol::commands::{parse, resolve};
use rivermark_protocol::{Parsed, ReplyError, Request};
use rivermark_types::DatabaseIndex;
use rivermark_types::limits::COMMAND_BYTES_MAX;

fn outcome(arguments: &[&[u8]]) -> Result<Parsed, ReplyError> {
    parse(&Request::from_arguments(arguments), DatabaseIndex::default())
}

#[test]
fn an_entry_must_fit_a_log_entry() {
    const MARGIN: usize = 2048;
    let value = vec![b'x'; COMMAND_BYTES_MAX];
    let add = |bytes: usize| outcome(&[b"XADD", b"s", b"*", b"f", &value[..bytes]]);
    assert!(matches!(add(COMMAND_BYTES_MAX - MARGIN), Ok(Parsed::Command(_))));
    assert_eq!(add(COMMAND_BYTES_MAX), Err(ReplyError::EntryTooLarge));
    assert_eq!(
        add(COMMAND_BYTES_MAX).expect_err("too large").to_string(),
        "ERR Elements are too large to be stored"
    );
}

#[test]
fn other_writes_must_fit_too() {
    let ids = |count: usize| {
        let mut arguments: Vec<&[u8]> = vec![b"XDEL", b"s"];
        arguments.resize(count, b"18446744073709551615-18446744073709551615");
        outcome(&arguments)
    };
    assert!(matches!(ids(1000), Ok(Parsed::Command(_))));
    assert_eq!(ids(COMMAND_BYTES_MAX / 40), Err(ReplyError::CommandTooLarge));
}

#[test]
fn reads_are_not_replicated_and_not_bounded_so() {
    let key = vec![b'k'; COMMAND_BYTES_MAX];
    assert!(matches!(outcome(&[b"XLEN", &key]), Ok(Parsed::Query(_))));
}

#[test]
fn the_bound_holds_for_the_encoding() {
    // What the grammar lets through never encodes to more than it was bounded by.
    let check = |arguments: &[&[u8]]| {
        let request = Request::from_arguments(arguments);
        let spec = resolve(&request).expect("known");
        let Ok(Parsed::Command(command)) = spec.parse(&request, DatabaseIndex::default()) else {
            panic!("no command")
        };
        let sent: usize = arguments.iter().map(|argument| argument.len() + 6).sum();
        let mut encoded = Vec::new();
        rivermark_stream::codec::encode_command(&command, &mut encoded);
        assert!(encoded.len() <= sent + 1024, "{} encodes {} from {sent}", spec.name, encoded.len());
    };
    let many = |head: &[&'static [u8]], tail: &'static [u8]| {
        let mut arguments = head.to_vec();
        arguments.resize(head.len() + 2000, tail);
        arguments
    };
    check(&many(&[b"XADD", b"s", b"*"], b""));
    check(&many(&[b"XDEL", b"s"], b"9"));
    check(&many(&[b"XDEL", b"s"], b"18446744073709551615-18446744073709551615"));
    check(&many(&[b"XACK", b"s", b"g"], b"99999999999999-9"));
    check(&many(&[b"XCLAIM", b"s", b"g", b"c", b"0"], b"1-1"));
    check(&many(&[b"DEL"], b""));
}
