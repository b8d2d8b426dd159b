//! Commands about the node and the cluster, with their grammar applied.

use std::time::Duration;

use bytes::Bytes;
use rivermark_types::StreamKey;

use super::{AclCommand, Block};

/// What concerns the node or the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeCommand {
    /// CONFIG GET: globs.
    ConfigGet(Vec<Bytes>),
    /// CONFIG SET: parameters and values, all or none.
    ConfigSet(Vec<(Bytes, Bytes)>),
    /// CONFIG RESETSTAT.
    ConfigResetStatistics,
    /// CONFIG REWRITE.
    ConfigRewrite,
    /// INFO: sections in lower case, empty is the default ones.
    Info(Vec<String>),
    /// TIME.
    Time,
    /// WAIT: with so many replicas, at most so long; `None` is as long as it takes.
    Wait(WaitReplicas),
    /// WAITAOF.
    WaitDurable {
        /// Whether this node must have it on disk, 0 or 1.
        local: u64,
        /// How many others, and for how long.
        replicas: WaitReplicas,
    },
    /// ROLE.
    Role,
    /// LASTSAVE.
    LastSave,
    /// SAVE, BGSAVE and BGREWRITEAOF.
    Save(Save),
    /// SHUTDOWN.
    Shutdown(Shutdown),
    /// SHUTDOWN ABORT.
    AbortShutdown,
    /// LOLWUT.
    Lolwut,
    /// MEMORY and a subcommand, except USAGE, which is a query.
    Memory(MemoryCommand),
    /// LATENCY and a subcommand.
    Latency(LatencyCommand),
    /// DEBUG and a subcommand.
    Debug(DebugCommand),
    /// SLOWLOG GET: at most so many, `None` is all.
    SlowLogGet(Option<u64>),
    /// SLOWLOG LEN.
    SlowLogLength,
    /// SLOWLOG RESET.
    SlowLogReset,
    /// CLUSTER and a subcommand.
    Cluster(ClusterCommand),
    /// ACL and a subcommand.
    Acl(AclCommand),
}

/// WAIT's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitReplicas {
    /// How many.
    pub replicas: u64,
    /// For how long.
    pub block: Block,
}

/// CLUSTER's subcommands. KEYSLOT is a [`Parsed::Reply`], COUNTKEYSINSLOT and GETKEYSINSLOT are queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterCommand {
    /// CLUSTER INFO.
    Info,
    /// CLUSTER NODES.
    Nodes,
    /// CLUSTER SLOTS.
    Slots,
    /// CLUSTER SHARDS.
    Shards,
    /// CLUSTER MYID.
    MyId,
    /// CLUSTER MYSHARDID.
    MyShardId,
    /// CLUSTER REPLICAS, of the node with this id.
    Replicas(Bytes),
    /// CLUSTER LINKS.
    Links,
}

/// The commands that save: all make the replicas of this node take snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// SAVE: answered when it is done.
    Foreground,
    /// BGSAVE, and with SCHEDULE a save after the one under way.
    Background {
        /// SCHEDULE.
        scheduled: bool,
    },
    /// BGREWRITEAOF: the log is purged behind the snapshots.
    Rewrite,
}

/// SHUTDOWN's arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// SAVE or NOSAVE.
    pub save: ShutdownSave,
    /// NOW: leadership is not handed over first.
    pub now: bool,
    /// FORCE: a failed save does not keep the node.
    pub force: bool,
}

/// Whether SHUTDOWN takes snapshots first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownSave {
    /// NOSAVE, or nothing: the log has everything.
    #[default]
    No,
    /// SAVE.
    Yes,
}

/// MEMORY's subcommands about the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryCommand {
    /// MEMORY STATS.
    Stats,
    /// MEMORY DOCTOR.
    Doctor,
}

/// LATENCY's subcommands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatencyCommand {
    /// LATENCY LATEST.
    Latest,
    /// LATENCY HISTORY, of this event.
    History(Bytes),
    /// LATENCY GRAPH, of this event.
    Graph(Bytes),
    /// LATENCY RESET, of these events; none is all.
    Reset(Vec<Bytes>),
    /// LATENCY DOCTOR.
    Doctor,
    /// LATENCY HISTOGRAM, of these commands; none is all that were called.
    Histogram(Vec<Bytes>),
}

/// DEBUG's subcommands. PROTOCOL is a [`crate::Parsed::Reply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebugCommand {
    /// DEBUG SLEEP: no command of any client of this node is begun for so long.
    Sleep(Duration),
    /// DEBUG OBJECT.
    Object(StreamKey),
    /// DEBUG LOG: a line for the node's log.
    Log(Bytes),
}
