//! XLEN, XRANGE, XREVRANGE, XREAD, XREADGROUP.

use rivermark_protocol::Parsed;
use rivermark_protocol::commands::parsed::{Block, BlockingRead, BlockingReadGroup};
use rivermark_stream::Query;
use rivermark_stream::command::{Acknowledgement, FirstEntry, GroupReadFrom, ReadBudget, XReadGroup};
use rivermark_stream::query::{Direction, ReadFrom, XRange, XRead};
use rivermark_types::EntryId;

use crate::check::{INVALID_ID, NOT_AN_INTEGER, SYNTAX, accept, consumer, group, id, key, query, refuse};

#[test]
fn xlen() {
    query("XLEN s", Query::XLen(key("s")));
    refuse("XLEN", "ERR wrong number of arguments for 'xlen' command");
    refuse("XLEN s s", "ERR wrong number of arguments for 'xlen' command");
}

#[test]
fn ranges() {
    let check = |line: &str, start: EntryId, end: EntryId, count: Option<u64>, direction: Direction| {
        query(line, Query::XRange(XRange { key: key("s"), start, end, count, direction }));
    };
    use Direction::{Backward, Forward};
    check("XRANGE s - +", EntryId::MIN, EntryId::MAX, None, Forward);
    check("XRANGE s + -", EntryId::MAX, EntryId::MIN, None, Forward);
    check("XREVRANGE s + -", EntryId::MIN, EntryId::MAX, None, Backward);
    check("XRANGE s 5 5", id(5, 0), id(5, u64::MAX), None, Forward);
    check("XREVRANGE s 7 5-1", id(5, 1), id(7, u64::MAX), None, Backward);
    check("XRANGE s (5 (7", id(5, 1), id(7, u64::MAX - 1), None, Forward);
    check("XRANGE s (5-18446744073709551615 (7-0", id(6, 0), id(6, u64::MAX), None, Forward);
    check("XREVRANGE s (7-1 (5-1", id(5, 2), id(7, 0), None, Backward);
    check("XRANGE s - + COUNT 5", EntryId::MIN, EntryId::MAX, Some(5), Forward);
    check("XRANGE s - + count 5 COUNT 6", EntryId::MIN, EntryId::MAX, Some(6), Forward);
    check("XRANGE s - + COUNT 0", EntryId::MIN, EntryId::MAX, Some(0), Forward);
    check("XRANGE s - + COUNT -5", EntryId::MIN, EntryId::MAX, Some(0), Forward);
    refuse("XRANGE s -", "ERR wrong number of arguments for 'xrange' command");
    refuse("XREVRANGE s +", "ERR wrong number of arguments for 'xrevrange' command");
    for bad in ["x", "(", "(-", "(+", "((1", "1-1-1", "$", ">"] {
        refuse(&format!("XRANGE s {bad} +"), INVALID_ID);
        refuse(&format!("XRANGE s - {bad}"), INVALID_ID);
    }
    refuse("XRANGE s (18446744073709551615-18446744073709551615 +", "ERR invalid start ID for the interval");
    refuse("XRANGE s - (0-0", "ERR invalid end ID for the interval");
    refuse("XREVRANGE s (0-0 -", "ERR invalid end ID for the interval");
    refuse("XRANGE s - + COUNT", SYNTAX);
    refuse("XRANGE s - + FOO 1", SYNTAX);
    refuse("XRANGE s - + COUNT x", NOT_AN_INTEGER);
}

const UNLIMITED: ReadBudget = ReadBudget::UNLIMITED;

fn budget(entries: Option<u64>, bytes: Option<u64>) -> ReadBudget {
    ReadBudget { entries, bytes, first: FirstEntry::Always }
}

#[test]
fn budgets() {
    let check = |options: &str, count: Option<u64>, budget: ReadBudget| {
        let streams = vec![(key("s"), ReadFrom::After(EntryId::MIN))];
        let read = XRead { count, budget, streams };
        accept(&format!("XREAD {options} STREAMS s 0"), Parsed::Read(BlockingRead { read, block: None }));
    };
    check("MAXCOUNT 5", None, budget(Some(5), None));
    check("maxsize 100 COUNT 3", Some(3), budget(None, Some(100)));
    check("MAXCOUNT 2 MAXSIZE 1 MAXCOUNT 3 COUNT 3", Some(3), budget(Some(3), Some(1)));
    check("COUNT 0 MAXCOUNT 1", None, budget(Some(1), None));
    for group in ["XREAD", "XREADGROUP GROUP g c"] {
        let refused = |options: &str, error: &str| refuse(&format!("{group} {options} STREAMS s 0"), error);
        refused("MAXCOUNT 0", "ERR MAXCOUNT must be > 0");
        refused("MAXCOUNT -1", "ERR MAXCOUNT must be > 0");
        refused("MAXSIZE 0", "ERR MAXSIZE must be > 0");
        refused("MAXCOUNT x", NOT_AN_INTEGER);
        refused("MAXSIZE x", NOT_AN_INTEGER);
        refused("COUNT 3 MAXCOUNT 2", "ERR MAXCOUNT must be >= COUNT");
        refused("MAXCOUNT 2 COUNT 3", "ERR MAXCOUNT must be >= COUNT");
        refused("MAXBYTES 2", SYNTAX);
    }
}

#[test]
fn xread() {
    let check = |line: &str,
                 count: Option<u64>,
                 block: Option<Block>,
                 streams: &[(&'static str, ReadFrom)]| {
        let streams = streams.iter().map(|(name, from)| (key(name), *from)).collect();
        accept(line, Parsed::Read(BlockingRead { read: XRead { count, budget: UNLIMITED, streams }, block }));
    };
    use ReadFrom::{After, Last, LastEntry};
    check("XREAD STREAMS s 0", None, None, &[("s", After(EntryId::MIN))]);
    check("xread streams s $", None, None, &[("s", Last)]);
    check("XREAD STREAMS s +", None, None, &[("s", LastEntry)]);
    check(
        "XREAD STREAMS a b a 1 2-3 $",
        None,
        None,
        &[("a", After(id(1, 0))), ("b", After(id(2, 3))), ("a", Last)],
    );
    check("XREAD COUNT 5 STREAMS s 0", Some(5), None, &[("s", After(EntryId::MIN))]);
    check("XREAD COUNT 0 STREAMS s 0", None, None, &[("s", After(EntryId::MIN))]);
    check("XREAD COUNT -5 STREAMS s 0", None, None, &[("s", After(EntryId::MIN))]);
    check("XREAD COUNT 5 COUNT 0 STREAMS s 0", None, None, &[("s", After(EntryId::MIN))]);
    check("XREAD BLOCK 0 STREAMS s $", None, Some(Block::Forever), &[("s", Last)]);
    check("XREAD block 25 count 1 streams s $", Some(1), Some(Block::Ms(25)), &[("s", Last)]);
    check("XREAD STREAMS STREAMS 0", None, None, &[("STREAMS", After(EntryId::MIN))]);
}

#[test]
fn xread_refusals() {
    const UNBALANCED: &str =
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.";
    refuse("XREAD STREAMS s", "ERR wrong number of arguments for 'xread' command");
    refuse("XREAD STREAMS a b 0", UNBALANCED);
    refuse("XREAD COUNT 1 STREAMS s", UNBALANCED);
    refuse("XREAD COUNT 1 STREAMS", SYNTAX);
    refuse("XREAD FOO 1 STREAMS s 0", SYNTAX);
    refuse("XREAD COUNT 1 COUNT 2", SYNTAX);
    refuse("XREAD COUNT x STREAMS s 0", NOT_AN_INTEGER);
    refuse("XREAD STREAMS s x", INVALID_ID);
    refuse("XREAD STREAMS s -", INVALID_ID);
    refuse("XREAD BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range");
    refuse("XREAD BLOCK 1.5 STREAMS s 0", "ERR timeout is not an integer or out of range");
    refuse("XREAD BLOCK -1 STREAMS s 0", "ERR timeout is negative");
    refuse("XREAD BLOCK 9223372036854775807 STREAMS s 0", "ERR timeout is out of range");
    refuse(
        "XREAD STREAMS s >",
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
    for (option, operands) in [("GROUP", "g c"), ("NOACK", ""), ("CLAIM", "5")] {
        refuse(
            &format!("XREAD {option} {operands} STREAMS s 0"),
            &format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."),
        );
    }
}

#[test]
fn xreadgroup() {
    let read = XReadGroup {
        group: group("g"),
        consumer: consumer("c"),
        count: None,
        budget: UNLIMITED,
        claim_min_idle_ms: None,
        acknowledgement: Acknowledgement::Explicit,
        streams: vec![(key("s"), GroupReadFrom::New)],
    };
    let check = |line: &str, block: Option<Block>, read: XReadGroup| {
        accept(line, Parsed::ReadGroup(BlockingReadGroup { read, block }));
    };
    check("XREADGROUP GROUP g c STREAMS s >", None, read.clone());
    check("XREADGROUP COUNT 5 GROUP g c STREAMS s >", None, XReadGroup { count: Some(5), ..read.clone() });
    check("XREADGROUP GROUP g c COUNT 0 STREAMS s >", None, read.clone());
    check("XREADGROUP GROUP g c BLOCK 9 STREAMS s >", Some(Block::Ms(9)), read.clone());
    check(
        "XREADGROUP group g c noack streams s >",
        None,
        XReadGroup { acknowledgement: Acknowledgement::Implicit, ..read.clone() },
    );
    let pending = vec![(key("s"), GroupReadFrom::Pending(EntryId::MIN)), (key("t"), GroupReadFrom::New)];
    check("XREADGROUP GROUP g c STREAMS s t 0 >", None, XReadGroup { streams: pending, ..read.clone() });
    check(
        "XREADGROUP GROUP x y GROUP streams streams STREAMS s >",
        None,
        XReadGroup { group: group("streams"), consumer: consumer("streams"), ..read.clone() },
    );
    check(
        "XREADGROUP GROUP g c COUNT 2 MAXCOUNT 5 MAXSIZE 99 BLOCK 9 CLAIM 7 STREAMS s >",
        Some(Block::Ms(9)),
        XReadGroup {
            count: Some(2),
            budget: budget(Some(5), Some(99)),
            claim_min_idle_ms: Some(7),
            ..read.clone()
        },
    );
    check(
        "XREADGROUP claim 0 GROUP g c STREAMS s >",
        None,
        XReadGroup { claim_min_idle_ms: Some(0), ..read.clone() },
    );
    const HEAD: &str = "XREADGROUP GROUP g c";
    refuse(&format!("{HEAD} CLAIM x STREAMS s >"), "ERR min-idle-time is not an integer or out of range");
    refuse(&format!("{HEAD} CLAIM -1 STREAMS s >"), "ERR min-idle-time must be a positive integer");
}

#[test]
fn xreadgroup_refusals() {
    const UNBALANCED: &str =
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.";
    refuse("XREADGROUP GROUP g c STREAMS s", "ERR wrong number of arguments for 'xreadgroup' command");
    refuse("XREADGROUP GROUP g c STREAMS s t >", UNBALANCED);
    refuse("XREADGROUP COUNT 1 STREAMS a b c", UNBALANCED);
    refuse("XREADGROUP COUNT 1 NOACK STREAMS s >", "ERR Missing GROUP option for XREADGROUP");
    refuse("XREADGROUP GROUP g c COUNT 1 NOACK", SYNTAX);
    refuse("XREADGROUP GROUP g c FOO STREAMS s >", SYNTAX);
    refuse("XREADGROUP GROUP g c STREAMS s x", INVALID_ID);
    refuse("XREADGROUP GROUP g c BLOCK -1 STREAMS s >", "ERR timeout is negative");
    for id in ["$", "+"] {
        refuse(
            &format!("XREADGROUP GROUP g c STREAMS s {id}"),
            &format!(
                "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of \
                 this consumer by specifying a proper ID, or use the > ID to get new messages. The {id} ID \
                 would just return an empty result set."
            ),
        );
    }
}
