//! The pure replicated machine of the metadata shard: nodes, slots, shards, settings, users, epoch.
//!
//! **Pure.** No clock, no randomness, no I/O, no async, no map with a random order: two replicas that
//! apply the same commands hold the same state, byte for byte. Whatever needs chance (the cluster's id)
//! or judgement (which nodes are healthy) is decided by the proposer and arrives as an argument.
//!
//! Start at [`machine`]. What may change stands in [`command`], what everyone reads in [`topology`].
//! The machine states what the cluster should look like; making Raft memberships, leaders and data follow
//! is the work of other crates.

pub mod address;
pub mod assignment;
pub mod codec;
pub mod command;
pub mod invariants;
pub mod leaders;
pub mod machine;
pub mod outcome;
pub mod placement;
pub mod settings;
pub mod slots;
pub mod topology;
pub mod users;

mod encoding;

pub use assignment::{assign_replicas, assign_slots};
pub use codec::DecodeError;
pub use command::Command;
pub use leaders::leader_targets;
pub use machine::Machine;
pub use outcome::{Outcome, Rejection};
pub use settings::{ClusterSettings, Setting, SettingError};
pub use slots::{SlotRange, SlotRanges};
pub use topology::{Node, NodeState, Shard, Topology};
pub use users::{DEFAULT_USER, User, UserRecord, Users};
