//! XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM, XINFO.

use rivermark_stream::command::{
    ClaimReply, ConsumerRef, DeliveryTime, Force, GroupRef, GroupStart, MissingKey, XAck, XAutoClaim, XClaim,
    XGroupCreate, XGroupSetId,
};
use rivermark_stream::query::{PendingRange, PendingSummary, XInfoConsumers, XInfoStreamFull};
use rivermark_stream::{Command, Query};
use rivermark_types::EntryId;

use crate::check::{INVALID_ID, NOT_AN_INTEGER, SYNTAX, command, consumer, group, id, key, query, refuse};

fn target() -> GroupRef {
    GroupRef { key: key("s"), group: group("g") }
}

fn member() -> ConsumerRef {
    ConsumerRef { key: key("s"), group: group("g"), consumer: consumer("c") }
}

#[test]
fn xgroup_create() {
    let create = XGroupCreate {
        target: target(),
        start: GroupStart::Last,
        missing_key: MissingKey::Keep,
        entries_read: None,
    };
    let check = |tail: &str, expected: XGroupCreate| {
        command(&format!("XGROUP CREATE s g {tail}"), Command::XGroupCreate(expected));
    };
    check("$", create.clone());
    check("0", XGroupCreate { start: GroupStart::After(EntryId::MIN), ..create.clone() });
    check("5-1", XGroupCreate { start: GroupStart::After(id(5, 1)), ..create.clone() });
    check("$ MKSTREAM", XGroupCreate { missing_key: MissingKey::Create, ..create.clone() });
    check("$ ENTRIESREAD 3", XGroupCreate { entries_read: Some(3), ..create.clone() });
    check("$ ENTRIESREAD -1", create.clone());
    check(
        "$ entriesread 0 mkstream",
        XGroupCreate { missing_key: MissingKey::Create, entries_read: Some(0), ..create.clone() },
    );
}

#[test]
fn xgroup_create_refusals() {
    refuse("XGROUP CREATE s g", "ERR wrong number of arguments for 'xgroup|create' command");
    for id in ["-", "+", "x", "*", "(1"] {
        refuse(&format!("XGROUP CREATE s g {id} MKSTREAM"), INVALID_ID);
    }
    let tail = "ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.";
    refuse("XGROUP create s g $ FOO", tail);
    refuse("XGROUP create s g $ ENTRIESREAD", tail);
    refuse("XGROUP create s g $ MKSTREAM MKSTREAM MKSTREAM MKSTREAM", tail);
    refuse("XGROUP CREATE s g $ ENTRIESREAD x", NOT_AN_INTEGER);
    refuse("XGROUP CREATE s g $ ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1");
}

#[test]
fn xgroup_setid() {
    let set = XGroupSetId { target: target(), start: GroupStart::Last, entries_read: None };
    let check = |tail: &str, expected: XGroupSetId| {
        command(&format!("XGROUP SETID s g {tail}"), Command::XGroupSetId(expected));
    };
    check("$", set.clone());
    check("-", XGroupSetId { start: GroupStart::After(EntryId::MIN), ..set.clone() });
    check("+", XGroupSetId { start: GroupStart::After(EntryId::MAX), ..set.clone() });
    check("5", XGroupSetId { start: GroupStart::After(id(5, 0)), ..set.clone() });
    check("$ ENTRIESREAD 9", XGroupSetId { entries_read: Some(9), ..set.clone() });
    check("$ ENTRIESREAD -1", set.clone());
    refuse("XGROUP SETID s g", "ERR wrong number of arguments for 'xgroup|setid' command");
    refuse("XGROUP SETID s g x", INVALID_ID);
    refuse("XGROUP SETID s g $ ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1");
    let tail = "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.";
    refuse("XGROUP SETID s g $ MKSTREAM", tail);
    refuse("XGROUP SETID s g $ ENTRIESREAD", tail);
    refuse("XGROUP SETID s g $ ENTRIESREAD 1 ENTRIESREAD 1", tail);
}

#[test]
fn xgroup_others() {
    command("XGROUP DESTROY s g", Command::XGroupDestroy(target()));
    command("xgroup createconsumer s g c", Command::XGroupCreateConsumer(member()));
    command("XGROUP DelConsumer s g c", Command::XGroupDelConsumer(member()));
    refuse("XGROUP DESTROY s", "ERR wrong number of arguments for 'xgroup|destroy' command");
    refuse("XGROUP DESTROY s g x", "ERR wrong number of arguments for 'xgroup|destroy' command");
    refuse("XGROUP CREATECONSUMER s g", "ERR wrong number of arguments for 'xgroup|createconsumer' command");
    refuse("XGROUP DELCONSUMER s g", "ERR wrong number of arguments for 'xgroup|delconsumer' command");
    refuse("XGROUP HELP x", "ERR wrong number of arguments for 'xgroup|help' command");
    refuse("XGROUP FOO", "ERR unknown subcommand 'FOO'. Try XGROUP HELP.");
    refuse("XGROUP", "ERR wrong number of arguments for 'xgroup' command");
}

#[test]
fn xack() {
    let ids = vec![id(1, 1), id(2, 0), id(1, 1)];
    command("XACK s g 1-1 2 1-1", Command::XAck(XAck { target: target(), ids }));
    refuse("XACK s g", "ERR wrong number of arguments for 'xack' command");
    refuse("XACK s g 1-1 x", INVALID_ID);
    refuse("XACK s g +", INVALID_ID);
}

#[test]
fn xpending() {
    let summary = PendingSummary { key: key("s"), group: group("g") };
    query("XPENDING s g", Query::XPendingSummary(summary));
    let range = PendingRange {
        key: key("s"),
        group: group("g"),
        min_idle_ms: 0,
        start: EntryId::MIN,
        end: EntryId::MAX,
        count: 10,
        consumer: None,
    };
    let check = |tail: &str, expected: PendingRange| {
        query(&format!("XPENDING s g {tail}"), Query::XPendingRange(expected));
    };
    check("- + 10", range.clone());
    check("- + -1", PendingRange { count: 0, ..range.clone() });
    check("- + 10 c", PendingRange { consumer: Some(consumer("c")), ..range.clone() });
    check("idle 5 - + 10", PendingRange { min_idle_ms: 5, ..range.clone() });
    check("IDLE -5 - + 10", range.clone());
    check("IDLE 5 - + 10 c", PendingRange { min_idle_ms: 5, consumer: Some(consumer("c")), ..range.clone() });
    check("(1-1 (2-0 10", PendingRange { start: id(1, 2), end: id(1, u64::MAX), ..range.clone() });
    check("1 2 10", PendingRange { start: id(1, 0), end: id(2, u64::MAX), ..range.clone() });
    refuse("XPENDING s", "ERR wrong number of arguments for 'xpending' command");
    refuse("XPENDING s g -", SYNTAX);
    refuse("XPENDING s g - +", SYNTAX);
    refuse("XPENDING s g IDLE 5 - + 10 c x", SYNTAX);
    refuse("XPENDING s g IDLE 5 - +", SYNTAX);
    refuse("XPENDING s g IDLE x - + 10", NOT_AN_INTEGER);
    refuse("XPENDING s g x + y", NOT_AN_INTEGER);
    refuse("XPENDING s g x + 10", INVALID_ID);
    refuse("XPENDING s g - x 10", INVALID_ID);
    refuse("XPENDING s g (- + 10", INVALID_ID);
    refuse("XPENDING s g - (0-0 10", "ERR invalid end ID for the interval");
    refuse(
        "XPENDING s g (18446744073709551615-18446744073709551615 + 10",
        "ERR invalid start ID for the interval",
    );
}

#[test]
fn xclaim() {
    let claim = XClaim {
        target: member(),
        min_idle_ms: 100,
        ids: vec![id(1, 1)],
        delivery_time: DeliveryTime::Now,
        retry_count: None,
        force: Force::No,
        reply: ClaimReply::Entries,
        last_id: None,
    };
    let check = |tail: &str, expected: XClaim| {
        command(&format!("XCLAIM s g c {tail}"), Command::XClaim(expected));
    };
    check("100 1-1", claim.clone());
    check("-5 1-1", XClaim { min_idle_ms: 0, ..claim.clone() });
    check("100 1-1 2 1-1", XClaim { ids: vec![id(1, 1), id(2, 0), id(1, 1)], ..claim.clone() });
    check("100 JUSTID", XClaim { ids: Vec::new(), reply: ClaimReply::Ids, ..claim.clone() });
    check("100 1-1 FORCE justid", XClaim { force: Force::Yes, reply: ClaimReply::Ids, ..claim.clone() });
    check("100 1-1 IDLE 7", XClaim { delivery_time: DeliveryTime::IdleMs(7), ..claim.clone() });
    check("100 1-1 IDLE -7", XClaim { delivery_time: DeliveryTime::IdleMs(-7), ..claim.clone() });
    check("100 1-1 IDLE 7 TIME 9", XClaim { delivery_time: DeliveryTime::AtUnixMs(9), ..claim.clone() });
    check("100 1-1 RETRYCOUNT 3", XClaim { retry_count: Some(3), ..claim.clone() });
    check("100 1-1 RETRYCOUNT -3", claim.clone());
    check("100 1-1 LASTID 9", XClaim { last_id: Some(id(9, 0)), ..claim.clone() });
    check("100 1-1 LASTID 9 LASTID 8-8", XClaim { last_id: Some(id(9, 0)), ..claim.clone() });
    refuse("XCLAIM s g c 100", "ERR wrong number of arguments for 'xclaim' command");
    refuse("XCLAIM s g c x 1-1", "ERR Invalid min-idle-time argument for XCLAIM");
    refuse("XCLAIM s g c 0 x", "ERR Unrecognized XCLAIM option 'x'");
    refuse("XCLAIM s g c 0 1-1 FORCE 2-2", "ERR Unrecognized XCLAIM option '2-2'");
    refuse("XCLAIM s g c 0 1-1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'");
    refuse("XCLAIM s g c 0 1-1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM");
    refuse("XCLAIM s g c 0 1-1 TIME x", "ERR Invalid TIME option argument for XCLAIM");
    refuse("XCLAIM s g c 0 1-1 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM");
    refuse("XCLAIM s g c 0 1-1 LASTID x", INVALID_ID);
}

#[test]
fn xautoclaim() {
    let claim = XAutoClaim {
        target: member(),
        min_idle_ms: 100,
        start: EntryId::MIN,
        count: 100,
        reply: ClaimReply::Entries,
    };
    let check = |tail: &str, expected: XAutoClaim| {
        command(&format!("XAUTOCLAIM s g c {tail}"), Command::XAutoClaim(expected));
    };
    check("100 0", claim.clone());
    check("100 -", claim.clone());
    check("-1 0", XAutoClaim { min_idle_ms: 0, ..claim.clone() });
    check("100 (5-5", XAutoClaim { start: id(5, 6), ..claim.clone() });
    check("100 0 COUNT 1", XAutoClaim { count: 1, ..claim.clone() });
    check("100 0 justid count 7", XAutoClaim { count: 7, reply: ClaimReply::Ids, ..claim.clone() });
    refuse("XAUTOCLAIM s g c 100", "ERR wrong number of arguments for 'xautoclaim' command");
    refuse("XAUTOCLAIM s g c x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM");
    refuse("XAUTOCLAIM s g c 0 x", INVALID_ID);
    for count in ["0", "-1", "x", "9223372036854775807"] {
        refuse(&format!("XAUTOCLAIM s g c 0 0 COUNT {count}"), "ERR COUNT must be > 0");
    }
    refuse("XAUTOCLAIM s g c 0 0 COUNT", SYNTAX);
    refuse("XAUTOCLAIM s g c 0 0 FORCE", SYNTAX);
    refuse(
        "XAUTOCLAIM s g c 0 (18446744073709551615-18446744073709551615",
        "ERR invalid start ID for the interval",
    );
}

#[test]
fn xinfo() {
    let full = |count| Query::XInfoStreamFull(XInfoStreamFull { key: key("s"), count });
    query("XINFO STREAM s", Query::XInfoStream(key("s")));
    query("xinfo stream s full", full(10));
    query("XINFO STREAM s FULL COUNT 3", full(3));
    query("XINFO STREAM s FULL COUNT 0", full(0));
    query("XINFO STREAM s FULL COUNT -1", full(10));
    query("XINFO GROUPS s", Query::XInfoGroups(key("s")));
    query("XINFO CONSUMERS s g", Query::XInfoConsumers(XInfoConsumers { key: key("s"), group: group("g") }));
    let tail = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.";
    refuse("XINFO STREAM s FOO", tail);
    refuse("XINFO STREAM s FULL COUNT", tail);
    refuse("XINFO STREAM s FULL COUNT 1 2", tail);
    refuse("XINFO STREAM s FULL FOO 1", tail);
    refuse("XINFO STREAM s FULL COUNT x", NOT_AN_INTEGER);
    refuse("XINFO STREAM", "ERR wrong number of arguments for 'xinfo|stream' command");
    refuse("XINFO GROUPS", "ERR wrong number of arguments for 'xinfo|groups' command");
    refuse("XINFO CONSUMERS s", "ERR wrong number of arguments for 'xinfo|consumers' command");
    refuse("XINFO FOO s", "ERR unknown subcommand 'FOO'. Try XINFO HELP.");
}
