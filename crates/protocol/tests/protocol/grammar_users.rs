//! ACL and its subcommands.

use bytes::Bytes;
use rivermark_protocol::commands::parsed::{AclCommand, ConnectionCommand, NodeCommand, UserChange};
use rivermark_protocol::{Parsed, Request};

use crate::check::{NOT_AN_INTEGER, accept, parsed, refuse};

fn acl(line: &str, expected: AclCommand) {
    accept(line, Parsed::Node(NodeCommand::Acl(expected)));
}

#[test]
fn users_are_made_shown_and_deleted() {
    let change = |rules: &[&'static str]| {
        let rules = rules.iter().map(|rule| Bytes::from_static(rule.as_bytes())).collect();
        AclCommand::SetUser(UserChange { name: "bob".into(), rules })
    };
    acl("ACL SETUSER bob", change(&[]));
    acl("acl setuser bob on >pw ~k* (+get ~x)", change(&["on", ">pw", "~k*", "(+get", "~x)"]));
    acl("ACL DELUSER a b", AclCommand::DeleteUsers(vec!["a".into(), "b".into()]));
    acl("ACL GETUSER bob", AclCommand::GetUser("bob".into()));
    acl("ACL LIST", AclCommand::List);
    acl("ACL USERS", AclCommand::Users);
    accept("ACL WHOAMI", Parsed::Connection(ConnectionCommand::WhoAmI));
    refuse("ACL SETUSER", "ERR wrong number of arguments for 'acl|setuser' command");
    refuse("ACL LIST x", "ERR wrong number of arguments for 'acl|list' command");
    refuse("ACL NOPE", "ERR unknown subcommand 'NOPE'. Try ACL HELP.");
}

#[test]
fn a_dry_run_keeps_the_request_whole() {
    let request = Request::from_arguments(["XADD", "k", "*", "f", "v"]);
    acl("ACL DRYRUN bob XADD k * f v", AclCommand::DryRun { user: "bob".into(), request });
    refuse("ACL DRYRUN bob", "ERR wrong number of arguments for 'acl|dryrun' command");
}

#[test]
fn the_log_and_passwords() {
    acl("ACL LOG", AclCommand::Log(10));
    acl("ACL LOG 3", AclCommand::Log(3));
    acl("ACL LOG -1", AclCommand::Log(0));
    acl("ACL LOG reset", AclCommand::LogReset);
    refuse("ACL LOG x", NOT_AN_INTEGER);
    acl("ACL GENPASS", AclCommand::GeneratePassword(256));
    acl("ACL GENPASS 1", AclCommand::GeneratePassword(1));
    acl("ACL GENPASS 4096", AclCommand::GeneratePassword(4096));
    const BITS: &str = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
                        number up to 4096";
    for bad in ["0", "-1", "4097", "99999999999"] {
        refuse(&format!("ACL GENPASS {bad}"), BITS);
    }
    refuse("ACL GENPASS x", NOT_AN_INTEGER);
}

#[test]
fn passwords_in_rules_are_not_printed() {
    let parsed = parsed("ACL SETUSER bob >hunter2");
    assert!(!format!("{parsed:?}").contains("hunter2"));
}
