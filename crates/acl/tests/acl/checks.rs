//! What a user may run.

use rivermark_acl::{Denial, Permissions};
use rivermark_protocol::Request;
use rivermark_protocol::commands::{resolve, table};

use crate::changes::user;

fn verdict(rules: &str, line: &str) -> Result<(), Denial> {
    let request = Request::from_arguments(line.split(' '));
    let spec = resolve(&request).unwrap_or_else(|error| panic!("{line}: {error}"));
    Permissions::of(&user(rules)).check(spec, &request)
}

fn allow(rules: &str, lines: &[&str]) {
    for line in lines {
        assert_eq!(verdict(rules, line), Ok(()), "[{rules}] {line}");
    }
}

fn deny(rules: &str, lines: &[&str]) {
    for line in lines {
        assert_eq!(verdict(rules, line), Err(Denial::Command), "[{rules}] {line}");
    }
}

fn deny_key(rules: &str, index: usize, lines: &[&str]) {
    for line in lines {
        assert_eq!(verdict(rules, line), Err(Denial::Key(index)), "[{rules}] {line}");
    }
}

#[test]
fn commands_subcommands_and_categories() {
    allow("+xadd ~*", &["XADD k * f v", "xadd k 1 f v"]);
    deny("+xadd ~*", &["XLEN k", "PING", "CONFIG GET x"]);
    allow("+config|get", &["CONFIG GET x"]);
    deny("+config|get", &["CONFIG SET a b", "CONFIG RESETSTAT"]);
    allow("+config -config|set", &["CONFIG GET x"]);
    deny("+config -config|set", &["CONFIG SET a b"]);
    allow("+@stream ~*", &["XADD k * f v", "XGROUP CREATE k g $", "XREAD STREAMS k 0"]);
    deny("+@stream ~*", &["DEL k", "EXPIRE k 1"]);
    allow("+@all -@dangerous ~*", &["XADD k * f v", "DEL k"]);
    deny("+@all -@dangerous ~*", &["FLUSHALL", "CONFIG SET a b", "ACL LIST", "KEYS *"]);
    allow("+@read -xlen ~*", &["XRANGE k - +"]);
    deny("+@read -xlen ~*", &["XLEN k", "XADD k * f v"]);
    allow("-xlen +@read ~*", &["XLEN k"]);
}

#[test]
fn a_container_in_a_category_brings_its_subcommands() {
    // As in Redis: `config` is slow, so `+@slow` allows CONFIG SET.
    allow("+@slow", &["CONFIG SET a b"]);
    deny("+@slow -@admin", &["CONFIG SET a b"]);
}

#[test]
fn a_first_argument_can_be_allowed() {
    allow("+select|1 +select|two", &["SELECT 1", "SELECT TWO"]);
    deny("+select|1", &["SELECT 0", "SELECT 11"]);
    allow("+select +select|1", &["SELECT 0"]);
    deny("+select|1 -select", &["SELECT 1"]);
    deny("+client|id", &["CLIENT GETNAME"]);
}

#[test]
fn who_comes_or_goes_needs_no_right() {
    allow("", &["AUTH u p", "HELLO 3", "QUIT", "RESET"]);
    deny("", &["PING", "ACL WHOAMI"]);
}

#[test]
fn every_key_must_match_a_pattern_with_the_right_access() {
    allow("+@all ~a* ~b", &["XADD a1 * f v", "DEL a b abc"]);
    deny_key("+@all ~a* ~b", 2, &["DEL a c b"]);
    allow("+@all %R~r %W~w", &["XRANGE r - +", "XADD w * f v", "DEL w"]);
    deny_key("+@all %R~r %W~w", 1, &["XRANGE w - +", "XADD r * f v", "DEL r"]);
    // Neither reads nor changes: any pattern will do.
    allow("+@all %R~r %W~w", &["XLEN r", "XLEN w", "EXISTS r w", "TYPE w"]);
    deny_key("+@all %R~r %W~w", 1, &["XLEN x"]);
    allow("+@all %R~r", &["XREAD COUNT 1 STREAMS r r 0 0", "XREADGROUP GROUP g c STREAMS r >"]);
    deny_key("+@all %R~r", 3, &["XREAD STREAMS r w 0 0"]);
    deny_key("+@all %R~r", 5, &["XREADGROUP GROUP streams c STREAMS w >"]);
    deny_key("+@all %R~r", 7, &["XREADGROUP COUNT 1 GROUP g c STREAMS w >"]);
    allow("+@all ~a", &["KEYS *", "PING", "DBSIZE"]);
}

#[test]
fn the_source_and_the_destination_are_treated_differently() {
    allow("+@all %R~from %W~to", &["COPY from to"]);
    deny_key("+@all %R~from %W~to", 1, &["COPY to from", "RENAME from to"]);
    deny_key("+@all %R~from %W~to", 2, &["COPY from from"]);
    allow("+@all ~from %W~to", &["RENAME from to"]);
    deny_key("+@all ~from %R~to", 2, &["RENAME from to"]);
}

#[test]
fn selectors_stand_for_themselves() {
    let rules = "+xlen ~a (+xadd ~b) (+xadd +del %W~c)";
    allow(rules, &["XLEN a", "XADD b * f v", "XADD c * f v", "DEL c"]);
    deny_key(rules, 1, &["XLEN b", "XADD a * f v", "DEL b"]);
    deny(rules, &["XTRIM b MAXLEN 1"]);
    // The last key that no selector lets through is told.
    deny_key("+del ~a (+del ~b)", 2, &["DEL a b"]);
    deny_key("+del ~a (+del ~a ~b)", 3, &["DEL a b c"]);
}

#[test]
fn a_command_whose_keys_cannot_be_found_is_left_to_its_grammar() {
    allow("+@all ~a", &["XREAD FOO 1 b STREAMS", "XREAD STREAMS b a 0"]);
    assert!(resolve(&Request::from_arguments(["XREAD", "STREAMS", "b", "0", "0"])).is_ok());
}

#[test]
fn only_all_commands_on_all_keys_need_no_check() {
    let unrestricted = |rules: &str| Permissions::of(&user(rules)).is_unrestricted();
    for rules in ["+@all ~*", "allcommands allkeys", "+xadd (+@all ~*)", "+@all -xadd +xadd ~*"] {
        assert!(unrestricted(rules), "{rules}");
    }
    for rules in ["", "+@all", "~* +@all -xadd", "+@all ~a", "+@all (~*)"] {
        assert!(!unrestricted(rules), "{rules}");
    }
}

#[test]
fn rules_of_a_later_release_have_no_effect() {
    use rivermark_cluster::users::{CommandRule, Grant};
    let mut user = user("+@all ~* -xadd");
    for subject in ["newcommand", "@newcategory", "config|newsub"] {
        user.root.commands.rules.push(CommandRule { grant: Grant::Deny, subject: subject.into() });
    }
    let permissions = Permissions::of(&user);
    let request = Request::from_arguments(["CONFIG", "GET", "x"]);
    assert_eq!(permissions.check(resolve(&request).expect("a command"), &request), Ok(()));
}

#[test]
fn every_command_can_be_named() {
    for spec in table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)) {
        user(&format!("+{} -{}", spec.name, spec.name.to_ascii_uppercase()));
    }
}
