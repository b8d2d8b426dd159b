//! Numbers that name things. Distinct types, so that swapped arguments do not compile.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the raw number.
            pub const fn new(raw: $inner) -> Self {
                Self(raw)
            }

            /// The raw number, for encodings and arithmetic at the edge.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A node of the cluster. From 1; never reused, not even after the node lost its disk.
    NodeId(u64)
}
id! {
    /// One Raft group and the slots it owns. Zero is the metadata shard.
    ShardId(u32)
}
id! {
    /// A Raft term. Zero before the first election.
    Term(u64)
}
id! {
    /// The position of a log entry in a shard's Raft log. The first real entry is 1.
    LogIndex(u64)
}
id! {
    /// A client connection of one node, increasing from 1, never reused while the node runs.
    ConnectionId(u64)
}
id! {
    /// A router's session with a shard: the scope of exactly-once sequence numbers. Zero is no session:
    /// such commands are applied each time they appear in the log.
    SessionId(u64)
}

impl ShardId {
    /// The shard that holds the cluster's metadata and no streams.
    pub const METADATA: Self = Self(0);
}

impl SessionId {
    /// Commands of no session are not deduplicated.
    pub const NONE: Self = Self(0);
}
