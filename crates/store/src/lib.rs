//! Immutable checksummed files: snapshots, node identity, and the rebuildable cache beside them.
//!
//! A file here is written whole, made durable under a temporary name, and only then given its name; it
//! is never changed afterwards. Whatever a crash leaves is either the old file or the new one. Every
//! byte is covered by a CRC32C that is checked on each read: damage is a typed [`Corruption`], never
//! data. The layouts are in `docs/formats.md`.
//!
//! This crate knows nothing of Raft or streams: a snapshot's meta and chunks are opaque bytes.

mod cache;
mod error;
mod identity;
mod replace;
mod snapshot;

pub use cache::{Cache, CacheError, CacheOrigin, CacheScan, Change};
pub use error::{Corruption, StorageError, StoreError};
pub use identity::{ClusterId, IdentityError, NodeIdentity};
pub use snapshot::{Chunks, Snapshot, SnapshotStore, SnapshotWriter};
