//! That the runner itself tells right from wrong: without this a matcher that takes everything would pass.

use libtest_mimic::{Failed, Trial};
use rivermark_tests::Reply;

use crate::expected::Expected;
use crate::matching::Protocol::{Resp2, Resp3};
use crate::matching::{Protocol, matches};
use crate::variables::Variables;
use crate::words::split;

/// The trials of the notation.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("notation [what matches]", || check(MATCHING, true)),
        Trial::test("notation [what does not match]", || check(DIFFERING, false)),
        Trial::test("notation [is shown as it is written]", shown_as_written),
        Trial::test("notation [words of a command line]", command_lines),
    ]
}

/// A notation, a reply, and the protocol it came in.
type Case = (&'static str, fn() -> Reply, Protocol);

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn one_two() -> Reply {
    Reply::Array(vec![Reply::Integer(1), Reply::Integer(2)])
}

fn a_is_one() -> Reply {
    Reply::Map(vec![(bulk("a"), Reply::Integer(1))])
}

const MATCHING: &[Case] = &[
    ("+OK", || Reply::Simple("OK".to_owned()), Resp2),
    ("-ERR a b", || Reply::Error("ERR a b".to_owned()), Resp2),
    ("-/ERR .* b/", || Reply::Error("ERR a b".to_owned()), Resp2),
    ("-5", || Reply::Integer(-5), Resp2),
    ("\"a\\x00\\n\"", || bulk("a\0\n"), Resp2),
    ("/a+/", || bulk("aaa"), Resp2),
    ("nil", || Reply::NilBulk, Resp2),
    ("nil", || Reply::Null, Resp3),
    ("nil-array", || Reply::NilArray, Resp2),
    ("nil-array", || Reply::Null, Resp3),
    ("[1 2]", one_two, Resp2),
    ("[1 ...]", one_two, Resp3),
    ("?[2 1]", one_two, Resp3),
    ("~[2 1]", one_two, Resp2),
    ("~[2 1]", || Reply::Set(vec![Reply::Integer(1), Reply::Integer(2)]), Resp3),
    ("{1: 2}", one_two, Resp2),
    ("{\"a\": 1}", a_is_one, Resp3),
    ("{\"a\" => 1}", a_is_one, Resp3),
    ("{1 => 2}", || Reply::Array(vec![one_two()]), Resp2),
    ("{...}", a_is_one, Resp3),
    ("#t", || Reply::Integer(1), Resp2),
    ("#t", || Reply::Boolean(true), Resp3),
    ("<1..>", || Reply::Integer(1), Resp2),
    ("[<integer x> $x]", || Reply::Array(vec![Reply::Integer(7), bulk("7")]), Resp2),
];

const DIFFERING: &[Case] = &[
    ("+OK", || bulk("OK"), Resp2),
    ("+OK", || Reply::Simple("QUEUED".to_owned()), Resp2),
    ("-ERR a", || Reply::Error("ERR a b".to_owned()), Resp2),
    ("-/ERR/", || Reply::Error("ERR a".to_owned()), Resp2),
    ("5", || bulk("5"), Resp2),
    ("\"5\"", || Reply::Integer(5), Resp2),
    ("/a/", || bulk("aa"), Resp2),
    ("nil", || Reply::NilArray, Resp2),
    ("nil-array", || Reply::NilBulk, Resp2),
    ("nil", || Reply::Array(Vec::new()), Resp2),
    ("[1]", one_two, Resp2),
    ("[1 2 3 ...]", one_two, Resp2),
    ("[2 1]", one_two, Resp2),
    ("?[1 1]", one_two, Resp2),
    ("~[1 2]", one_two, Resp3),
    ("{1: 2}", one_two, Resp3),
    ("{1 => 2}", one_two, Resp2),
    ("{\"a\": 2}", a_is_one, Resp3),
    ("{}", a_is_one, Resp3),
    ("{\"b\": 1 ...}", a_is_one, Resp3),
    ("#t", || Reply::Integer(1), Resp3),
    ("#t", || Reply::Integer(0), Resp2),
    ("<2..>", || Reply::Integer(1), Resp2),
    ("<id>", || bulk("1-1"), Resp2),
    ("<unix-ms>", || Reply::Integer(5), Resp2),
    ("$unknown", || Reply::Integer(5), Resp2),
    ("[<integer x> $x]", one_two, Resp2),
];

fn check(cases: &[Case], holds: bool) -> Result<(), Failed> {
    for (notation, reply, protocol) in cases {
        let expected = parse(notation)?;
        let reply = reply();
        if matches(&expected, &reply, *protocol, &mut Variables::default()) != holds {
            return Err(format!("{notation} and {reply:?} in {protocol:?}").into());
        }
    }
    Ok(())
}

fn parse(notation: &str) -> Result<Expected, Failed> {
    let mut rest = notation.chars().peekable();
    let expected = Expected::take(&mut rest).map_err(|error| format!("{notation}: {error:#}"))?;
    let left: String = rest.collect();
    if left.is_empty() { Ok(expected) } else { Err(format!("{notation}: left {left:?}").into()) }
}

fn shown_as_written() -> Result<(), Failed> {
    let more =
        ["[\n  +OK\n  [\n    -ERR a\n  ]\n]", "{\"a\": [<id x> <5..>] \"b\": nil ...}", "push[\"a\\xff\"]"];
    for notation in MATCHING.iter().map(|(notation, ..)| *notation).chain(more) {
        let shown = parse(notation)?.show();
        if shown != notation {
            return Err(format!("{notation} is shown as {shown}").into());
        }
    }
    Ok(())
}

fn command_lines() -> Result<(), Failed> {
    let mut variables = Variables::default();
    variables.set("x", b"5-1".to_vec());
    for (line, expected) in [
        ("a  b", vec!["a", "b"]),
        (r#"a "b c" 'd\'e' """#, vec!["a", "b c", "d'e", ""]),
        (r#""\x41\n\"" $ > ~"#, vec!["A\n\"", "$", ">", "~"]),
        (r#""ab"*3 $x $x.ms+2 ($x $x.seq-3"#, vec!["ababab", "5-1", "7", "(5-1", "-2"]),
    ] {
        let words = split(line).map_err(|error| error.to_string())?;
        let bytes = words.iter().map(|word| word.bytes(&variables)).collect::<Result<Vec<_>, _>>();
        let bytes = bytes.map_err(|error| error.to_string())?;
        if bytes != expected.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>() {
            return Err(format!("{line} has the words {words:?}").into());
        }
    }
    for line in [r#""a"#, r#""a"b"#, r#"'a"#, r#""\q""#, r#""\xg0""#] {
        if let Ok(words) = split(line) {
            return Err(format!("{line} has the words {words:?}").into());
        }
    }
    Ok(())
}
