//! Commands about the connection, transactions included.

use super::super::spec::{AclCategories, CommandFlags, CommandGroup, CommandSpec, Parse};
use super::super::{client, client_kill, connection, hello, transaction};

const FAST: CommandFlags = CommandFlags::FAST;
const ANYTIME: CommandFlags = CommandFlags::LOADING.with(CommandFlags::STALE);
const OWN: CommandFlags = ANYTIME.with(CommandFlags::NOSCRIPT);
const OPERATOR: CommandFlags = OWN.with(CommandFlags::ADMIN);
const GREETING: CommandFlags = OWN.with(FAST).with(CommandFlags::NO_AUTH).with(CommandFlags::ALLOW_BUSY);
const QUICK: CommandFlags = OWN.with(FAST).with(CommandFlags::ALLOW_BUSY);
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

const fn row(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Connection, parse)
        .flags(flags)
        .also(AclCategories::CONNECTION)
}

const fn step(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Transactions, parse)
        .flags(flags)
        .also(AclCategories::TRANSACTION)
}

pub(super) const COMMANDS: &[CommandSpec] = &[
    row("asking", 1, FAST, connection::asking).doc(
        "3.0.0",
        "O(1)",
        "Follows an ASK redirection with the next command.",
    ),
    row("auth", -2, GREETING, connection::auth).doc("1.0.0", "O(1)", "Tells who the client is."),
    CommandSpec::new("client", -2, CommandGroup::Connection, super::super::container)
        .doc("2.4.0", "Depends on the subcommand", "Manages connections.")
        .subcommands(CLIENT),
    step("discard", 1, QUICK, transaction::discard).doc(
        "2.0.0",
        "O(N) for N queued commands",
        "Forgets the queued commands of a transaction.",
    ),
    row("echo", 2, ANYTIME.with(FAST), connection::echo).doc("1.0.0", "O(1)", "Returns its argument."),
    step("exec", 1, OWN.with(CommandFlags::SKIP_SLOWLOG), transaction::exec).doc(
        "1.2.0",
        "Depends on the queued commands",
        "Runs the queued commands of a transaction, all or none.",
    ),
    row("hello", -1, GREETING, hello::parse).doc(
        "6.0.0",
        "O(1)",
        "Chooses the protocol, and tells who the client and the server are.",
    ),
    step("multi", 1, QUICK, transaction::multi).doc("1.2.0", "O(1)", "Starts a transaction."),
    row("ping", -1, FAST, connection::ping)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(1)", "Answers that the server is there."),
    row("quit", -1, GREETING, connection::quit).doc("1.0.0", "O(1)", "Closes the connection."),
    row("readonly", 1, ANYTIME.with(FAST), connection::read_only).doc(
        "3.0.0",
        "O(1)",
        "Lets a node that is not the leader serve reads.",
    ),
    row("readwrite", 1, ANYTIME.with(FAST), connection::read_write).doc("3.0.0", "O(1)", "Undoes READONLY."),
    row("reset", 1, GREETING, connection::reset).doc(
        "6.2.0",
        "O(1)",
        "Brings the connection back to a new one's state.",
    ),
    row("select", 2, ANYTIME.with(FAST), connection::select).doc("1.0.0", "O(1)", "Chooses a database."),
    step("unwatch", 1, QUICK, transaction::unwatch).doc("2.2.0", "O(1)", "Forgets the watched keys."),
    step("watch", -2, QUICK, transaction::watch).keys(1, -1, &["RO"]).doc(
        "2.2.0",
        "O(N) for N keys",
        "Lets the next transaction run only if the keys do not change before.",
    ),
];

const CLIENT: &[CommandSpec] = &[
    row("client|caching", 3, OWN, client::caching).doc(
        "6.0.0",
        "O(1)",
        "Chooses whether the next command's keys are tracked.",
    ),
    row("client|getname", 2, OWN, client::get_name).doc("2.6.9", "O(1)", "Returns the connection's name."),
    row("client|getredir", 2, OWN, client::get_redirection).doc(
        "6.0.0",
        "O(1)",
        "Returns where invalidation messages go.",
    ),
    row("client|help", 2, ANYTIME, client::help).doc("5.0.0", "O(1)", "Lists the subcommands."),
    row("client|id", 2, OWN, client::id).doc("5.0.0", "O(1)", "Returns the connection's id."),
    row("client|info", 2, OWN, client::info).tips(NONDETERMINISTIC).doc(
        "6.2.0",
        "O(1)",
        "Describes the connection.",
    ),
    row("client|kill", -3, OPERATOR, client_kill::parse).doc(
        "2.4.0",
        "O(N) for N connections",
        "Closes connections.",
    ),
    row("client|list", -2, OPERATOR, client::list).tips(NONDETERMINISTIC).doc(
        "2.4.0",
        "O(N) for N connections",
        "Describes connections.",
    ),
    row("client|no-evict", 3, OPERATOR, client::no_evict).doc(
        "7.0.0",
        "O(1)",
        "Spares the connection when memory is short.",
    ),
    row("client|no-touch", 3, OWN, client::no_touch).doc(
        "7.2.0",
        "O(1)",
        "Keeps the connection's commands from counting as use of the keys.",
    ),
    row("client|pause", -3, OPERATOR, client::pause).doc("3.0.0", "O(1)", "Holds commands back."),
    row("client|reply", 3, OWN, client::reply).doc(
        "3.2.0",
        "O(1)",
        "Chooses whether the connection gets replies.",
    ),
    row("client|setinfo", 4, OWN, client::set_info).doc(
        "7.2.0",
        "O(1)",
        "Tells which library the client uses.",
    ),
    row("client|setname", 3, OWN, client::set_name).doc("2.6.9", "O(1)", "Names the connection."),
    row("client|tracking", -3, OWN, client::tracking).doc(
        "6.0.0",
        "O(1)",
        "Controls client-side caching, which is not supported.",
    ),
    row("client|trackinginfo", 2, OWN, client::tracking_info).doc(
        "6.2.0",
        "O(1)",
        "Describes client-side caching of the connection.",
    ),
    row("client|unblock", -3, OPERATOR, client::unblock).doc(
        "5.0.0",
        "O(1)",
        "Ends the wait of a connection.",
    ),
    row("client|unpause", 2, OPERATOR, client::unpause).doc("6.2.0", "O(1)", "Ends a pause."),
];
