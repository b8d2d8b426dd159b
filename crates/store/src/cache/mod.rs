//! A small ordered cache on disk, for what can be rebuilt: a node's topology as last seen, from which
//! a router starts before it reached any peer.
//!
//! It is sled, and sled's flush does not reach the disk's platter, so the cache is trusted only under
//! three conditions, all kept here. One writer thread works in lockstep: batch, flush, our own
//! fdatasync, next. A counter inside sled must equal the one in a marker file we sync ourselves. And
//! every value carries a checksum, all of which are verified when the cache is opened. If anything
//! disagrees, or an earlier open never came back, the cache is wiped and starts empty. Losing it must
//! therefore cost its user nothing but time: never keep the only copy of anything here.
//!
//! sled opens real files, so this takes a folder of the operating system, not the `FileSystem` trait;
//! simulations run without it.

mod cache;
mod error;
mod marker;
#[cfg(test)]
mod tests;
mod trusted;
mod writer;

pub use cache::{Cache, CacheOrigin, CacheScan, Change};
pub use error::CacheError;
