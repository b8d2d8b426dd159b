//! Options and commands of streams since Redis 8.2: references, XNACK, idempotent ids.

use bytes::Bytes;
use rivermark_protocol::Parsed;
use rivermark_stream::command::{
    Force, GroupRef, IdempotentId, MissingKey, NackMode, NewEntryId, References, Trim, TrimKeep,
    TrimPrecision, XAckDel, XAdd, XCfgSet, XDelEx, XIdmpRecord, XNack, XTrim,
};
use rivermark_stream::{Command, Fields};

use crate::check::{INVALID_ID, NOT_AN_INTEGER, SYNTAX, command, group, id, key, parsed, refuse};

fn target() -> GroupRef {
    GroupRef { key: key("s"), group: group("g") }
}

fn pair(producer: &'static str, id: &'static str) -> IdempotentId {
    IdempotentId { producer: Bytes::from_static(producer.as_bytes()), id: Bytes::from_static(id.as_bytes()) }
}

#[test]
fn trimming_looks_after_references() {
    let trim =
        |references| Trim { keep: TrimKeep::MaxLength(5), precision: TrimPrecision::Exact, references };
    let check = |options: &str, references: References| {
        let trim = trim(references);
        command(&format!("XTRIM s {options}"), Command::XTrim(XTrim { key: key("s"), trim }));
        let fields = Fields::from_pairs([(&b"f"[..], &b"v"[..])]);
        let add = XAdd {
            key: key("s"),
            missing_key: MissingKey::Create,
            trim: Some(trim),
            id: NewEntryId::Auto,
            fields,
        };
        command(&format!("XADD s {options} * f v"), Command::XAdd(add));
    };
    check("MAXLEN 5", References::Keep);
    check("MAXLEN 5 KEEPREF", References::Keep);
    check("delref MAXLEN = 5", References::Drop);
    check("MAXLEN 5 ACKED", References::Acknowledged);
    refuse("XTRIM s MAXLEN 5 ACKED DELREF", SYNTAX);
    refuse("XTRIM s MAXLEN 5 ACKED ACKED", SYNTAX);
    refuse("XTRIM s ACKED LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy");
    refuse("XADD s ACKED DELREF * f v", INVALID_ID);
}

#[test]
fn xdelex_and_xackdel() {
    let check = |tail: &str, references: References, ids: &[u64]| {
        let ids: Vec<_> = ids.iter().map(|ms| id(*ms, 0)).collect();
        let delete = XDelEx { key: key("s"), references, ids: ids.clone() };
        command(&format!("XDELEX s {tail}"), Command::XDelEx(delete));
        let acknowledge = XAckDel { target: target(), references, ids };
        command(&format!("XACKDEL s g {tail}"), Command::XAckDel(acknowledge));
    };
    check("IDS 1 5", References::Keep, &[5]);
    check("KEEPREF IDS 2 5 6", References::Keep, &[5, 6]);
    check("ids 2 5-0 5 delref", References::Drop, &[5, 5]);
    check("ACKED IDS 1 5", References::Acknowledged, &[5]);
    for head in ["XDELEX s", "XACKDEL s g"] {
        let refused = |tail: &str, error: &str| refuse(&format!("{head} {tail}"), error);
        const POSITIVE: &str = "ERR Number of IDs must be a positive integer";
        const MATCH: &str = "ERR The `numids` parameter must match the number of arguments";
        refused("IDS 0 5", POSITIVE);
        refused("IDS -1 5", POSITIVE);
        refused("IDS x 5", POSITIVE);
        refused("IDS 2 5", MATCH);
        refused("IDS 1 5 6", SYNTAX);
        refused("IDS 1 5 IDS 1 6", SYNTAX);
        refused("IDS 1 5 ACKED KEEPREF", SYNTAX);
        refused("IDS 1 x", INVALID_ID);
        refused("KEEPREF FOO 1", SYNTAX);
    }
    refuse("XDELEX s KEEPREF KEEPREF 1", SYNTAX);
    refuse("XDELEX s IDS 1", "ERR wrong number of arguments for 'xdelex' command");
    refuse("XACKDEL s g IDS 1", "ERR wrong number of arguments for 'xackdel' command");
}

#[test]
fn xnack() {
    let nack = XNack {
        target: target(),
        mode: NackMode::Fail,
        ids: vec![id(5, 0)],
        retry_count: None,
        force: Force::No,
    };
    let check = |tail: &str, expected: XNack| command(&format!("XNACK s g {tail}"), Command::XNack(expected));
    check("FAIL IDS 1 5", nack.clone());
    check("silent ids 1 5", XNack { mode: NackMode::Silent, ..nack.clone() });
    check(
        "FATAL IDS 2 5 6-1",
        XNack { mode: NackMode::Fatal, ids: vec![id(5, 0), id(6, 1)], ..nack.clone() },
    );
    check("FAIL IDS 1 5 FORCE", XNack { force: Force::Yes, ..nack.clone() });
    check("FAIL IDS 1 5 RETRYCOUNT 7 force", XNack { retry_count: Some(7), force: Force::Yes, ..nack });
    refuse("XNACK s g FAIL IDS 1", "ERR wrong number of arguments for 'xnack' command");
    refuse("XNACK s g FAILED IDS 1 5", "ERR ERR mode must be SILENT, FAIL, or FATAL");
    refuse("XNACK s g FAIL 1 5 6", "ERR ERR syntax error, expected IDS keyword");
    refuse("XNACK s g FAIL IDS 0 5", "ERR numids must be a positive integer");
    refuse("XNACK s g FAIL IDS x 5", "ERR numids must be a positive integer");
    refuse("XNACK s g FAIL IDS 2 5", "ERR ERR number of IDs doesn't match numids");
    refuse("XNACK s g FAIL IDS 1 x", INVALID_ID);
    refuse("XNACK s g FAIL IDS 1 5 6", "ERR ERR Unrecognized XNACK option '6'");
    refuse("XNACK s g FAIL IDS 1 5 RETRYCOUNT", "ERR ERR Unrecognized XNACK option 'RETRYCOUNT'");
    refuse("XNACK s g FAIL IDS 1 5 RETRYCOUNT -1", "ERR ERR Invalid RETRYCOUNT value, must be >= 0");
    refuse("XNACK s g FAIL IDS 1 5 RETRYCOUNT x", "ERR ERR Invalid RETRYCOUNT value, must be >= 0");
}

fn idempotent_id(line: &str) -> IdempotentId {
    match parsed(line) {
        Ok(Parsed::Command(Command::XAdd(XAdd { id: NewEntryId::Idempotent(pair), .. }))) => pair,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn xadd_with_idempotent_ids() {
    assert_eq!(idempotent_id("XADD s IDMP p 1 * f v"), pair("p", "1"));
    assert_eq!(idempotent_id("XADD s NOMKSTREAM idmp p 1 MAXLEN 5 * f v"), pair("p", "1"));
    let hashed = idempotent_id("XADD s IDMPAUTO p * f v g w");
    assert_eq!((&hashed.producer[..], hashed.id.len()), (&b"p"[..], 16));
    assert_eq!(idempotent_id("XADD s MAXLEN 9 idmpauto p * g w f v"), hashed);
    assert_ne!(idempotent_id("XADD s IDMPAUTO p * f w g v"), hashed);
    const AUTO_ONLY: &str = "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs";
    const TWICE: &str = "ERR syntax error, IDMP/IDMPAUTO specified multiple times";
    refuse("XADD s IDMP p 1 5-1 f v", AUTO_ONLY);
    refuse("XADD s IDMP p 1 5-* f v", AUTO_ONLY);
    refuse("XADD s IDMPAUTO p 5 f v", AUTO_ONLY);
    refuse("XADD s IDMP p 1 x f v", INVALID_ID);
    refuse("XADD s IDMP p 1 IDMPAUTO p * f v", TWICE);
    refuse("XADD s IDMP p 1 IDMP p 1 * f v", TWICE);
    refuse("XADD s IDMP \"\" 1 * f v", "ERR syntax error, IDMP requires a non-empty producer ID");
    refuse("XADD s IDMP p \"\" * f v", "ERR syntax error, IDMP requires a non-empty idempotent ID");
    refuse("XADD s IDMPAUTO \"\" * f v", "ERR syntax error, IDMPAUTO requires a non-empty producer ID");
    refuse("XADD s NOMKSTREAM NOMKSTREAM IDMP p", INVALID_ID);
}

#[test]
fn xcfgset() {
    let check = |tail: &str, duration_s: Option<u32>, pairs_max: Option<u32>| {
        let expected = XCfgSet { key: key("s"), duration_s, pairs_max };
        command(&format!("XCFGSET s {tail}"), Command::XCfgSet(expected));
    };
    check("IDMP-DURATION 1", Some(1), None);
    check("idmp-maxsize 10000", None, Some(10_000));
    check("IDMP-MAXSIZE 1 IDMP-DURATION 86400", Some(86_400), Some(1));
    refuse("XCFGSET s", "ERR At least one parameter must be specified");
    for bad in ["0", "86401", "-1"] {
        const TEXT: &str = "ERR IDMP-DURATION must be between 1 and 86400 seconds";
        refuse(&format!("XCFGSET s IDMP-DURATION {bad}"), TEXT);
    }
    for bad in ["0", "10001", "-1"] {
        const TEXT: &str = "ERR IDMP-MAXSIZE must be between 1 and 10000 entries";
        refuse(&format!("XCFGSET s IDMP-MAXSIZE {bad}"), TEXT);
    }
    refuse("XCFGSET s IDMP-DURATION x", NOT_AN_INTEGER);
    refuse("XCFGSET s IDMP-DURATION", SYNTAX);
    refuse("XCFGSET s FOO 1", SYNTAX);
    refuse("XCFGSET s IDMP-DURATION 1 IDMP-DURATION 2", "ERR IDMP-DURATION specified multiple times");
    refuse("XCFGSET s IDMP-MAXSIZE 1 IDMP-MAXSIZE 1", "ERR IDMP-MAXSIZE specified multiple times");
}

#[test]
fn xidmprecord() {
    let expected = XIdmpRecord { key: key("s"), pair: pair("p", "1"), entry: id(5, 1) };
    command("XIDMPRECORD s p 1 5-1", Command::XIdmpRecord(expected));
    refuse("XIDMPRECORD s p 1 x", INVALID_ID);
    refuse("XIDMPRECORD s \"\" 1 5-1", "ERR producer ID must be non-empty");
    refuse("XIDMPRECORD s p \"\" 5-1", "ERR idempotent ID must be non-empty");
    refuse("XIDMPRECORD s p 1", "ERR wrong number of arguments for 'xidmprecord' command");
}
