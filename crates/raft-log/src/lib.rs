//! The durable Raft log of every shard on a node: one writer, one fdatasync for all that wait.
//!
//! All shards of a node share one sequence of segment files. Votes, log entries, truncations and purges
//! of all shards enter one queue; a writer takes everything that waits, writes it with one vectored
//! write, syncs once and then tells everyone who waited. Entries are readable as soon as `append`
//! returned and durable once its callback fired. A failed write or sync ends the log for good: what
//! the disk then holds is unknown until the node restarts and reads it back.
//!
//! Start reading at [`RaftLog`] (`store.rs`), then `writer.rs`, `record.rs` (the format on disk) and
//! `recovery.rs` (what a crash leaves and how it is read).
//!
//! Nothing here knows streams, elections or clocks of the outside world; the only use of time is to
//! measure syncs and to notice that the log has gone quiet.

mod cache;
mod counters;
mod entry;
mod error;
mod hard_state;
mod index;
mod openraft_storage;
mod options;
mod purge;
mod queue;
mod record;
mod recovery;
mod segment;
mod segment_pool;
mod shard_log;
mod store;
mod writer;

pub use counters::{Counters, SYNC_BUCKETS, SyncTimes};
pub use entry::{EncodedPayload, LeaderId, LogEntry, LogId, StoredEntry, Vote};
pub use error::{AppendError, Corruption, LogError, LogFailed, OpenError, StorageError};
pub use openraft_storage::{CommittedLeader, EntryCodec, LogStorage};
pub use options::{Options, SegmentPreparation, WriterMode};
pub use recovery::{Recovered, RecoveredShard};
pub use shard_log::{OnDurable, ShardLog, ShardLogState};
pub use store::RaftLog;
