//! The machine to and from chunks of bytes.
//!
//! A snapshot is taken by copying pointers ([`Machine::snapshot`]) and written out while apply goes on. Its
//! bytes are a sequence of records (`record.rs`), the same for every replica with the same state, cut into
//! chunks of [`limits::SNAPSHOT_CHUNK_BYTES_MAX`] wherever that falls: no value, however large, makes a larger
//! chunk, and chunks mean nothing by themselves. The last record holds a hash of all others, which is
//! also the machine's digest; a restore that does not arrive at it is refused.
//!
//! Not here: files, transfers, and checksums of single chunks, which belong to whoever moves them.
//!
//! [`limits::SNAPSHOT_CHUNK_BYTES_MAX`]: rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX

mod chunks;
mod dump;
mod image;
mod record;
mod restore;
mod stream_restore;

pub use chunks::Chunks;
pub(crate) use dump::{dump, undump};
pub use image::Snapshot;
pub use restore::{RestoreError, SnapshotRestore};
