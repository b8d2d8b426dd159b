//! The path between a command's dispatch and the leader of its shard.
//!
//! The **router half** ([`ShardClients`]) runs on every node: it numbers commands in a session per shard,
//! keeps several parts in flight, and sends again over leader changes until each command is applied once
//! and its caller answered (design P2, P4). Queries are retried freely; waits of blocked readers are
//! registered again wherever the shard's leader goes.
//!
//! The **leader half** ([`ShardHost`]) runs where replicas are: it proposes, reads behind the barrier, and
//! keeps blocked readers in FIFO queues ([`waiters`]).
//!
//! Between the two stands [`LeaderEndpoint`], with two implementors: the host itself for shards led here,
//! and [`PeerLink`] for shards led elsewhere, whose other end ([`PeerService`]) calls the host there.
//!
//! Nothing here parses RESP or routes keys; a caller brings the shard and typed commands.

pub mod client;
pub mod counters;
pub mod endpoint;
mod exchange;
mod group_queue;
pub mod host;
mod intake;
pub mod leader;
pub mod link;
mod messages;
pub mod peer;
mod queries;
mod session;
mod wait_queues;
pub mod waiters;
mod waiting_room;
pub mod waits;
mod window;
mod wiring;

pub use client::{ClientOptions, ShardClients, Submitted, Unavailable};
pub use counters::Counters;
pub use endpoint::{GroupWait, LeaderEndpoint, WaitCondition};
pub use host::ShardHost;
pub use leader::Directory;
pub use link::{Links, PeerLink};
pub use peer::PeerService;
pub use waits::{Wait, Wake};

#[cfg(test)]
mod tests;
