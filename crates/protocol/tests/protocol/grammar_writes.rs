//! XADD, XTRIM, XDEL, XSETID.

use rivermark_stream::command::{
    MissingKey, NewEntryId, References, Trim, TrimKeep, TrimPrecision, XAdd, XDel, XSetId, XTrim,
};
use rivermark_stream::{Command, Fields};
use rivermark_types::EntryId;

use crate::check::{INVALID_ID, NOT_AN_INTEGER, SYNTAX, command, id, key, refuse};

const EXACT: TrimPrecision = TrimPrecision::Exact;

fn add() -> XAdd {
    let fields = Fields::from_pairs([(&b"f"[..], &b"v"[..])]);
    XAdd { key: key("s"), missing_key: MissingKey::Create, trim: None, id: NewEntryId::Auto, fields }
}

fn length(length: u64, precision: TrimPrecision) -> Trim {
    Trim { keep: TrimKeep::MaxLength(length), precision, references: References::Keep }
}

fn min_id(min_id: EntryId, precision: TrimPrecision) -> Trim {
    Trim { keep: TrimKeep::MinId(min_id), precision, references: References::Keep }
}

fn blocks(limit: Option<u64>) -> TrimPrecision {
    TrimPrecision::Blocks { limit }
}

#[test]
fn xadd_ids() {
    let check = |text: &str, id: NewEntryId| {
        command(&format!("XADD s {text} f v"), Command::XAdd(XAdd { id, ..add() }));
    };
    check("*", NewEntryId::Auto);
    check("5-*", NewEntryId::AutoSequence(5));
    check("0-*", NewEntryId::AutoSequence(0));
    check("18446744073709551615-*", NewEntryId::AutoSequence(u64::MAX));
    check("5", NewEntryId::Exact(id(5, 0)));
    check("0-1", NewEntryId::Exact(id(0, 1)));
    check("18446744073709551615-18446744073709551615", NewEntryId::Exact(EntryId::MAX));
    let refused = |text: &str| refuse(&format!("XADD s {text} f v"), INVALID_ID);
    refused("**");
    refused("*-*");
    refused("*-1");
    refused("-*");
    refused("1-1-*");
    refused("1-*-*");
    refused("1-");
    refused("-");
    refused("+");
    refused("$");
    refused("(1-1");
    refused("18446744073709551616-1");
    refused("\"\"");
}

#[test]
fn xadd_fields_keep_order_and_repeats() {
    let pairs: [(&[u8], &[u8]); 3] = [(b"b", b"1"), (b"a", b""), (b"b", b"2")];
    command(r#"xadd s * b 1 a "" b 2"#, Command::XAdd(XAdd { fields: Fields::from_pairs(pairs), ..add() }));
}

#[test]
fn xadd_options_in_any_order() {
    let check = |options: &str, missing_key: MissingKey, trim: Option<Trim>| {
        let expected = XAdd { missing_key, trim, ..add() };
        command(&format!("XADD s {options} * f v"), Command::XAdd(expected));
    };
    use MissingKey::{Create, Keep};
    check("NOMKSTREAM", Keep, None);
    check("nomkstream NOMKSTREAM", Keep, None);
    check("MAXLEN 5", Create, Some(length(5, EXACT)));
    check("maxlen = 5", Create, Some(length(5, EXACT)));
    check("MAXLEN ~ 5", Create, Some(length(5, blocks(None))));
    check("MAXLEN ~ 5 LIMIT 7", Create, Some(length(5, blocks(Some(7)))));
    check("LIMIT 7 MAXLEN ~ 5", Create, Some(length(5, blocks(Some(7)))));
    check("MAXLEN ~ 5 LIMIT 0", Create, Some(length(5, blocks(Some(0)))));
    check("MAXLEN ~ 5 LIMIT 1 LIMIT 2", Create, Some(length(5, blocks(Some(2)))));
    check("MINID 5", Create, Some(min_id(id(5, 0), EXACT)));
    check("MINID = 5-3", Create, Some(min_id(id(5, 3), EXACT)));
    check("MINID ~ 5-3 NOMKSTREAM LIMIT 9", Keep, Some(min_id(id(5, 3), blocks(Some(9)))));
    check("MAXLEN 0", Create, Some(length(0, EXACT)));
}

#[test]
fn xadd_refusals() {
    const ARITY: &str = "ERR wrong number of arguments for 'xadd' command";
    const TWICE: &str = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
    refuse("XADD s * f", ARITY);
    refuse("XADD s * a 1 b", ARITY);
    refuse("XADD s NOMKSTREAM NOMKSTREAM nomkstream", ARITY);
    refuse("XADD s MAXLEN 5 * f", ARITY);
    refuse("XADD s MAXLEN 5 *", ARITY);
    refuse("XADD s 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0");
    refuse("XADD s 0 f v", "ERR The ID specified in XADD must be greater than 0-0");
    refuse("XADD s 0-0 f", ARITY);
    refuse("XADD s BOGUS * f v", INVALID_ID);
    refuse("XADD s MAXLEN 5 MINID 5 * f v", TWICE);
    refuse("XADD s MAXLEN 5 MAXLEN 5 * f v", TWICE);
    refuse("XADD s MINID 5 MAXLEN 5 * f v", TWICE);
    refuse("XADD s MAXLEN -1 * f v", "ERR The MAXLEN argument must be >= 0.");
    refuse("XADD s MAXLEN x * f v", NOT_AN_INTEGER);
    refuse("XADD s MAXLEN +5 * f v", NOT_AN_INTEGER);
    refuse("XADD s MAXLEN ~ * f v", NOT_AN_INTEGER);
    refuse("XADD s MINID x * f v", INVALID_ID);
    refuse("XADD s MINID - * f v", INVALID_ID);
    refuse("XADD s MAXLEN ~ 5 LIMIT -1 * f v", "ERR The LIMIT argument must be >= 0.");
    refuse("XADD s MAXLEN ~ 5 LIMIT x * f v", NOT_AN_INTEGER);
    const NO_TRIM: &str = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    const NOT_APPROXIMATE: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    refuse("XADD s LIMIT 5 * f v", NO_TRIM);
    refuse("XADD s MAXLEN 5 LIMIT 5 * f v", NOT_APPROXIMATE);
    refuse("XADD s MAXLEN = 5 LIMIT 0 * f v", NOT_APPROXIMATE);
    refuse("XADD s LIMIT 0 * f v", NOT_APPROXIMATE);
    refuse("XADD s MAXLEN 5 LIMIT 5 0-0 f", NOT_APPROXIMATE);
}

#[test]
fn xtrim() {
    let check = |options: &str, trim: Trim| {
        command(&format!("XTRIM s {options}"), Command::XTrim(XTrim { key: key("s"), trim }));
    };
    check("MAXLEN 5", length(5, EXACT));
    check("MAXLEN = 5", length(5, EXACT));
    check("MAXLEN ~ 5", length(5, blocks(None)));
    check("MAXLEN ~ 5 LIMIT 10", length(5, blocks(Some(10))));
    check("LIMIT 10 MAXLEN ~ 5", length(5, blocks(Some(10))));
    check("minid 5-1", min_id(id(5, 1), EXACT));
    check("MINID ~ 5", min_id(id(5, 0), blocks(None)));
    const MISSING: &str = "ERR syntax error, XTRIM must be called with a trimming strategy";
    refuse("XTRIM s MAXLEN", "ERR wrong number of arguments for 'xtrim' command");
    refuse("XTRIM s LIMIT 0", MISSING);
    refuse(
        "XTRIM s LIMIT 5",
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
    );
    refuse("XTRIM s NOMKSTREAM MAXLEN 5", SYNTAX);
    refuse("XTRIM s MAXLEN 5 MAXLEN", SYNTAX);
    refuse("XTRIM s MAXLEN ~", NOT_AN_INTEGER);
    refuse("XTRIM s MAXLEN 5 foo", SYNTAX);
    refuse("XTRIM s MAXLEN 5 LIMIT", SYNTAX);
    refuse("XTRIM s MAXLEN -5", "ERR The MAXLEN argument must be >= 0.");
    refuse("XTRIM s MAXLEN 5 LIMIT 5", "ERR syntax error, LIMIT cannot be used without the special ~ option");
    refuse(
        "XTRIM s MAXLEN 5 MINID 5",
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
    );
}

#[test]
fn xdel() {
    let check = |ids: &str, expected: Vec<EntryId>| {
        command(&format!("XDEL s {ids}"), Command::XDel(XDel { key: key("s"), ids: expected }));
    };
    check("1-1", vec![id(1, 1)]);
    check("2 1-1 2", vec![id(2, 0), id(1, 1), id(2, 0)]);
    refuse("XDEL s", "ERR wrong number of arguments for 'xdel' command");
    refuse("XDEL s 1-1 x", INVALID_ID);
    refuse("XDEL s -", INVALID_ID);
    refuse("XDEL s +", INVALID_ID);
}

#[test]
fn xsetid() {
    let set = XSetId { key: key("s"), last_id: id(5, 0), entries_added: None, max_deleted_id: None };
    let check = |tail: &str, expected: XSetId| {
        command(&format!("XSETID s {tail}"), Command::XSetId(expected));
    };
    check("5", set.clone());
    check("0-0", XSetId { last_id: EntryId::MIN, ..set.clone() });
    check("5 ENTRIESADDED 7", XSetId { entries_added: Some(7), ..set.clone() });
    check("5 maxdeletedid 5", XSetId { max_deleted_id: Some(id(5, 0)), ..set.clone() });
    check("5 MAXDELETEDID 0-0", set.clone());
    check(
        "5 MAXDELETEDID 4-1 ENTRIESADDED 0",
        XSetId { entries_added: Some(0), max_deleted_id: Some(id(4, 1)), ..set.clone() },
    );
    refuse("XSETID s", "ERR wrong number of arguments for 'xsetid' command");
    refuse("XSETID s -", INVALID_ID);
    refuse("XSETID s 5 ENTRIESADDED", SYNTAX);
    refuse("XSETID s 5 FOO", SYNTAX);
    refuse("XSETID s 5 ENTRIESADDED x", NOT_AN_INTEGER);
    refuse("XSETID s 5 ENTRIESADDED -1", "ERR entries_added must be positive");
    refuse("XSETID s 5 MAXDELETEDID x", INVALID_ID);
    refuse(
        "XSETID s 5 MAXDELETEDID 5-1",
        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
    );
}
