//! TLS: the certificates of this node, and the two kinds of connections made with them.
//!
//! Everything above a connection sees bytes and does not know whether they were encrypted.

mod certificates;
mod dialer;
mod error;
mod handshake;
mod node_verifier;
mod pem;
#[cfg(test)]
mod tests;

pub use certificates::Certificates;
pub use dialer::TlsDialer;
pub use error::TlsError;
pub use handshake::{Handshakes, perform};
