//! Commands about keys.

use bytes::Bytes;
use rivermark_protocol::Parsed;
use rivermark_protocol::commands::parse;
use rivermark_protocol::commands::parsed::{KeyspaceCommand, ScanRequest, ScanTypes};
use rivermark_stream::command::{
    CopyKey, Deadline, ExistingOnly, Expire, ExpireCondition, Occupied, Rename, Restore,
};
use rivermark_stream::query::{DeadlineForm, KeyProperty, Keys, Property, TimeToLive};
use rivermark_stream::{Command, Query};
use rivermark_types::{DatabaseIndex, KeyPosition, StreamKey};

use crate::check::{NOT_AN_INTEGER, SYNTAX, accept, command, key, query, refuse, request};

fn keyspace(line: &str, expected: KeyspaceCommand) {
    accept(line, Parsed::Keyspace(expected));
}

#[test]
fn existence() {
    let keys = || vec![key("a"), key("b"), key("a")];
    command("DEL a b a", Command::Delete(keys()));
    command("UNLINK a b a", Command::Delete(keys()));
    query("EXISTS a b a", Query::Exists(keys()));
    query("TOUCH a b a", Query::Exists(keys()));
    query("TYPE a", Query::KeyType(key("a")));
    keyspace("OBJECT ENCODING a", KeyspaceCommand::Encoding(key("a")));
    for name in ["del", "unlink", "exists", "touch", "type", "persist", "ttl"] {
        refuse(name, &format!("ERR wrong number of arguments for '{name}' command"));
    }
    refuse("OBJECT AGE a", "ERR unknown subcommand 'AGE'. Try OBJECT HELP.");
    refuse("OBJECT ENCODING", "ERR wrong number of arguments for 'object|encoding' command");
}

#[test]
fn properties() {
    let check = |line: &str, property: Property| {
        query(line, Query::KeyProperty(KeyProperty { key: key("a"), property }));
    };
    check("OBJECT REFCOUNT a", Property::ReferenceCount);
    check("object idletime a", Property::IdleTime);
    check("OBJECT FREQ a", Property::AccessFrequency);
    check("MEMORY USAGE a", Property::MemoryBytes);
    check("MEMORY USAGE a SAMPLES 0", Property::MemoryBytes);
    refuse("MEMORY USAGE a SAMPLES -1", SYNTAX);
    refuse("MEMORY USAGE a SAMPLES", SYNTAX);
    refuse("MEMORY USAGE a SAMPLES x", NOT_AN_INTEGER);
    refuse("MEMORY USAGE a FOO 1", SYNTAX);
    refuse("MEMORY FOO", "ERR unknown subcommand 'FOO'. Try MEMORY HELP.");
}

#[test]
fn keys_move() {
    let rename = |occupied| Command::Rename(Rename { from: key("a"), to: key("b"), occupied });
    command("RENAME a b", rename(Occupied::Replace));
    command("RENAMENX a b", rename(Occupied::Keep));
    let copy = |to, occupied| Command::Copy(CopyKey { from: key("a"), to, occupied });
    let elsewhere = |name: &'static str| {
        StreamKey::new(DatabaseIndex::new(3).expect("one of sixteen"), Bytes::from_static(name.as_bytes()))
    };
    command("COPY a b", copy(key("b"), Occupied::Keep));
    command("copy a b replace", copy(key("b"), Occupied::Replace));
    command("COPY a a DB 3 REPLACE", copy(elsewhere("a"), Occupied::Replace));
    refuse("COPY a a", "ERR source and destination objects are the same");
    refuse("COPY a a DB 0", "ERR source and destination objects are the same");
    refuse("COPY a b DB 16", "ERR DB index is out of range");
    refuse("COPY a b DB -1", "ERR DB index is out of range");
    refuse("COPY a b DB x", NOT_AN_INTEGER);
    refuse("COPY a b DB", SYNTAX);
    refuse("COPY a b FOO", SYNTAX);
}

#[test]
fn dump_and_restore() {
    query("DUMP a", Query::Dump(key("a")));
    let check = |tail: &str, deadline: Option<Deadline>, occupied: Occupied| {
        let restore = Restore { key: key("a"), deadline, payload: Bytes::from_static(b"x"), occupied };
        command(&format!("RESTORE a {tail}"), Command::Restore(restore));
    };
    check("0 x", None, Occupied::Keep);
    check("5 x", Some(Deadline::InMs(5)), Occupied::Keep);
    check("5 x ABSTTL REPLACE", Some(Deadline::AtUnixMs(5)), Occupied::Replace);
    check("0 x ABSTTL IDLETIME 5", None, Occupied::Keep);
    check("0 x FREQ 255", None, Occupied::Keep);
    refuse("RESTORE a -1 x", "ERR Invalid TTL value, must be >= 0");
    refuse("RESTORE a x x", NOT_AN_INTEGER);
    refuse("RESTORE a x x FOO", SYNTAX);
    refuse("RESTORE a 0 x IDLETIME -1", "ERR Invalid IDLETIME value, must be >= 0");
    refuse("RESTORE a 0 x FREQ 256", "ERR Invalid FREQ value, must be >= 0 and <= 255");
    refuse("RESTORE a 0 x FREQ 1 IDLETIME 1", SYNTAX);
    refuse("RESTORE a 0 x IDLETIME 1 FREQ 1", SYNTAX);
}

#[test]
fn keys_belong_to_the_selected_database() {
    let database = DatabaseIndex::new(9).expect("one of sixteen");
    let expected = StreamKey::new(database, Bytes::from_static(b"a"));
    assert_eq!(parse(&request("TYPE a"), database), Ok(Parsed::Query(Query::KeyType(expected))));
}

#[test]
fn deadlines() {
    let expire = |deadline| Expire {
        key: key("a"),
        deadline,
        condition: ExpireCondition::Always,
        existing_only: ExistingOnly::No,
    };
    let check = |line: &str, deadline: Deadline| command(line, Command::Expire(expire(deadline)));
    check("EXPIRE a 5", Deadline::InMs(5000));
    check("EXPIRE a -5", Deadline::InMs(-5000));
    check("PEXPIRE a 5", Deadline::InMs(5));
    check("EXPIREAT a 5", Deadline::AtUnixMs(5000));
    check("PEXPIREAT a 5", Deadline::AtUnixMs(5));
    check("PEXPIREAT a 9223372036854775807", Deadline::AtUnixMs(i64::MAX));
    check("EXPIREAT a 9223372036854775", Deadline::AtUnixMs(9_223_372_036_854_775_000));
    let conditional = |word: &str, condition, existing_only| {
        let expected = Expire { condition, existing_only, ..expire(Deadline::InMs(5)) };
        command(&format!("PEXPIRE a 5 {word}"), Command::Expire(expected));
    };
    conditional("NX", ExpireCondition::IfNone, ExistingOnly::No);
    conditional("xx", ExpireCondition::IfSome, ExistingOnly::No);
    conditional("GT", ExpireCondition::IfLater, ExistingOnly::No);
    conditional("LT", ExpireCondition::IfEarlier, ExistingOnly::No);
    conditional("GT XX", ExpireCondition::IfLater, ExistingOnly::Yes);
    conditional("XX LT", ExpireCondition::IfEarlier, ExistingOnly::Yes);
    command("PERSIST a", Command::Persist(key("a")));
    let left = |line: &str, form| query(line, Query::TimeToLive(TimeToLive { key: key("a"), form }));
    left("TTL a", DeadlineForm::SecondsLeft);
    left("PTTL a", DeadlineForm::MillisLeft);
    left("EXPIRETIME a", DeadlineForm::UnixSeconds);
    left("PEXPIRETIME a", DeadlineForm::UnixMillis);
}

#[test]
fn deadline_refusals() {
    for name in ["expire", "pexpire", "expireat", "pexpireat"] {
        refuse(&format!("{name} a"), &format!("ERR wrong number of arguments for '{name}' command"));
        refuse(&format!("{name} a x"), NOT_AN_INTEGER);
        refuse(&format!("{name} a x FOO"), "ERR Unsupported option FOO");
    }
    const NX: &str = "ERR NX and XX, GT or LT options at the same time are not compatible";
    refuse("EXPIRE a 5 NX XX", NX);
    refuse("EXPIRE a 5 NX GT", NX);
    refuse("EXPIRE a 5 LT NX", NX);
    refuse("EXPIRE a 5 GT LT", "ERR GT and LT options at the same time are not compatible");
    refuse("EXPIRE a 9223372036854775807", "ERR invalid expire time in 'expire' command");
    refuse("EXPIRE a 9223372036854775", "ERR invalid expire time in 'expire' command");
    refuse("EXPIRE a -9223372036854776", "ERR invalid expire time in 'expire' command");
    refuse("PEXPIRE a 9223372036854775807", "ERR invalid expire time in 'pexpire' command");
    refuse("EXPIREAT a 9223372036854776", "ERR invalid expire time in 'expireat' command");
}

#[test]
fn keyspaces() {
    let database = DatabaseIndex::default();
    keyspace("DBSIZE", KeyspaceCommand::Size(database));
    keyspace("RANDOMKEY", KeyspaceCommand::Random(database));
    keyspace("KEYS a*", KeyspaceCommand::Keys(Keys { database, pattern: Bytes::from_static(b"a*") }));
    for mode in ["", " ASYNC", " sync"] {
        keyspace(&format!("FLUSHDB{mode}"), KeyspaceCommand::FlushDatabase(database));
        keyspace(&format!("FLUSHALL{mode}"), KeyspaceCommand::FlushAll);
    }
    refuse("FLUSHALL FOO", SYNTAX);
    refuse("FLUSHDB SYNC ASYNC", SYNTAX);
    refuse("KEYS", "ERR wrong number of arguments for 'keys' command");
    refuse("DBSIZE a", "ERR wrong number of arguments for 'dbsize' command");
}

#[test]
fn scan() {
    let scan = ScanRequest {
        database: DatabaseIndex::default(),
        cursor: KeyPosition::START,
        count: 10,
        pattern: None,
        types: ScanTypes::Streams,
    };
    let check = |tail: &str, expected: ScanRequest| {
        keyspace(&format!("SCAN {tail}"), KeyspaceCommand::Scan(expected));
    };
    check("0", scan.clone());
    check("18446744073709551615", ScanRequest { cursor: KeyPosition::new(u64::MAX), ..scan.clone() });
    check("0 COUNT 5", ScanRequest { count: 5, ..scan.clone() });
    check("0 match a* count 1", ScanRequest { count: 1, pattern: Some("a*".into()), ..scan.clone() });
    check("0 TYPE Stream", scan.clone());
    check("0 TYPE zset", ScanRequest { types: ScanTypes::Nothing, ..scan.clone() });
    refuse("SCAN", "ERR wrong number of arguments for 'scan' command");
    for cursor in ["x", "1x", "18446744073709551616", "\"\"", "\" 1\""] {
        refuse(&format!("SCAN {cursor}"), "ERR invalid cursor");
    }
    refuse("SCAN 0 COUNT 0", SYNTAX);
    refuse("SCAN 0 COUNT -1", SYNTAX);
    refuse("SCAN 0 COUNT x", NOT_AN_INTEGER);
    refuse("SCAN 0 COUNT", SYNTAX);
    refuse("SCAN 0 FOO", SYNTAX);
    refuse("SCAN 0 TYPE foo", "ERR unknown type name 'foo'");
}
