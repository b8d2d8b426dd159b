//! COMMAND: the table as clients see it, held against redis-server's.

use rivermark_protocol::commands::table;
use rivermark_protocol::{Frame, Parsed};

use crate::check::{SYNTAX, parsed, refuse, reply};

/// `COMMAND INFO` of redis-server 7.0: name, arity, first and last key and step, flags, categories, key access.
/// The arity of `command|getkeys` is that of 7.2, which accepts commands without arguments.
const REDIS: &str = include_str!("redis_commands.txt");

fn answer(line: &str) -> Frame {
    match parsed(line) {
        Ok(Parsed::Reply(frame)) => frame,
        other => panic!("{line}: {other:?}"),
    }
}

fn items(frame: &Frame) -> &[Frame] {
    match frame {
        Frame::Array(items) | Frame::Set(items) => items,
        other => panic!("no list: {other:?}"),
    }
}

fn text(frame: &Frame) -> String {
    match frame {
        Frame::Simple(text) => text.to_string(),
        Frame::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Frame::Integer(value) => value.to_string(),
        other => panic!("no scalar: {other:?}"),
    }
}

fn sorted(frame: &Frame) -> String {
    let mut names: Vec<_> = items(frame).iter().map(|item| text(item).replace('@', "")).collect();
    names.sort();
    names.join(" ")
}

/// A row of COMMAND INFO in the form of [`REDIS`].
fn row(frame: &Frame) -> String {
    let row = items(frame);
    assert_eq!(row.len(), 10);
    let access = items(&row[8]).first().map_or_else(String::new, |specification| {
        let Frame::Map(fields) = specification else { panic!("no map: {specification:?}") };
        items(&fields[0].1).iter().map(text).collect::<Vec<_>>().join(" ")
    });
    let [name, arity, _, first, last, step, ..] = row else { panic!("short row") };
    format!(
        "{} {} {},{},{} [{}] [{}] [{access}]",
        text(name),
        text(arity),
        text(first),
        text(last),
        text(step),
        sorted(&row[2]),
        sorted(&row[6])
    )
}

#[test]
fn rows_are_those_of_redis() {
    for expected in REDIS.lines() {
        let name = expected.split(' ').next().expect("a name");
        let info = answer(&format!("COMMAND INFO {name}"));
        assert_eq!(row(&items(&info)[0]), expected);
    }
}

#[test]
fn only_newer_commands_are_missing_from_the_fixture() {
    let known: Vec<_> = REDIS.lines().filter_map(|line| line.split(' ').next()).collect();
    let all = table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
    let newer: Vec<_> = all.map(|spec| spec.name).filter(|name| !known.contains(name)).collect();
    assert_eq!(
        newer,
        [
            "xackdel",
            "xcfgset",
            "xdelex",
            "xidmprecord",
            "xnack",
            "xrangebyscore",
            "client|no-touch",
            "client|setinfo",
            "cluster|myshardid",
            "waitaof"
        ]
    );
}

#[test]
fn all_count_and_info_agree() {
    let all = answer("COMMAND");
    reply("COMMAND COUNT", Frame::Integer(items(&all).len() as i64));
    assert_eq!(answer("COMMAND INFO"), all);
    assert_eq!(
        answer("COMMAND INFO nope xadd"),
        Frame::Array(vec![Frame::Null, items(&answer("COMMAND INFO XADD"))[0].clone(),])
    );
}

#[test]
fn streams_are_found_by_their_keyword() {
    let info = answer("COMMAND INFO xreadgroup");
    let row = items(&items(&info)[0]);
    assert!(items(&row[2]).contains(&Frame::simple("movablekeys")));
    let Frame::Map(fields) = &items(&row[8])[0] else { panic!("no specification") };
    let keyword = Frame::fields([("keyword", Frame::literal("STREAMS")), ("startfrom", Frame::Integer(4))]);
    let range = Frame::fields([
        ("lastkey", Frame::Integer(-1)),
        ("keystep", Frame::Integer(1)),
        ("limit", Frame::Integer(2)),
    ]);
    assert_eq!(fields[1].1, Frame::fields([("type", Frame::literal("keyword")), ("spec", keyword)]));
    assert_eq!(fields[2].1, Frame::fields([("type", Frame::literal("range")), ("spec", range)]));
}

#[test]
fn docs() {
    let Frame::Map(docs) = answer("COMMAND DOCS xgroup nope") else { panic!("no map") };
    assert_eq!(docs.len(), 1);
    let Frame::Map(fields) = &docs[0].1 else { panic!("no map") };
    let names: Vec<_> = fields.iter().map(|(name, _)| text(name)).collect();
    assert_eq!(names, ["summary", "since", "group", "complexity", "subcommands"]);
    let Frame::Map(all) = answer("COMMAND DOCS") else { panic!("no map") };
    assert_eq!(all.len(), table::all().count());
}

#[test]
fn list() {
    let names = |tail: &str| -> Vec<String> {
        items(&answer(&format!("COMMAND LIST {tail}"))).iter().map(text).collect()
    };
    assert!(names("").contains(&"xgroup|create".to_owned()));
    assert_eq!(names("FILTERBY PATTERN xa*"), ["xack", "xackdel", "xadd", "xautoclaim"]);
    assert_eq!(names("filterby module x"), [""; 0]);
    assert_eq!(names("FILTERBY ACLCAT nope"), [""; 0]);
    assert_eq!(names("FILTERBY ACLCAT transaction"), ["discard", "exec", "multi", "unwatch", "watch"]);
    refuse("COMMAND LIST FOO", SYNTAX);
    refuse("COMMAND LIST FILTERBY FOO x", SYNTAX);
    refuse("COMMAND LIST FILTERBY PATTERN", SYNTAX);
}

#[test]
fn get_keys() {
    let check = |line: &str, keys: &[&'static str]| {
        let keys = keys.iter().map(|key| Frame::literal(key)).collect();
        reply(&format!("COMMAND GETKEYS {line}"), Frame::Array(keys));
    };
    check("XADD s * f v", &["s"]);
    check("XGROUP CREATE k g 1", &["k"]);
    check("DEL a b c", &["a", "b", "c"]);
    check("XREAD STREAMS a b 0 0", &["a", "b"]);
    check("XREAD COUNT 1 BLOCK streams STREAMS a 0", &["a"]);
    check("XREADGROUP GROUP streams streams NOACK STREAMS a b > >", &["a", "b"]);
    check("XREADGROUP COUNT 1 GROUP g streams STREAMS a >", &["a"]);
    check("WATCH a b", &["a", "b"]);
    check("XREADGROUP GROUP g c MAXCOUNT 1 MAXSIZE 2 CLAIM 3 STREAMS a >", &["a"]);
    check("RENAME a b", &["a", "b"]);
    check("COPY a b REPLACE", &["a", "b"]);
    check("XRANGEBYSCORE a -inf +inf BY b", &["a"]);
    check("XNACK a g FAIL IDS 1 1-1", &["a"]);
    check("MEMORY USAGE a", &["a"]);
    let flags = |names: &[&'static str]| Frame::Set(names.iter().map(|name| Frame::simple(name)).collect());
    let pair = |key, names: &[&'static str]| Frame::Array(vec![Frame::literal(key), flags(names)]);
    reply(
        "COMMAND GETKEYSANDFLAGS COPY a b",
        Frame::Array(vec![pair("a", &["RO", "access"]), pair("b", &["OW", "update"])]),
    );
    reply(
        "COMMAND GETKEYSANDFLAGS XREAD STREAMS a b 0 0",
        Frame::Array(vec![pair("a", &["RO", "access"]), pair("b", &["RO", "access"])]),
    );
    refuse("COMMAND GETKEYSANDFLAGS PING", "ERR The command has no key arguments");
    refuse("COMMAND GETKEYS FOO a", "ERR Invalid command specified");
    refuse("COMMAND GETKEYS XGROUP FOO k", "ERR Invalid command specified");
    refuse("COMMAND GETKEYS XADD k", "ERR Invalid number of arguments specified for command");
    refuse("COMMAND GETKEYS PING", "ERR The command has no key arguments");
    refuse("COMMAND GETKEYS XREAD COUNT 1 a b", "ERR Invalid arguments specified for command");
    refuse("COMMAND GETKEYS XREAD STREAMS a b 0", "ERR Invalid arguments specified for command");
    refuse("COMMAND GETKEYS XREAD FOO 1 STREAMS a 0", "ERR Invalid arguments specified for command");
}

#[test]
fn a_command_that_treats_two_keys_differently_says_so() {
    for (command, source, destination) in [
        ("copy", &["RO", "access"][..], &["OW", "update"][..]),
        ("rename", &["RW", "access", "delete"], &["OW", "update"]),
        ("renamenx", &["RW", "access", "delete"], &["OW", "insert"]),
    ] {
        let info = answer(&format!("COMMAND INFO {command}"));
        let specifications = items(&items(&items(&info)[0])[8]);
        let accesses: Vec<Vec<String>> = specifications
            .iter()
            .map(|specification| {
                let Frame::Map(fields) = specification else { panic!("no map: {specification:?}") };
                items(&fields[0].1).iter().map(text).collect()
            })
            .collect();
        assert_eq!(accesses, [source, destination], "{command}");
    }
}

#[test]
fn categories() {
    let names = |line: &str| -> Vec<String> { items(&answer(line)).iter().map(text).collect() };
    assert_eq!(
        names("ACL CAT").join(" "),
        "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow \
         blocking dangerous connection transaction scripting"
    );
    assert_eq!(names("acl cat TRANSACTION"), ["discard", "exec", "multi", "unwatch", "watch"]);
    assert_eq!(names("ACL CAT hash"), [""; 0]);
    assert!(names("ACL CAT stream").contains(&"xgroup|create".to_owned()));
    refuse("ACL CAT nope", "ERR Unknown category 'nope'");
    refuse("ACL CAT a b", "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.");
}
