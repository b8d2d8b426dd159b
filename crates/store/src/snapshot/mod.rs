//! Snapshots: the image of a shard's machine at one log index, as one immutable file.
//!
//! Invariant: [`SnapshotWriter::finish`] returns only after every byte was synced, read back, verified
//! and given its durable name, and only then removes what the new snapshot replaces. So the log may be
//! purged up to a finished snapshot, and whatever a crash leaves holds the old snapshot or the new one.
//!
//! Damage never falls back to an older snapshot: the log behind it is gone, and a machine restored from
//! it would miss acknowledged commands. It is reported, and the shard is rebuilt from its peers.
//!
//! A snapshot being received from a peer is written the same way as one built here.

mod directory;
mod format;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use directory::SnapshotStore;
pub use reader::{Chunks, Snapshot};
pub use writer::SnapshotWriter;
