//! How a client is connected: where it is sent must be reachable the same way.

/// What a client's connection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP as it is.
    Plain,
    /// TLS over TCP.
    Tls,
}
