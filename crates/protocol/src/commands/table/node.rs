//! Commands about the node and the cluster.

use super::super::spec::{AclCategories, CommandFlags, CommandGroup, CommandSpec, Parse};
use super::super::{cluster, command, config, connection, debug, latency, node, save, shutdown};

const OPERATOR_FOLLOWING: CommandFlags =
    CommandFlags::ADMIN.with(CommandFlags::NOSCRIPT).with(CommandFlags::STALE);
const ANYTIME: CommandFlags = CommandFlags::LOADING.with(CommandFlags::STALE);
const STALE: CommandFlags = CommandFlags::STALE;
const FAST: CommandFlags = CommandFlags::FAST;
const SAVES: CommandFlags =
    CommandFlags::ADMIN.with(CommandFlags::NOSCRIPT).with(CommandFlags::NO_ASYNC_LOADING);
const REPLICATES: CommandFlags = SAVES.with(STALE);
const OPERATOR: CommandFlags = ANYTIME.with(CommandFlags::ADMIN);
const OPERATOR_OWN: CommandFlags = OPERATOR.with(CommandFlags::NOSCRIPT);
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const LATENCY_TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const fn row(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Server, parse).flags(flags)
}

const fn of_cluster(name: &'static str, arity: i32, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Cluster, parse).flags(STALE)
}

const fn about_commands(name: &'static str, arity: i32, parse: Parse) -> CommandSpec {
    row(name, arity, ANYTIME, parse).also(AclCategories::CONNECTION)
}

pub(super) const COMMANDS: &[CommandSpec] = &[
    row("bgrewriteaof", 1, SAVES, save::rewrite).doc(
        "1.0.0",
        "O(1)",
        "Lets the log be purged behind new snapshots.",
    ),
    row("bgsave", -1, SAVES, save::background).doc(
        "1.0.0",
        "O(1)",
        "Begins to take snapshots of the node's replicas.",
    ),
    CommandSpec::new("cluster", -2, CommandGroup::Cluster, super::super::container)
        .doc("3.0.0", "Depends on the subcommand", "Describes the cluster.")
        .subcommands(CLUSTER),
    about_commands("command", -1, command::all).tips(ANY_ORDER).subcommands(COMMAND).doc(
        "2.8.13",
        "O(N) for N commands",
        "Describes every command.",
    ),
    CommandSpec::new("config", -2, CommandGroup::Server, super::super::container)
        .doc("2.0.0", "Depends on the subcommand", "Reads and changes parameters.")
        .subcommands(CONFIG),
    row("debug", -2, OPERATOR_OWN, debug::parse).doc(
        "1.0.0",
        "Depends on the subcommand",
        "Serves the tests of clients, where `enable-debug-command` allows.",
    ),
    row("failover", -1, OPERATOR_FOLLOWING, node::failover).doc(
        "6.2.0",
        "O(1)",
        "Refused: leaders are elected.",
    ),
    row("info", -1, ANYTIME, node::info)
        .also(AclCategories::DANGEROUS)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("1.0.0", "O(1)", "Describes the server."),
    row("lastsave", 1, ANYTIME.with(FAST), node::last_save)
        .also(AclCategories::ADMIN.with(AclCategories::DANGEROUS))
        .tips(NONDETERMINISTIC)
        .doc("1.0.0", "O(1)", "Returns the Unix time in seconds of the last save."),
    CommandSpec::new("latency", -2, CommandGroup::Server, super::super::container)
        .doc("2.8.13", "Depends on the subcommand", "Tells of slow events.")
        .subcommands(LATENCY),
    row("lolwut", -1, CommandFlags::READONLY.with(FAST), node::lolwut).doc(
        "5.0.0",
        "O(1)",
        "Tells the version.",
    ),
    row("monitor", 1, OPERATOR_OWN, connection::monitor).doc(
        "1.0.0",
        "O(1)",
        "Shows the commands that clients of this node run, as they come.",
    ),
    row("replicaof", 3, REPLICATES, node::replica_of).doc(
        "5.0.0",
        "O(1)",
        "Refused: replicas follow the leader of their shard.",
    ),
    row("role", 1, ANYTIME.with(FAST).with(CommandFlags::NOSCRIPT), node::role)
        .also(AclCategories::ADMIN.with(AclCategories::DANGEROUS))
        .doc("2.8.12", "O(1)", "Tells the node's role in replication."),
    row("save", 1, SAVES.with(CommandFlags::NO_MULTI), save::foreground).doc(
        "1.0.0",
        "O(N) for N keys and blocks of entries",
        "Takes snapshots of the node's replicas.",
    ),
    row(
        "shutdown",
        -1,
        OPERATOR_OWN.with(CommandFlags::NO_MULTI).with(CommandFlags::ALLOW_BUSY),
        shutdown::parse,
    )
    .doc("1.0.0", "O(1), with SAVE as SAVE", "Stops this node."),
    row("slaveof", 3, REPLICATES, node::replica_of).doc(
        "1.0.0",
        "O(1)",
        "Refused: replicas follow the leader of their shard.",
    ),
    CommandSpec::new("slowlog", -2, CommandGroup::Server, super::super::container)
        .doc("2.2.12", "Depends on the subcommand", "Tells of slow commands.")
        .subcommands(SLOWLOG),
    row("time", 1, ANYTIME.with(FAST), node::time).tips(NONDETERMINISTIC).doc(
        "2.6.0",
        "O(1)",
        "Returns the node's time: Unix seconds and microseconds.",
    ),
    CommandSpec::new("wait", 3, CommandGroup::Generic, node::wait)
        .flags(CommandFlags::NOSCRIPT)
        .also(AclCategories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc("3.0.0", "O(1)", "Waits until so many replicas have this connection's writes."),
    CommandSpec::new("waitaof", 4, CommandGroup::Generic, node::wait_durable)
        .flags(CommandFlags::NOSCRIPT)
        .also(AclCategories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc("7.2.0", "O(1)", "Waits until so many nodes have this connection's writes on disk."),
];

const CLUSTER: &[CommandSpec] = &[
    of_cluster("cluster|countkeysinslot", 3, cluster::count_keys_in_slot).doc(
        "3.0.0",
        "O(N) for N keys of the slot",
        "Returns how many keys a slot has.",
    ),
    of_cluster("cluster|getkeysinslot", 4, cluster::keys_in_slot).tips(NONDETERMINISTIC).doc(
        "3.0.0",
        "O(N) for N keys returned",
        "Returns keys of a slot.",
    ),
    of_cluster("cluster|help", 2, cluster::help).flags(ANYTIME).doc(
        "5.0.0",
        "O(1)",
        "Lists the subcommands.",
    ),
    of_cluster("cluster|info", 2, cluster::info).tips(NONDETERMINISTIC).doc(
        "3.0.0",
        "O(1)",
        "Describes the cluster.",
    ),
    of_cluster("cluster|keyslot", 3, cluster::key_slot).doc(
        "3.0.0",
        "O(N) for N bytes of the key",
        "Returns the slot of a key.",
    ),
    of_cluster("cluster|links", 2, cluster::links).tips(NONDETERMINISTIC).doc(
        "7.0.0",
        "O(N) for N nodes",
        "Describes the node's links to its peers.",
    ),
    of_cluster("cluster|myid", 2, cluster::my_id).doc("3.0.0", "O(1)", "Returns the node's id."),
    of_cluster("cluster|myshardid", 2, cluster::my_shard_id).tips(NONDETERMINISTIC).doc(
        "7.2.0",
        "O(1)",
        "Returns the id of the shard the node is counted to.",
    ),
    of_cluster("cluster|nodes", 2, cluster::nodes).tips(NONDETERMINISTIC).doc(
        "3.0.0",
        "O(N) for N nodes",
        "Describes the nodes.",
    ),
    of_cluster("cluster|replicas", 3, cluster::replicas)
        .flags(STALE.with(CommandFlags::ADMIN))
        .tips(NONDETERMINISTIC)
        .doc("5.0.0", "O(N) for N nodes", "Describes the nodes that follow a node."),
    of_cluster("cluster|shards", 2, cluster::shards).tips(NONDETERMINISTIC).doc(
        "7.0.0",
        "O(N) for N nodes",
        "Returns the shards, their slots and nodes.",
    ),
    of_cluster("cluster|slaves", 3, cluster::replicas)
        .flags(STALE.with(CommandFlags::ADMIN))
        .tips(NONDETERMINISTIC)
        .doc("3.0.0", "O(N) for N nodes", "As CLUSTER REPLICAS, under its former name."),
    of_cluster("cluster|slots", 2, cluster::slots).tips(NONDETERMINISTIC).doc(
        "3.0.0",
        "O(N) for N nodes",
        "Returns the ranges of slots and their nodes.",
    ),
];

const COMMAND: &[CommandSpec] = &[
    about_commands("command|count", 2, command::count).doc(
        "2.8.13",
        "O(1)",
        "Returns how many commands there are.",
    ),
    about_commands("command|docs", -2, command::docs).tips(ANY_ORDER).doc(
        "7.0.0",
        "O(N) for N commands",
        "Documents commands.",
    ),
    about_commands("command|getkeys", -3, command::get_keys).doc(
        "2.8.13",
        "O(N) for N arguments",
        "Returns the keys of a command.",
    ),
    about_commands("command|getkeysandflags", -3, command::get_keys_and_flags).doc(
        "7.0.0",
        "O(N) for N arguments",
        "Returns the keys of a command and what it does to them.",
    ),
    about_commands("command|help", 2, command::help).doc("5.0.0", "O(1)", "Lists the subcommands."),
    about_commands("command|info", -2, command::info).tips(ANY_ORDER).doc(
        "2.8.13",
        "O(N) for N commands",
        "Describes commands.",
    ),
    about_commands("command|list", -2, command::list).tips(ANY_ORDER).doc(
        "7.0.0",
        "O(N) for N commands",
        "Returns the names of commands.",
    ),
];

const CONFIG: &[CommandSpec] = &[
    row("config|get", -3, OPERATOR_OWN, config::get).doc(
        "2.0.0",
        "O(N) for N parameters",
        "Returns the parameters that match and their values.",
    ),
    row("config|help", 2, ANYTIME, config::help).doc("5.0.0", "O(1)", "Lists the subcommands."),
    row("config|resetstat", 2, OPERATOR_OWN, config::reset_statistics).doc(
        "2.0.0",
        "O(1)",
        "Sets the counters of INFO to zero.",
    ),
    row("config|rewrite", 2, OPERATOR_OWN, config::rewrite).doc(
        "2.8.0",
        "O(1)",
        "Writes the configuration to its file.",
    ),
    row("config|set", -4, OPERATOR_OWN, config::set).tips(ALL_NODES).doc(
        "2.0.0",
        "O(N) for N parameters",
        "Sets parameters, all or none.",
    ),
];

const LATENCY: &[CommandSpec] = &[
    row("latency|doctor", 2, OPERATOR_OWN, latency::doctor).tips(LATENCY_TIPS).doc(
        "2.8.13",
        "O(1)",
        "Returns an account of slow events, for people.",
    ),
    row("latency|graph", 3, OPERATOR_OWN, latency::graph).tips(LATENCY_TIPS).doc(
        "2.8.13",
        "O(1)",
        "Returns a graph of an event's latencies.",
    ),
    row("latency|help", 2, ANYTIME, latency::help).doc("2.8.13", "O(1)", "Lists the subcommands."),
    row("latency|histogram", -2, OPERATOR_OWN, latency::histogram).tips(LATENCY_TIPS).doc(
        "7.0.0",
        "O(N) for N commands",
        "Returns how the durations of commands are distributed.",
    ),
    row("latency|history", 3, OPERATOR_OWN, latency::history).tips(LATENCY_TIPS).doc(
        "2.8.13",
        "O(1)",
        "Returns time and latency of an event's samples.",
    ),
    row("latency|latest", 2, OPERATOR_OWN, latency::latest).tips(LATENCY_TIPS).doc(
        "2.8.13",
        "O(1)",
        "Returns the latest sample of every event.",
    ),
    row("latency|reset", -2, OPERATOR_OWN, latency::reset).tips(ALL_NODES).doc(
        "2.8.13",
        "O(1)",
        "Forgets the samples of events.",
    ),
];

const SLOWLOG: &[CommandSpec] = &[
    row("slowlog|get", -2, OPERATOR, node::slow_log_get)
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .doc("2.2.12", "O(N) for N entries returned", "Returns the latest entries of the slow log."),
    row("slowlog|help", 2, ANYTIME, node::slow_log_help).doc("6.2.0", "O(1)", "Lists the subcommands."),
    row("slowlog|len", 2, OPERATOR, node::slow_log_length)
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .doc("2.2.12", "O(1)", "Returns how many entries the slow log has."),
    row("slowlog|reset", 2, OPERATOR, node::slow_log_reset).tips(ALL_NODES).doc(
        "2.2.12",
        "O(1)",
        "Empties the slow log.",
    ),
];
