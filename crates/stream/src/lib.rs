//! The replicated machine of one shard, and nothing else.
//!
//! **Pure.** No clock, no randomness, no I/O, no async, no map with a random order: two replicas that
//! apply the same batches hold the same state, byte for byte. Time arrives in the batch, stamped by the
//! leader; XADD's `*` is resolved here from that stamp and the stream's last id.
//!
//! Start at [`machine`]. A command's data type stands in [`command`], its transition in the file of
//! `commands/` with its name, a read in `queries/`, what either answers in [`outcome`].

pub mod batch;
pub mod codec;
pub mod command;
pub mod effect;
pub mod fields;
pub mod glob;
pub mod invariants;
pub mod machine;
pub mod outcome;
pub mod query;
pub mod scatter;

mod allowance;
mod block;
mod chunk_map;
mod command_keys;
mod commands;
mod consumer;
mod digest;
mod entries;
mod field_index;
mod group;
mod idempotence;
mod keyspace;
mod listpack;
mod pending;
mod queries;
mod session;
mod snapshot;
mod stream;
mod trim;
mod varint;

pub use batch::{Batch, Part, PartOutcome};
pub use codec::{BatchBuilder, DecodeError, PartBuilder};
pub use command::Command;
pub use command_keys::RequestKeys;
pub use effect::Effect;
pub use fields::{Entries, Fields};
pub use machine::{Applied, Machine, Readiness, WaitCondition};
pub use outcome::{Outcome, Rejection};
pub use query::Query;
pub use snapshot::{Chunks, RestoreError, Snapshot, SnapshotRestore};
