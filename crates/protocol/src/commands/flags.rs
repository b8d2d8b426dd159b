//! What is true or not of a command: how the server treats it, and who may use it.

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// Every bit with its name in COMMAND's answer.
            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$bit, $text),)*];
            bits!(@each 0u32; $($(#[$bit_doc])* $bit,)*);

            /// None.
            pub const NONE: Self = Self(0);

            /// Both sets together.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether all of `other` are in the set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The set of this name alone, in any case.
            pub fn from_name(name: &[u8]) -> Option<Self> {
                let mut all = Self::NAMES.iter();
                all.find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(bit, _)| *bit)
            }

            /// Every name there is.
            pub fn all_names() -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().map(|(_, name)| *name)
            }

            /// The names of what is in the set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
            }
        }
    };
    (@each $shift:expr; $(#[$doc:meta])* $bit:ident, $($rest:tt)*) => {
        $(#[$doc])*
        pub const $bit: Self = Self(1 << ($shift));
        bits!(@each $shift + 1; $($rest)*);
    };
    (@each $shift:expr;) => {};
}

bits! {
    /// How the server treats a command. Names and meaning as COMMAND has them.
    CommandFlags {
        /// Changes keys.
        WRITE = "write",
        /// Reads keys.
        READONLY = "readonly",
        /// May make the data grow.
        DENYOOM = "denyoom",
        /// For operators.
        ADMIN = "admin",
        /// Not for scripts.
        NOSCRIPT = "noscript",
        /// May wait for data.
        BLOCKING = "blocking",
        /// Served while the node starts.
        LOADING = "loading",
        /// Served by a node that may be behind.
        STALE = "stale",
        /// Not inside MULTI.
        NO_MULTI = "no_multi",
        /// Not while a replica of the reference loads what it was sent.
        NO_ASYNC_LOADING = "no_async_loading",
        /// Kept out of the slow log: its arguments are secret or its steps are logged themselves.
        SKIP_SLOWLOG = "skip_slowlog",
        /// Constant or logarithmic time.
        FAST = "fast",
        /// Served before the client authenticated.
        NO_AUTH = "no_auth",
        /// Served while a script hogs the server.
        ALLOW_BUSY = "allow_busy",
        /// Keys are not at fixed places: ask COMMAND GETKEYS.
        MOVABLE_KEYS = "movablekeys",
    }
}

bits! {
    /// ACL categories: names and order as `ACL CAT` has them. Those of data types that are not here have no
    /// commands, and rules may name them all the same.
    AclCategories {
        /// About keys of any type.
        KEYSPACE = "keyspace",
        /// Reads keys.
        READ = "read",
        /// Changes keys.
        WRITE = "write",
        /// About sets.
        SET = "set",
        /// About sorted sets.
        SORTED_SET = "sortedset",
        /// About lists.
        LIST = "list",
        /// About hashes.
        HASH = "hash",
        /// About strings.
        STRING = "string",
        /// About bitmaps.
        BITMAP = "bitmap",
        /// About HyperLogLogs.
        HYPERLOGLOG = "hyperloglog",
        /// About places.
        GEO = "geo",
        /// About streams.
        STREAM = "stream",
        /// About channels.
        PUBSUB = "pubsub",
        /// For operators.
        ADMIN = "admin",
        /// Constant or logarithmic time.
        FAST = "fast",
        /// Not fast.
        SLOW = "slow",
        /// May wait for data.
        BLOCKING = "blocking",
        /// Can harm or spy on others.
        DANGEROUS = "dangerous",
        /// About the connection.
        CONNECTION = "connection",
        /// About transactions.
        TRANSACTION = "transaction",
        /// About scripts.
        SCRIPTING = "scripting",
    }
}
