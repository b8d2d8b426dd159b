//! Commands about users.

use super::super::acl;
use super::super::spec::{CommandFlags, CommandGroup, CommandSpec, Parse};

const ANYTIME: CommandFlags = CommandFlags::LOADING.with(CommandFlags::STALE);
const OWN: CommandFlags = ANYTIME.with(CommandFlags::NOSCRIPT);
const OPERATOR: CommandFlags = OWN.with(CommandFlags::ADMIN);

const fn row(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Server, parse).flags(flags)
}

pub(super) const COMMANDS: &[CommandSpec] =
    &[CommandSpec::new("acl", -2, CommandGroup::Server, super::super::container)
        .doc("6.0.0", "Depends on the subcommand", "Manages users.")
        .subcommands(ACL)];

const ACL: &[CommandSpec] = &[
    row("acl|cat", -2, OWN, acl::categories).doc(
        "6.0.0",
        "O(N) for N commands",
        "Returns the categories of commands, or the commands of a category.",
    ),
    row("acl|deluser", -3, OPERATOR, acl::delete_users)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("6.0.0", "O(1) for each user", "Deletes users and ends their connections."),
    row("acl|dryrun", -4, OPERATOR, acl::dry_run).doc(
        "7.0.0",
        "O(1)",
        "Tells whether a user may run a command, without running it.",
    ),
    row("acl|genpass", -2, OWN, acl::generate_password).doc("6.0.0", "O(1)", "Returns a random password."),
    row("acl|getuser", 3, OPERATOR, acl::get_user).doc(
        "6.0.0",
        "O(N) for N rules of the user",
        "Returns what a user may do, and its password hashes.",
    ),
    row("acl|help", 2, ANYTIME, acl::help).doc("6.0.0", "O(1)", "Lists the subcommands."),
    row("acl|list", 2, OPERATOR, acl::list).doc(
        "6.0.0",
        "O(N) for N users",
        "Returns all users, each as the rules that would make it.",
    ),
    row("acl|load", 2, OPERATOR, acl::no_file).doc(
        "6.0.0",
        "O(1)",
        "Refused: users are kept by the cluster, not in a file.",
    ),
    row("acl|log", -2, OPERATOR, acl::log).doc(
        "6.0.0",
        "O(N) for N entries returned",
        "Returns what this node refused to whom, or forgets it.",
    ),
    row("acl|save", 2, OPERATOR, acl::no_file).doc(
        "6.0.0",
        "O(1)",
        "Refused: users are kept by the cluster, not in a file.",
    ),
    row("acl|setuser", -3, OPERATOR, acl::set_user)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("6.0.0", "O(N) for N rules", "Makes a user, or changes one."),
    row("acl|users", 2, OPERATOR, acl::users).doc("6.0.0", "O(N) for N users", "Returns the users' names."),
    row("acl|whoami", 2, OWN, acl::who_am_i).doc(
        "6.0.0",
        "O(1)",
        "Returns the user the connection is logged in as.",
    ),
];
