//! Stream commands.

use super::super::spec::{AclCategories, CommandFlags, CommandGroup, CommandSpec, Parse};
use super::super::{
    xack, xackdel, xadd, xautoclaim, xcfgset, xclaim, xdel, xdelex, xgroup, xinfo, xlen, xnack, xpending,
    xrange, xrangebyscore, xread, xreadgroup, xsetid, xtrim,
};

const WRITE: CommandFlags = CommandFlags::WRITE;
const READONLY: CommandFlags = CommandFlags::READONLY;
const DENYOOM: CommandFlags = CommandFlags::DENYOOM;
const FAST: CommandFlags = CommandFlags::FAST;
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
const BLOCKING: CommandFlags = CommandFlags::BLOCKING.with(CommandFlags::MOVABLE_KEYS);
const HELP: CommandFlags = CommandFlags::LOADING.with(CommandFlags::STALE);

const fn row(name: &'static str, arity: i32, flags: CommandFlags, parse: Parse) -> CommandSpec {
    CommandSpec::new(name, arity, CommandGroup::Stream, parse).flags(flags).also(AclCategories::STREAM)
}

pub(super) const COMMANDS: &[CommandSpec] = &[
    row("xack", -4, WRITE.with(FAST), xack::parse).keys(1, 1, &["RW", "update"]).doc(
        "5.0.0",
        "O(1) for each id",
        "Acknowledges entries of a group, so that they are no longer pending.",
    ),
    row("xackdel", -6, WRITE.with(FAST), xackdel::parse).keys(1, 1, &["RW", "delete"]).doc(
        "8.2.0",
        "O(log N) for each id, N being the length of the stream",
        "Acknowledges entries of a group and deletes them, with or despite what other groups have pending.",
    ),
    row("xadd", -5, WRITE.with(DENYOOM).with(FAST), xadd::parse)
        .keys(1, 1, &["RW", "update"])
        .tips(NONDETERMINISTIC)
        .doc(
            "5.0.0",
            "O(1) to add, O(N) to trim N entries",
            "Adds an entry to a stream, creating the stream if need be.",
        ),
    row("xautoclaim", -6, WRITE.with(FAST), xautoclaim::parse)
        .keys(1, 1, &["RW", "delete"])
        .tips(NONDETERMINISTIC)
        .doc(
            "6.2.0",
            "O(1) for a constant COUNT",
            "Looks through the pending entries of a group and claims those idle long enough.",
        ),
    row("xcfgset", -2, WRITE.with(FAST), xcfgset::parse).keys(1, 1, &["RW", "update"]).doc(
        "8.6.0",
        "O(1)",
        "Sets for how long, and how many, idempotent ids a stream remembers.",
    ),
    row("xclaim", -6, WRITE.with(FAST), xclaim::parse)
        .keys(1, 1, &["RW", "update"])
        .tips(NONDETERMINISTIC)
        .doc(
            "5.0.0",
            "O(log N) for each id, N being the pending entries of the group",
            "Makes a consumer the owner of pending entries, as if they were delivered to it.",
        ),
    row("xdel", -3, WRITE.with(FAST), xdel::parse).keys(1, 1, &["RW", "delete"]).doc(
        "5.0.0",
        "O(log N) for each id, N being the length of the stream",
        "Deletes entries; returns how many there were.",
    ),
    row("xdelex", -5, WRITE.with(FAST), xdelex::parse).keys(1, 1, &["RW", "delete"]).doc(
        "8.2.0",
        "O(log N) for each id, N being the length of the stream",
        "Deletes entries, with or despite what groups have pending; tells what became of each.",
    ),
    CommandSpec::new("xgroup", -2, CommandGroup::Stream, super::super::container)
        .doc("5.0.0", "Depends on the subcommand", "Manages the groups of a stream.")
        .subcommands(XGROUP),
    row("xidmprecord", 5, WRITE.with(FAST), xcfgset::record).keys(1, 1, &["RW", "update"]).doc(
        "8.6.2",
        "O(log N) for N idempotent ids of the producer",
        "Lets an idempotent id stand for an entry that exists.",
    ),
    CommandSpec::new("xinfo", -2, CommandGroup::Stream, super::super::container)
        .doc("5.0.0", "Depends on the subcommand", "Describes streams, groups and consumers.")
        .subcommands(XINFO),
    row("xlen", 2, READONLY.with(FAST), xlen::parse).keys(1, 1, &["RO"]).doc(
        "5.0.0",
        "O(1)",
        "Returns how many entries a stream has.",
    ),
    row("xnack", -7, WRITE.with(FAST), xnack::parse).keys(1, 1, &["RW", "update"]).doc(
        "8.8.0",
        "O(log N) for each id, N being the pending entries of the group",
        "Gives pending entries back to the group, so that any consumer may claim them at once.",
    ),
    row("xpending", -3, READONLY, xpending::parse).keys(1, 1, &["RO", "access"]).tips(NONDETERMINISTIC).doc(
        "5.0.0",
        "O(N) for N pending entries returned or passed over",
        "Describes the pending entries of a group.",
    ),
    row("xrange", -4, READONLY, xrange::parse).keys(1, 1, &["RO", "access"]).doc(
        "5.0.0",
        "O(log N + M) for M entries returned of N",
        "Returns the entries with ids in a range.",
    ),
    row("xrangebyscore", -4, READONLY, xrangebyscore::parse).keys(1, 1, &["RO", "access"]).doc(
        "Rivermark 0.1",
        "O(log N + M) for M entries returned of N; O(N log N) when a field is first asked for",
        "Returns the entries of which a field, a time or a number, lies in a range, ordered by it.",
    ),
    row("xread", -4, READONLY.with(BLOCKING), xread::parse).stream_keys(1, &["RO", "access"]).doc(
        "5.0.0",
        "O(log N + M) for each stream, for M entries returned of N",
        "Returns entries with greater ids than given, of one or several streams; may wait for them.",
    ),
    row("xreadgroup", -7, WRITE.with(BLOCKING), xreadgroup::parse).stream_keys(4, &["RO", "access"]).doc(
        "5.0.0",
        "O(M) for each stream, for M entries returned",
        "Delivers new entries to a consumer of a group, or returns those pending for it; may wait for them.",
    ),
    row("xrevrange", -4, READONLY, xrange::parse_reverse).keys(1, 1, &["RO", "access"]).doc(
        "5.0.0",
        "O(log N + M) for M entries returned of N",
        "Returns the entries with ids in a range, newest first.",
    ),
    row("xsetid", -3, WRITE.with(DENYOOM).with(FAST), xsetid::parse).keys(1, 1, &["RW", "update"]).doc(
        "5.0.0",
        "O(1)",
        "Sets the last id of a stream.",
    ),
    row("xtrim", -4, WRITE, xtrim::parse).keys(1, 1, &["RW", "delete"]).tips(NONDETERMINISTIC).doc(
        "5.0.0",
        "O(N) for N entries removed",
        "Removes the oldest entries of a stream.",
    ),
];

const XGROUP: &[CommandSpec] = &[
    row("xgroup|create", -5, WRITE.with(DENYOOM), xgroup::create).keys(2, 2, &["RW", "insert"]).doc(
        "5.0.0",
        "O(1)",
        "Creates a group.",
    ),
    row("xgroup|createconsumer", 5, WRITE.with(DENYOOM), xgroup::create_consumer)
        .keys(2, 2, &["RW", "insert"])
        .doc("6.2.0", "O(1)", "Creates a consumer in a group."),
    row("xgroup|delconsumer", 5, WRITE, xgroup::delete_consumer).keys(2, 2, &["RW", "delete"]).doc(
        "5.0.0",
        "O(N) for N entries pending for the consumer",
        "Deletes a consumer of a group; returns how many entries were pending for it.",
    ),
    row("xgroup|destroy", 4, WRITE, xgroup::destroy).keys(2, 2, &["RW", "delete"]).doc(
        "5.0.0",
        "O(N) for N pending entries",
        "Deletes a group.",
    ),
    row("xgroup|help", 2, HELP, xgroup::help).doc("5.0.0", "O(1)", "Lists the subcommands."),
    row("xgroup|setid", -5, WRITE, xgroup::set_id).keys(2, 2, &["RW", "update"]).doc(
        "5.0.0",
        "O(1)",
        "Sets the id after which a group goes on.",
    ),
];

const XINFO: &[CommandSpec] = &[
    row("xinfo|consumers", 4, READONLY, xinfo::consumers)
        .keys(2, 2, &["RO", "access"])
        .tips(NONDETERMINISTIC)
        .doc("5.0.0", "O(N) for N consumers", "Describes the consumers of a group."),
    row("xinfo|groups", 3, READONLY, xinfo::groups).keys(2, 2, &["RO", "access"]).doc(
        "5.0.0",
        "O(N) for N groups",
        "Describes the groups of a stream.",
    ),
    row("xinfo|help", 2, HELP, xinfo::help).doc("5.0.0", "O(1)", "Lists the subcommands."),
    row("xinfo|stream", -3, READONLY, xinfo::stream).keys(2, 2, &["RO", "access"]).doc(
        "5.0.0",
        "O(1), with FULL O(N) for N items shown",
        "Describes a stream.",
    ),
];
