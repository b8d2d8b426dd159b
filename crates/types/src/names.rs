//! Names inside a stream. Any bytes, the empty name included, as Redis allows.

use bytes::Bytes;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Bytes);

        impl $name {
            /// Wraps the bytes as sent by the client.
            pub const fn new(bytes: Bytes) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &Bytes {
                &self.0
            }

            /// The same name in memory of its own, so that keeping it does not keep a network buffer.
            pub fn detached(&self) -> Self {
                Self(Bytes::copy_from_slice(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name! {
    /// A consumer group of a stream. Ordered bytewise.
    GroupName
}
name! {
    /// A consumer of a group. Ordered bytewise.
    ConsumerName
}
