//! Unknown names, wrong numbers of arguments, and the order in which they are noticed.

use rivermark_protocol::commands::{CommandFlags, resolve, table};
use rivermark_protocol::{Frame, Parsed};

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
