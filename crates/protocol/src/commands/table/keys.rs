//! Commands about keys of any type.

use super::super::spec::{AclCategories, CommandFlags, CommandGroup, CommandSpec, Parse};
use super::super::{expire, keys, memory, rename, scan, ttl};

const WRITE: CommandFlags = CommandFlags::WRITE;
const FAST_WRITE: CommandFlags = CommandFlags::WRITE.with(CommandFlags::FAST);
const READONLY: CommandFlags = CommandFlags::READONLY;
const FAST_READ: CommandFlags = CommandFlags::READONLY.with(CommandFlags::FAST);
const DENYOOM: CommandFlags = CommandFlags::DENYOOM;
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
const OF_EVERY_SHARD: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
const SUM_OF_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

const fn row(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Generic, parse).flags(flags).also(AclCategories::KEYSPACE)
}

const fn server(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Server, parse).flags(flags).also(AclCategories::KEYSPACE)
}

const fn memory(name: &'static str, arity: i32, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Server, parse)
}

pub(super) const COMMANDS: &[CommandSpec] = &[
    server("dbsize", 1, FAST_READ, keys::size)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .doc("1.0.0", "O(1)", "Returns how many keys the database has."),
    row("copy", -3, WRITE.with(DENYOOM), rename::copy)
        .keys(1, 2, &["RO", "access"])
        .destination(&["OW", "update"])
        .doc(
            "6.2.0",
            "O(N) for N groups and blocks of entries",
            "Copies a stream and its groups to another key of the same shard.",
        ),
    row("del", -2, WRITE, keys::delete).keys(1, -1, &["RM", "delete"]).tips(SUM_OF_SHARDS).doc(
        "1.0.0",
        "O(N) for N keys",
        "Deletes keys; returns how many there were.",
    ),
    row("dump", 2, READONLY, rename::dump).keys(1, 1, &["RO", "access"]).tips(NONDETERMINISTIC).doc(
        "2.6.0",
        "O(N) for N entries",
        "Returns a stream as bytes that RESTORE takes.",
    ),
    row("exists", -2, FAST_READ, keys::exists).keys(1, -1, &["RO"]).tips(SUM_OF_SHARDS).doc(
        "1.0.0",
        "O(N) for N keys",
        "Returns how many of the keys exist, repeats counted.",
    ),
    row("expire", -3, FAST_WRITE, expire::seconds).keys(1, 1, &["RW", "update"]).doc(
        "1.0.0",
        "O(1)",
        "Lets a key expire after so many seconds.",
    ),
    row("expireat", -3, FAST_WRITE, expire::at_seconds).keys(1, 1, &["RW", "update"]).doc(
        "1.2.0",
        "O(1)",
        "Lets a key expire at a Unix time in seconds.",
    ),
    row("expiretime", 2, FAST_READ, ttl::unix_seconds).keys(1, 1, &["RO", "access"]).doc(
        "7.0.0",
        "O(1)",
        "Returns the Unix time in seconds at which a key expires.",
    ),
    server("flushall", -1, WRITE, keys::flush_all)
        .also(AclCategories::DANGEROUS)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(N) for N keys", "Deletes all keys of all databases."),
    server("flushdb", -1, WRITE, keys::flush_database)
        .also(AclCategories::DANGEROUS)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(N) for N keys", "Deletes all keys of the database."),
    row("keys", 2, READONLY, keys::matching)
        .also(AclCategories::DANGEROUS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .doc("1.0.0", "O(N) for N keys of the database", "Returns the keys that match a pattern."),
    CommandSpec::new("memory", -2, CommandGroup::Server, super::super::container)
        .doc("4.0.0", "Depends on the subcommand", "Describes the memory that keys take.")
        .subcommands(MEMORY),
    CommandSpec::new("object", -2, CommandGroup::Generic, super::super::container)
        .doc("2.2.3", "Depends on the subcommand", "Describes how keys are kept.")
        .subcommands(OBJECT),
    row("persist", 2, FAST_WRITE, expire::persist).keys(1, 1, &["RW", "update"]).doc(
        "2.2.0",
        "O(1)",
        "Takes a key's deadline away.",
    ),
    row("pexpire", -3, FAST_WRITE, expire::millis).keys(1, 1, &["RW", "update"]).doc(
        "2.6.0",
        "O(1)",
        "Lets a key expire after so many milliseconds.",
    ),
    row("pexpireat", -3, FAST_WRITE, expire::at_millis).keys(1, 1, &["RW", "update"]).doc(
        "2.6.0",
        "O(1)",
        "Lets a key expire at a Unix time in milliseconds.",
    ),
    row("pexpiretime", 2, FAST_READ, ttl::unix_millis).keys(1, 1, &["RO", "access"]).doc(
        "7.0.0",
        "O(1)",
        "Returns the Unix time in milliseconds at which a key expires.",
    ),
    row("pttl", 2, FAST_READ, ttl::millis_left).keys(1, 1, &["RO", "access"]).tips(NONDETERMINISTIC).doc(
        "2.6.0",
        "O(1)",
        "Returns the milliseconds until a key expires.",
    ),
    row("randomkey", 1, READONLY, keys::random)
        .tips(&["request_policy:all_shards", "nondeterministic_output"])
        .doc("1.0.0", "O(1)", "Returns some key of the database."),
    row("rename", 3, WRITE, rename::rename)
        .keys(1, 2, &["RW", "access", "delete"])
        .destination(&["OW", "update"])
        .doc("1.0.0", "O(1)", "Renames a key, in the place of any other of the new name on the same shard."),
    row("renamenx", 3, FAST_WRITE, rename::rename_if_free)
        .keys(1, 2, &["RW", "access", "delete"])
        .destination(&["OW", "insert"])
        .doc("1.0.0", "O(1)", "Renames a key if the new name is not in use."),
    row("restore", -4, WRITE.with(DENYOOM), rename::restore)
        .also(AclCategories::DANGEROUS)
        .keys(1, 1, &["OW", "update"])
        .doc("2.6.0", "O(N) for N entries", "Makes a key of what DUMP returned."),
    row("scan", -2, READONLY, scan::parse).tips(&["nondeterministic_output", "request_policy:special"]).doc(
        "2.8.0",
        "O(1) for a call, O(N) for all N keys",
        "Goes through the keys of the database in pages.",
    ),
    row("touch", -2, FAST_READ, keys::exists).keys(1, -1, &["RO"]).tips(SUM_OF_SHARDS).doc(
        "3.2.1",
        "O(N) for N keys",
        "Returns how many of the keys exist, repeats counted.",
    ),
    row("ttl", 2, FAST_READ, ttl::seconds_left).keys(1, 1, &["RO", "access"]).tips(NONDETERMINISTIC).doc(
        "1.0.0",
        "O(1)",
        "Returns the seconds until a key expires.",
    ),
    row("type", 2, FAST_READ, keys::key_type).keys(1, 1, &["RO"]).doc(
        "1.0.0",
        "O(1)",
        "Returns the type of a key.",
    ),
    row("unlink", -2, FAST_WRITE, keys::delete).keys(1, -1, &["RM", "delete"]).tips(SUM_OF_SHARDS).doc(
        "4.0.0",
        "O(N) for N keys",
        "Deletes keys; returns how many there were.",
    ),
];

const MEMORY: &[CommandSpec] = &[
    memory("memory|doctor", 2, memory::doctor).tips(OF_EVERY_SHARD).doc(
        "4.0.0",
        "O(1)",
        "Returns what is remarkable about the node's memory, for people.",
    ),
    memory("memory|help", 2, memory::help).flags(CommandFlags::LOADING.with(CommandFlags::STALE)).doc(
        "4.0.0",
        "O(1)",
        "Lists the subcommands.",
    ),
    memory("memory|malloc-stats", 2, memory::allocator_stats).tips(OF_EVERY_SHARD).doc(
        "4.0.0",
        "O(1)",
        "Returns what the allocator tells: nothing.",
    ),
    memory("memory|purge", 2, memory::purge)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("4.0.0", "O(1)", "Refused: unused memory is given back anyway."),
    memory("memory|stats", 2, memory::stats).tips(OF_EVERY_SHARD).doc(
        "4.0.0",
        "O(N) for N connections",
        "Returns what the node's memory is used for.",
    ),
    memory("memory|usage", -3, memory::usage).flags(READONLY).keys(2, 2, &["RO"]).doc(
        "4.0.0",
        "O(N) for N blocks of entries",
        "Returns about how many bytes a key takes.",
    ),
];

const OBJECT: &[CommandSpec] = &[
    row("object|encoding", 3, READONLY, keys::encoding).keys(2, 2, &["RO"]).tips(NONDETERMINISTIC).doc(
        "2.2.3",
        "O(1)",
        "Returns how a key's value is represented.",
    ),
    row("object|freq", 3, READONLY, keys::access_frequency).keys(2, 2, &["RO"]).tips(NONDETERMINISTIC).doc(
        "4.0.0",
        "O(1)",
        "Refused: how often keys are used is not tracked.",
    ),
    row("object|help", 2, CommandFlags::LOADING.with(CommandFlags::STALE), keys::object_help).doc(
        "6.2.0",
        "O(1)",
        "Lists the subcommands.",
    ),
    row("object|idletime", 3, READONLY, keys::idle_time).keys(2, 2, &["RO"]).tips(NONDETERMINISTIC).doc(
        "2.2.3",
        "O(1)",
        "Refused: when keys were last used is not tracked.",
    ),
    row("object|refcount", 3, READONLY, keys::reference_count)
        .keys(2, 2, &["RO"])
        .tips(NONDETERMINISTIC)
        .doc("2.2.3", "O(1)", "Returns 1 for a key that exists."),
];
