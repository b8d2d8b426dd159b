//! Times in the place of ids, and XRANGEBYSCORE: docs/time.md.

use bytes::Bytes;
use proptest::prelude::*;
use rivermark_protocol::Parsed;
use rivermark_protocol::commands::parsed::{BlockingRead, BlockingReadGroup};
use rivermark_stream::command::{
    ClaimReply, Command, ConsumerRef, GroupReadFrom, GroupRef, GroupStart, NewEntryId, TrimKeep, XAck,
    XAutoClaim, XDel,
};
use rivermark_stream::query::{PendingRange, Query, ReadFrom, XRange, XRangeByScore};
use rivermark_types::{EntryId, Score};

use crate::check::{
    INVALID_ID, NOT_AN_INTEGER, SYNTAX, command, consumer, group, id, key, parsed, query, refuse,
};

/// 2026-02-09T00:00:00Z.
const DAY: u64 = 1_770_595_200_000;
const DAY_END: u64 = DAY + 86_399_999;
const TEN: u64 = DAY + 36_000_000;
const NOT_A_FLOAT: &str = "ERR min or max is not a float";

#[test]
fn xadd() {
    let check = |text: &str, expected: NewEntryId| match parsed(&format!("XADD s {text} f v")) {
        Ok(Parsed::Command(Command::XAdd(add))) => assert_eq!(add.id, expected, "{text}"),
        other => panic!("{text}: {other:?}"),
    };
    check("2026-02-09", NewEntryId::Exact(id(DAY, 0)));
    check("2026-02-09-1", NewEntryId::Exact(id(DAY, 1)));
    check("2026-02-09-*", NewEntryId::AutoSequence(DAY));
    check("2026-02-09T10:00:00Z", NewEntryId::Exact(id(TEN, 0)));
    check("2026-02-09T10:00:00.250Z-7", NewEntryId::Exact(id(TEN + 250, 7)));
    check("2026-02-09T12:00+02:00-*", NewEntryId::AutoSequence(TEN));
    check("2026-02-09T10:00-*", NewEntryId::AutoSequence(TEN));
    check("\"2026-02-09 10:00:00\"", NewEntryId::Exact(id(TEN, 0)));
    check("1970-01-01-1", NewEntryId::Exact(id(0, 1)));
    // What was a plain id stays one.
    check("2026-02", NewEntryId::Exact(id(2026, 2)));
    for bad in [
        "2026-02-30",
        "2026-02-09-1-*",
        "2026-02-09-1-1",
        "2026-02-09-",
        "2026-02-09T10:00-5",
        "(2026-02-09",
        "1969-12-31",
        "1969-12-31-*",
        "2026-02-09T25:00Z",
        "2026-02-09-**",
        "2026-02-09Z",
    ] {
        refuse(&format!("XADD s {bad} f v"), INVALID_ID);
    }
    refuse("XADD s 1970-01-01 f v", "ERR The ID specified in XADD must be greater than 0-0");
}

#[test]
fn ranges_take_all_that_is_named() {
    let check = |bounds: &str, start: EntryId, end: EntryId| match parsed(&format!("XRANGE s {bounds}")) {
        Ok(Parsed::Query(Query::XRange(XRange { start: found_start, end: found_end, .. }))) => {
            assert_eq!((found_start, found_end), (start, end), "{bounds}");
        }
        other => panic!("{bounds}: {other:?}"),
    };
    check("2026-02-09 2026-02-09", id(DAY, 0), id(DAY_END, u64::MAX));
    check("2026-02-09T10:00Z 2026-02-09T10:00Z", id(TEN, 0), id(TEN + 59_999, u64::MAX));
    check("2026-02-09T10:00:00Z 2026-02-09T10:00:00Z", id(TEN, 0), id(TEN + 999, u64::MAX));
    check("2026-02-09T10:00:00.5Z 2026-02-09T10:00:00.5Z", id(TEN + 500, 0), id(TEN + 599, u64::MAX));
    check("2026-02-09T10:00:00.001Z 2026-02-09T10:00:00.001Z", id(TEN + 1, 0), id(TEN + 1, u64::MAX));
    check("2026-02-09-3 2026-02-09-3", id(DAY, 3), id(DAY, 3));
    check("(2026-02-09 +", id(DAY_END + 1, 0), EntryId::MAX);
    check("- (2026-02-09", EntryId::MIN, id(DAY - 1, u64::MAX));
    check("(2026-02-09-3 (2026-02-09-5", id(DAY, 4), id(DAY, 4));
    check("2026-02-09 1770595200000", id(DAY, 0), id(DAY, u64::MAX));
    refuse("XRANGE s - (1970-01-01", "ERR invalid end ID for the interval");
    refuse("XRANGE s 1969-12-31 +", INVALID_ID);
    refuse("XRANGE s ((2026-02-09 +", INVALID_ID);
    refuse("XREVRANGE s 2026-02-09-x -", INVALID_ID);
}

#[test]
fn reading_and_groups_start_at_the_first_millisecond() {
    let Ok(Parsed::Read(BlockingRead { read, .. })) = parsed("XREAD STREAMS s 2026-02-09") else {
        panic!("no read")
    };
    assert_eq!(read.streams, [(key("s"), ReadFrom::After(id(DAY, 0)))]);
    let line = "XREADGROUP GROUP g c STREAMS s 2026-02-09T10:00Z-2";
    let Ok(Parsed::ReadGroup(BlockingReadGroup { read, .. })) = parsed(line) else { panic!("no read") };
    assert_eq!(read.streams, [(key("s"), GroupReadFrom::Pending(id(TEN, 2)))]);
    for line in ["XGROUP CREATE s g 2026-02-09", "XGROUP SETID s g 2026-02-09"] {
        match parsed(line) {
            Ok(Parsed::Command(Command::XGroupCreate(create))) => {
                assert_eq!(create.start, GroupStart::After(id(DAY, 0)));
            }
            Ok(Parsed::Command(Command::XGroupSetId(set))) => {
                assert_eq!(set.start, GroupStart::After(id(DAY, 0)));
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    match parsed("XSETID s 2026-02-09-5 MAXDELETEDID 2026-02-09") {
        Ok(Parsed::Command(Command::XSetId(set))) => {
            assert_eq!((set.last_id, set.max_deleted_id), (id(DAY, 5), Some(id(DAY, 0))));
        }
        other => panic!("{other:?}"),
    }
    for line in ["XTRIM s MINID 2026-02-09", "XADD s MINID ~ 2026-02-09 * f v"] {
        let trim = match parsed(line) {
            Ok(Parsed::Command(Command::XTrim(command))) => command.trim,
            Ok(Parsed::Command(Command::XAdd(add))) => add.trim.expect("it trims"),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(trim.keep, TrimKeep::MinId(id(DAY, 0)), "{line}");
    }
}

#[test]
fn pending_entries_by_time() {
    let range = PendingRange {
        key: key("s"),
        group: group("g"),
        min_idle_ms: 0,
        start: id(DAY, 0),
        end: id(DAY_END, u64::MAX),
        count: 10,
        consumer: None,
    };
    query("XPENDING s g 2026-02-09 2026-02-09 10", Query::XPendingRange(range));
    let claim = XAutoClaim {
        target: ConsumerRef { key: key("s"), group: group("g"), consumer: consumer("c") },
        min_idle_ms: 5,
        start: id(DAY_END + 1, 0),
        count: 100,
        reply: ClaimReply::Entries,
    };
    command("XAUTOCLAIM s g c 5 (2026-02-09", Command::XAutoClaim(claim));
}

#[test]
fn one_entry_is_named_exactly() {
    let check = |text: &str, expected: EntryId| {
        command(&format!("XDEL s {text}"), Command::XDel(XDel { key: key("s"), ids: vec![expected] }));
        let target = GroupRef { key: key("s"), group: group("g") };
        command(&format!("XACK s g {text}"), Command::XAck(XAck { target, ids: vec![expected] }));
        for line in [
            format!("XCLAIM s g c 0 {text}"),
            format!("XDELEX s IDS 1 {text}"),
            format!("XACKDEL s g IDS 1 {text}"),
            format!("XNACK s g FAIL IDS 1 {text}"),
            format!("XIDMPRECORD s p i {text}"),
        ] {
            let found = match parsed(&line) {
                Ok(Parsed::Command(Command::XClaim(claim))) => claim.ids,
                Ok(Parsed::Command(Command::XDelEx(delete))) => delete.ids,
                Ok(Parsed::Command(Command::XAckDel(delete))) => delete.ids,
                Ok(Parsed::Command(Command::XNack(nack))) => nack.ids,
                Ok(Parsed::Command(Command::XIdmpRecord(record))) => vec![record.entry],
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(found, [expected], "{line}");
        }
    };
    check("5", id(5, 0));
    check("2026-02-09-1", id(DAY, 1));
    check("2026-02-09T10:00:00.001Z", id(TEN + 1, 0));
    check("2026-02-09T12:00:00.001+02:00-4", id(TEN + 1, 4));
    for vague in ["2026-02-09", "2026-02-09T10:00Z", "2026-02-09T10:00:00Z", "2026-02-09T10:00:00.25Z"] {
        refuse(&format!("XDEL s {vague}"), INVALID_ID);
        refuse(&format!("XACK s g {vague}"), INVALID_ID);
        refuse(&format!("XDELEX s IDS 1 {vague}"), INVALID_ID);
        refuse(&format!("XNACK s g FAIL IDS 1 {vague}"), INVALID_ID);
        refuse(&format!("XIDMPRECORD s p i {vague}"), INVALID_ID);
        refuse(&format!("XCLAIM s g c 0 5 {vague}"), &format!("ERR Unrecognized XCLAIM option '{vague}'"));
    }
}

fn by_score(line: &str) -> XRangeByScore {
    match parsed(line) {
        Ok(Parsed::Query(Query::XRangeByScore(range))) => range,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn xrangebyscore() {
    let range = |start: f64, end: f64, field: &'static str, count: Option<u64>| XRangeByScore {
        key: key("s"),
        field: Bytes::from_static(field.as_bytes()),
        start: Score::new(start).expect("a number"),
        end: Score::new(end).expect("a number"),
        count,
    };
    let check = |tail: &str, expected: XRangeByScore| {
        query(&format!("XRANGEBYSCORE s {tail}"), Query::XRangeByScore(expected));
    };
    let infinity = f64::INFINITY;
    check("-inf +inf", range(-infinity, infinity, "run_at", None));
    check("1.5 2e3", range(1.5, 2000.0, "run_at", None));
    check("5 4", range(5.0, 4.0, "run_at", None));
    check("(1 (2 BY at COUNT 3", range(1f64.next_up(), 2f64.next_down(), "at", Some(3)));
    check("0 inf count 3 by at by other COUNT 4", range(0.0, infinity, "other", Some(4)));
    check("0 1 COUNT 0", range(0.0, 1.0, "run_at", Some(0)));
    check("0 1 COUNT -1", range(0.0, 1.0, "run_at", Some(0)));
    let (day, next) = (DAY as f64, (DAY_END + 1) as f64);
    check("2026-02-09 2026-02-09", range(day, next.next_down(), "run_at", None));
    check("(2026-02-08 (2026-02-10", range(day, next.next_down(), "run_at", None));
    check("2026-02-09T10:00:00.0005Z +inf", range(TEN as f64 + 0.5, infinity, "run_at", None));
    check("1969-12-31T23:59:59Z 0", range(-1000.0, 0.0, "run_at", None));
    // Nothing is above infinity.
    check("(+inf +inf", range(infinity, -infinity, "run_at", None));
    check("-inf (-inf", range(infinity, -infinity, "run_at", None));
    for bad in ["x", "", "(", "-", "+", "nan", "((1", "2026-02", "2026-02-09-1", "1,5"] {
        refuse(&format!("XRANGEBYSCORE s \"{bad}\" 1"), NOT_A_FLOAT);
        refuse(&format!("XRANGEBYSCORE s 1 \"{bad}\""), NOT_A_FLOAT);
    }
    refuse("XRANGEBYSCORE s 0", "ERR wrong number of arguments for 'xrangebyscore' command");
    refuse("XRANGEBYSCORE s 0 1 BY", SYNTAX);
    refuse("XRANGEBYSCORE s 0 1 COUNT", SYNTAX);
    refuse("XRANGEBYSCORE s 0 1 LIMIT 0 1", SYNTAX);
    refuse("XRANGEBYSCORE s 0 1 COUNT x", NOT_AN_INTEGER);
}

#[test]
fn a_time_is_inside_its_own_bounds() {
    for time in
        ["2026-02-09", "2026-02-09T10:00Z", "2026-02-09T10:00:00.123Z", "2026-02-09T10:00:00.123456789Z"]
    {
        let score = Score::parse(time.as_bytes()).expect("a time");
        let range = by_score(&format!("XRANGEBYSCORE s {time} {time}"));
        assert!(range.start <= score && score <= range.end, "{time}");
        let above = by_score(&format!("XRANGEBYSCORE s ({time} +inf"));
        let below = by_score(&format!("XRANGEBYSCORE s -inf ({time}"));
        assert!(below.end < score && score < above.start, "{time}");
        assert_eq!(below.end.successor(), Some(range.start), "{time}");
        assert_eq!(range.end.successor(), Some(above.start), "{time}");
    }
}

proptest! {
    /// Whatever looks like an id or a time is read or refused; a plain id is read as it always was.
    #[test]
    fn bounds_of_all_shapes(text in r"[(]?([0-9]{1,5}(-[0-9*]{1,4}){0,3})(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{0,4})?)?(Z|[+-][0-9:]{1,6})?)?(-[0-9]{1,3})?") {
        for line in [
            format!("XADD s {text} f v"),
            format!("XRANGE s {text} +"),
            format!("XRANGE s - {text}"),
            format!("XDEL s {text}"),
            format!("XRANGEBYSCORE s {text} +inf"),
        ] {
            if let Err(error) = parsed(&line) {
                let known = [INVALID_ID, NOT_A_FLOAT, "ERR The ID specified in XADD must be greater than 0-0",
                    "ERR invalid end ID for the interval"];
                prop_assert!(known.contains(&error.to_string().as_str()), "{line}: {error}");
            }
        }
        if let Ok(plain) = EntryId::parse(text.as_bytes(), 0) {
            let Ok(Parsed::Query(Query::XRange(range))) = parsed(&format!("XRANGE s {text} +")) else {
                panic!("a plain id was refused")
            };
            prop_assert_eq!(range.start, plain);
        }
    }
}
