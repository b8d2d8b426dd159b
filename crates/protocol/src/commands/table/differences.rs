//! What differs from the command of Redis of the same name, and why. `docs/commands.md` shows it beside the command.
//!
//! Where nothing stands, grammar, replies and errors are those of Redis 8.

/// Full names of commands, and what differs.
pub(super) const DIFFERENCES: &[(&str, &str)] = &[
    // Streams.
    (
        "xack",
        "Ids are checked before the key is looked at, so a wrong one is an error also where there is \
         no key.",
    ),
    (
        "xadd",
        "An entry larger than 16 MiB is refused: it must reach the followers within an election \
         timeout.",
    ),
    ("xclaim", "Arguments are checked before the key is looked at."),
    ("xdel", "As XACK."),
    ("xrange", "A range of more than 256 MiB is refused rather than cut: use COUNT."),
    (
        "xread",
        "Streams of several shards are read together: each shard's part is atomic, the whole is not. \
         At most 64 MiB of entries are returned.",
    ),
    ("xreadgroup", "As XREAD. Before anything is delivered all shards are asked whether the group exists."),
    ("xrevrange", "As XRANGE."),
    // Keys, and their memory.
    ("copy", "Both keys must be of one shard, else CROSSSLOT: use a hash tag. DB takes any database."),
    ("dbsize", "The sum over the shards, which are asked together but not at one moment."),
    ("del", "Keys of several shards are deleted shard by shard: each part is atomic, the whole is not."),
    ("dump", "Bytes of its own, up to what RESTORE takes (just under 16 MiB)."),
    ("exists", "Keys of several shards are asked for shard by shard."),
    ("flushall", "ASYNC and SYNC do the same. Shard by shard."),
    ("flushdb", "As FLUSHALL."),
    ("keys", "Shard by shard, in no order."),
    ("memory|malloc-stats", "As a Redis without jemalloc: the allocator tells nothing."),
    ("memory|purge", "Refused: the allocator gives unused memory back by itself and takes no orders."),
    ("memory|stats", "Fewer fields: only what is measured. `total.allocated` is the resident memory."),
    ("memory|usage", "SAMPLES is only checked: blocks of entries are counted, not sampled."),
    ("object|freq", "Refused: accesses are not counted, on followers least of all."),
    ("object|idletime", "Refused: accesses are not counted, on followers least of all."),
    ("rename", "Both keys must be of one shard, else CROSSSLOT: use a hash tag."),
    ("renamenx", "As RENAME."),
    ("restore", "Takes what DUMP of this server returned. IDLETIME and FREQ are checked and without effect."),
    ("scan", "A cursor is a decimal number; the empty text is none."),
    ("touch", "As EXISTS: there is no time of last access to change."),
    ("unlink", "As DEL: memory is given back at once."),
    // Connections and transactions.
    ("asking", "Without effect: any node answers for any key."),
    ("client|caching", "Refused: keys are not tracked."),
    ("client|info", "As CLIENT LIST."),
    ("client|kill", "Of this node's connections, none of which is of another type than normal."),
    (
        "client|list",
        "Of this node's connections. `argv-mem`, `rbs`, `rbp` and `io-thread` are left out: there is \
         no such figure.",
    ),
    (
        "client|no-evict",
        "Shown by CLIENT LIST and otherwise without effect: connections are never closed for want of \
         memory.",
    ),
    ("client|no-touch", "Shown by CLIENT LIST and otherwise without effect: accesses are not counted."),
    ("client|pause", "Holds back the clients of this node; others go on."),
    ("client|tracking", "ON is refused: keys are not tracked."),
    ("client|unblock", "Of this node's connections."),
    (
        "exec",
        "One log entry, so all keys must be of one shard, else CROSSSLOT. Commands about connections \
         and nodes run beside it.",
    ),
    ("hello", "`mode` is `cluster`, `role` always `master`: any node takes writes."),
    (
        "readonly",
        "Without effect: any node answers for any key, and reads see every write that was \
         acknowledged.",
    ),
    ("readwrite", "As READONLY."),
    ("select", "Allowed in a cluster: the number is part of the key's identity."),
    ("watch", "Notices every change of a stream, also by XGROUP, XSETID and claims."),
    // The node and the cluster.
    (
        "bgrewriteaof",
        "Takes snapshots as BGSAVE does: behind them the log is purged, which is what rewriting it is \
         for.",
    ),
    (
        "bgsave",
        "Takes a snapshot of each of this node's replicas. What was acknowledged is on disk without \
         it.",
    ),
    ("cluster|links", "Empty: nodes talk over HTTP/2 streams, not over a bus."),
    ("cluster|myshardid", "Of a shard this node leads, or else holds: a node has replicas of several."),
    (
        "cluster|nodes",
        "Slots stand at the leaders of their shards, so a node may be listed with those of several.",
    ),
    ("command|docs", "Without arguments and history."),
    ("command|list", "There are no modules, so FILTERBY MODULE finds nothing."),
    (
        "config|get",
        "Settings of the cluster, parameters of this node, and what clients ask for and is fixed \
         here; nothing else of Redis's.",
    ),
    (
        "config|rewrite",
        "Writes this node's parameters into its TOML file. Settings of the cluster are replicated and \
         need none.",
    ),
    (
        "config|set",
        "Settings of the cluster change everywhere, other parameters on this node. All are checked \
         before any is set.",
    ),
    (
        "debug",
        "HELP, LOG, OBJECT, PROTOCOL, SLEEP and SET-ACTIVE-EXPIRE 1 only. SLEEP holds back this \
         node's clients, not its replicas: others would elect a new leader.",
    ),
    (
        "failover",
        "Refused as in a cluster: leaders are elected shard by shard, and SHUTDOWN hands them over.",
    ),
    (
        "info",
        "Only what is measured. RDB stands for snapshots, AOF for the log, `used_memory` for resident \
         memory; keys are of the cluster, all else of this node.",
    ),
    (
        "lastsave",
        "Of SAVE and BGSAVE, or of the start. Replicas are also snapshotted when their log has grown.",
    ),
    ("latency|doctor", "Its own words, and advice about a disk and a quorum rather than about one thread."),
    (
        "latency|graph",
        "Events are `command` and `fast-command` (from submission to answer), `log-sync` (fdatasync \
         of the log) and `raft-commit` (from proposal to apply).",
    ),
    (
        "latency|histogram",
        "Durations run from submission to answer, disk and quorum included. Bounds are powers of two.",
    ),
    (
        "latency|history",
        "Events are `command` and `fast-command` (from submission to answer), `log-sync` (fdatasync \
         of the log) and `raft-commit` (from proposal to apply).",
    ),
    (
        "latency|latest",
        "Events are `command` and `fast-command` (from submission to answer), `log-sync` (fdatasync \
         of the log) and `raft-commit` (from proposal to apply).",
    ),
    ("lolwut", "No picture, only the version."),
    (
        "monitor",
        "Arguments are clipped at 4 KiB and 256 in number. A connection that does not take its lines \
         is closed once 8 MiB of them wait.",
    ),
    ("replicaof", "Refused as in a cluster: replicas follow the leader of their shard."),
    (
        "role",
        "Always `master`, without replicas: any node takes writes. The offset counts log entries \
         applied here.",
    ),
    ("save", "Snapshots this node's replicas while it goes on serving."),
    (
        "shutdown",
        "As SIGTERM: hands leadership over, answers what is under way, exits. NOW does not wait for \
         the hand-over. ABORT is refused once it has begun.",
    ),
    ("slaveof", "As REPLICAOF."),
    (
        "slowlog|get",
        "Durations run from submission to answer, disk and quorum included, without the time a read \
         blocks; hence `slowlog-log-slower-than` is 100,000 unless set. A transaction is one entry, \
         EXEC.",
    ),
    ("wait", "Answers at once: what was acknowledged is on a quorum, and waiting makes no more certain."),
    ("waitaof", "As WAIT: what was acknowledged is on the disks of a quorum."),
];
