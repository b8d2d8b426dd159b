//! Rules as ACL SETUSER takes them. What is expected was told by redis-server, with the ordered command rules of 7.2.

use bytes::Bytes;
use rivermark_acl::{describe, rules};
use rivermark_cluster::User;

const OF_PW: &str = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
const NEW: &str = "off sanitize-payload resetchannels -@all";

pub fn words(line: &str) -> Vec<Bytes> {
    line.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| Bytes::copy_from_slice(word.as_bytes()))
        .collect()
}

pub fn user(line: &str) -> User {
    rules::apply(&User::default(), &words(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn check(line: &str, expected: &str) {
    let shown = String::from_utf8(describe::line(&user(line))).expect("text");
    assert_eq!(shown, expected, "{line}");
}

fn refuse(line: &str, expected: &str) {
    let error = rules::apply(&User::default(), &words(line)).expect_err(line);
    assert_eq!(error.to_string(), expected, "{line}");
}

#[test]
fn a_new_user_may_do_nothing() {
    check("", NEW);
    assert_eq!(
        String::from_utf8(describe::line(&User::initial_default())).expect("text"),
        "on nopass sanitize-payload ~* &* +@all"
    );
}

#[test]
fn login_and_passwords() {
    check("on", "on sanitize-payload resetchannels -@all");
    check("ON OFF", NEW);
    check("skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all");
    check("skip-sanitize-payload sanitize-payload", NEW);
    check(">pw >pw", &format!("off sanitize-payload #{OF_PW} resetchannels -@all"));
    check(&format!("#{OF_PW}"), &format!("off sanitize-payload #{OF_PW} resetchannels -@all"));
    check(">pw <pw", NEW);
    check(&format!(">pw !{OF_PW}"), NEW);
    check("nopass", "off nopass sanitize-payload resetchannels -@all");
    check(">pw nopass", "off nopass sanitize-payload resetchannels -@all");
    check("nopass >pw", &format!("off sanitize-payload #{OF_PW} resetchannels -@all"));
    check("nopass resetpass", NEW);
    const MISSING: &str = "The password you are trying to remove from the user does not exist";
    refuse("<pw", &format!("Error in ACL SETUSER modifier '<pw': {MISSING}"));
    refuse("nopass <pw", &format!("Error in ACL SETUSER modifier '<pw': {MISSING}"));
    const HASH: &str =
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    refuse("#abc", &format!("Error in ACL SETUSER modifier '#abc': {HASH}"));
    refuse("!abc", &format!("Error in ACL SETUSER modifier '!abc': {HASH}"));
}

#[test]
fn keys_and_channels() {
    let with = |keys: &str| format!("off sanitize-payload {keys} resetchannels -@all");
    check("~a* ~b ~a*", &with("~a* ~b"));
    check("%R~a %w~b %RW~c %wr~d", &with("%R~a %W~b ~c ~d"));
    check("%R~a %W~a %R~b %R~b", &with("~a %R~b"));
    check("~a allkeys", &with("~*"));
    check("~a ~*", &with("~*"));
    check("allkeys resetkeys ~b", &with("~b"));
    check("&a &b &a", "off sanitize-payload resetchannels &a &b -@all");
    check("&a allchannels", "off sanitize-payload &* -@all");
    check("allchannels resetchannels &b", "off sanitize-payload resetchannels &b -@all");
    for bad in ["%~a", "%X~a", "%RR~a", "%R", "%", "~a\tb", "&a\tb"] {
        refuse(bad, &format!("Error in ACL SETUSER modifier '{}': Syntax error", bad.escape_default()));
    }
    refuse(
        "allkeys ~a",
        "Error in ACL SETUSER modifier '~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not \
         valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
    );
    refuse(
        "&* &a",
        "Error in ACL SETUSER modifier '&a': Adding a pattern after the * pattern (or the 'allchannels' flag) is \
         not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
    );
}

#[test]
fn commands_keep_their_order_and_what_is_overruled_goes() {
    let with = |commands: &str| format!("off sanitize-payload resetchannels {commands}");
    check("+@stream -xadd +config|GET +select|1", &with("-@all +@stream -xadd +config|get +select|1"));
    check("+XADD +xlen -xadd", &with("-@all +xlen -xadd"));
    check("+config|get +config|set +config", &with("-@all +config"));
    check("+config -config|set", &with("-@all +config -config|set"));
    check("+select|1 +select|2 -select", &with("-@all -select"));
    check("+@read -xlen +@read", &with("-@all -xlen +@read"));
    check("+xadd allcommands", &with("+@all"));
    check("+@ALL -@dangerous", &with("+@all -@dangerous"));
    check("+@all -xadd nocommands", &with("-@all"));
    check("+@hash -@scripting", &with("-@all +@hash -@scripting"));
    const UNKNOWN: &str = "Unknown command or category name in ACL";
    for bad in ["+nope", "-nope", "+@nope", "-@nope", "+config|nope", "-config|nope", "-select|1", "+", "+@"]
    {
        refuse(bad, &format!("Error in ACL SETUSER modifier '{bad}': {UNKNOWN}"));
    }
    refuse("+select|", "Error in ACL SETUSER modifier '+select|': Syntax error");
    refuse(
        "+config|get|x",
        "Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported",
    );
    refuse("nonsense", "Error in ACL SETUSER modifier 'nonsense': Syntax error");
}

#[test]
fn selectors() {
    let with = |selectors: &str| format!("{NEW} {selectors}");
    check("(+xlen ~a)", &with("(~a resetchannels -@all +xlen)"));
    check("( +xlen ~a ) ()", &with("(~a resetchannels -@all +xlen) (resetchannels -@all)"));
    check("(+xlen ~a %R~b)", &with("(~a %R~b resetchannels -@all +xlen)"));
    check("(\"+xlen\" ~a)", &with("(~a resetchannels -@all +xlen)"));
    check("(+xlen) clearselectors", NEW);
    refuse("(+xlen ~a", "Unmatched parenthesis in acl selector starting at '(+xlen'.");
    refuse("(+nope)", "Error in ACL SETUSER modifier '(+nope)': Unknown command or category name in ACL");
    for bad in ["(on)", "(>pw)", "((+xlen))", "(\"+xlen)"] {
        let shown = Bytes::copy_from_slice(bad.as_bytes()).escape_ascii().to_string();
        refuse(bad, &format!("Error in ACL SETUSER modifier '{shown}': Syntax error"));
    }
}

#[test]
fn reset_makes_a_new_user() {
    check("on nopass skip-sanitize-payload allkeys allchannels +@all (+xlen) reset", NEW);
}

#[test]
fn all_rules_apply_or_none() {
    let before = user("on ~a +xadd");
    assert!(rules::apply(&before, &words("off ~b +nope")).is_err());
    let after = rules::apply(&before, &words("~b -xadd")).expect("good rules");
    assert_eq!(after, user("on ~a ~b -xadd"));
}

#[test]
fn names_have_no_blanks() {
    for (name, good) in
        [("bob", true), ("", true), ("a b", false), ("a\0", false), ("a\n", false), ("ä", true)]
    {
        assert_eq!(rules::is_user_name(name.as_bytes()), good, "{name:?}");
    }
}
