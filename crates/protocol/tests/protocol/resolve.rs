//! Unknown names, wrong numbers of arguments, and the order in which they are noticed.

use proptest::prelude::*;
use rivermark_protocol::commands::{CommandFlags, resolve, table};
use rivermark_protocol::{Frame, Parsed, Request};
use rivermark_types::DatabaseIndex;

use crate::check::{parsed, refuse, request};

#[test]
fn names_in_any_case() {
    for name in ["xadd", "XADD", "xAdD"] {
        assert_eq!(table::find(name.as_bytes()).map(|spec| spec.name), Some("xadd"));
    }
    let spec = resolve(&request("xgroup CREATE a b c")).expect("a known subcommand");
    assert_eq!((spec.name, spec.own_name(), spec.name_words()), ("xgroup|create", "create", 2));
    assert_eq!(table::find_full(b"XGROUP|create").map(|spec| spec.name), Some("xgroup|create"));
}

#[test]
fn every_name_is_found_and_found_once() {
    let mut names: Vec<_> = table::all().map(|spec| spec.name).collect();
    for name in &names {
        assert_eq!(table::find(name.as_bytes()).map(|spec| spec.name), Some(*name));
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn unknown_commands() {
    refuse("FOO", "ERR unknown command 'FOO', with args beginning with: ");
    refuse("foo a b", "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
    refuse("xad", "ERR unknown command 'xad', with args beginning with: ");
    refuse("xadd2", "ERR unknown command 'xadd2', with args beginning with: ");
    refuse(r#""" x"#, "ERR unknown command '', with args beginning with: 'x' ");
    refuse(r#""a\r\nb" "c\r\nd""#, "ERR unknown command 'a  b', with args beginning with: 'c  d' ");
    let long = "x".repeat(200);
    let clipped = "x".repeat(128);
    refuse(&long, &format!("ERR unknown command '{clipped}', with args beginning with: "));
    refuse(
        &format!("foo {long}"),
        &format!("ERR unknown command 'foo', with args beginning with: '{clipped}' "),
    );
    refuse(
        &format!("foo {0} {0} {0}", "y".repeat(100)),
        &format!(
            "ERR unknown command 'foo', with args beginning with: '{}' '{}' ",
            "y".repeat(100),
            "y".repeat(25)
        ),
    );
}

#[test]
fn arity_is_checked_for_every_command() {
    for spec in table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)) {
        let least = spec.arity.unsigned_abs() as usize;
        assert!(spec.accepts_arity(least), "{spec:?}");
        assert!(!spec.accepts_arity(least - 1), "{spec:?}");
        assert_eq!(spec.accepts_arity(least + 1), spec.arity < 0, "{spec:?}");
        assert!(least >= spec.name_words(), "{spec:?}");
        assert!(!spec.summary.is_empty() && spec.summary.ends_with('.'), "{spec:?}");
    }
}

#[test]
fn every_help_ends_with_help() {
    for container in table::all().filter(|spec| !spec.subcommands.is_empty()) {
        let line = format!("{} HELP", container.name);
        let Ok(Parsed::Reply(Frame::Array(lines))) = parsed(&line) else { panic!("{line} is no reply") };
        let heading = format!(
            "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            container.name.to_ascii_uppercase()
        );
        assert_eq!(lines.first(), Some(&Frame::Simple(heading.into())));
        assert_eq!(lines.last(), Some(&Frame::simple("    Print this help.")));
        for subcommand in container.subcommands {
            let name = subcommand.own_name().to_ascii_uppercase();
            let told =
                lines.iter().any(|line| matches!(line, Frame::Simple(text) if text.starts_with(&name)));
            assert!(told || name == "CACHING", "{line} does not tell of {name}");
        }
    }
}

#[test]
fn writes_are_flagged_and_only_writes() {
    let write = |line: &str| resolve(&request(line)).expect("resolves").flags.contains(CommandFlags::WRITE);
    for line in
        ["XADD s * a b", "XREADGROUP GROUP g c STREAMS s >", "DEL a", "EXPIRE a 1", "XGROUP DESTROY s g"]
    {
        assert!(write(line), "{line}");
    }
    for line in ["XREAD STREAMS s 0", "XRANGE s - +", "PING", "XINFO STREAM s", "XGROUP HELP"] {
        assert!(!write(line), "{line}");
    }
}

proptest! {
    /// Whatever follows a known name is a command or an error, and its keys are among its arguments.
    #[test]
    fn no_arguments_confuse_the_grammar(
        row in any::<prop::sample::Index>(),
        arguments in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    "*", "0", "1-1", "-1", "$", ">", "-", "+", "(1", "5-*", "COUNT", "STREAMS", "GROUP", "MAXLEN",
                    "~", "LIMIT", "FULL", "IDLE", "JUSTID", "BLOCK", "9223372036854775807", "", "NX", "MATCH",
                ]).prop_map(|word| word.as_bytes().to_vec()),
                proptest::collection::vec(any::<u8>(), 0..6),
            ],
            0..12,
        ),
    ) {
        let specs: Vec<_> = table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)).collect();
        let mut words: Vec<Vec<u8>> = row.get(&specs).name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        words.extend(arguments);
        let request = Request::from_arguments(&words);
        if let Ok(spec) = resolve(&request) {
            let _ = spec.parse(&request, DatabaseIndex::default());
            let keys = spec.keys_of(&request);
            if let Ok(keys) = &keys {
                prop_assert!(keys.end <= request.len());
            }
        }
    }

    /// Keys are found without the grammar, for access control: both must see the same ones.
    #[test]
    fn keys_of_reads_are_those_the_grammar_reads(
        options in proptest::collection::vec(
            proptest::sample::select(vec![
                "COUNT 1", "BLOCK 5", "NOACK", "GROUP g c", "GROUP streams streams", "COUNT streams", "BLOCK", "x",
            ]),
            0..4,
        ),
        keys in proptest::collection::vec("[a-c]|streams|count", 1..4),
        group in any::<bool>(),
    ) {
        let (name, id) = if group { ("XREADGROUP GROUP g c", ">") } else { ("XREAD", "0") };
        let ids = vec![id; keys.len()].join(" ");
        let request = request(&format!("{name} {} STREAMS {} {ids}", options.join(" "), keys.join(" ")));
        let spec = resolve(&request).expect("long enough");
        let read: Vec<_> = match spec.parse(&request, DatabaseIndex::default()) {
            Ok(Parsed::Read(read)) => read.read.streams.into_iter().map(|(key, _)| key).collect(),
            Ok(Parsed::ReadGroup(read)) => read.read.streams.into_iter().map(|(key, _)| key).collect(),
            _ => return Ok(()),
        };
        let found = spec.keys_of(&request).expect("the grammar found them");
        let found: Vec<_> = found.filter_map(|index| request.get(index)).collect();
        prop_assert_eq!(found, read.iter().map(|key| &key.name()[..]).collect::<Vec<_>>());
    }
}
