//! Replication: one Raft group a shard, many on a node, on one shared log.
//!
//! Start at [`RaftNode`] (`node.rs`), then [`Replica`] (`replica.rs`). The write path is `propose.rs` and
//! `apply.rs`, linearizable reads `read.rs`. `reconcile.rs` makes this node host what the topology says,
//! `balance.rs` moves leaders, `membership.rs` changes who holds a shard. `network.rs` speaks to peers and
//! `service.rs` answers them; `snapshot.rs` keeps the log short; `checkpoint.rs` compares replicas.
//!
//! The consensus engine's types stay in this crate (`type_config.rs`); what the machines do is theirs
//! alone; sockets, sessions and waiters are the server's.

mod apply;
mod balance;
mod checkpoint;
mod codec;
mod convert;
mod error;
mod follow;
mod leaders;
mod leadership;
mod machine;
mod membership;
mod metadata;
mod network;
mod node;
mod operator;
mod options;
mod propose;
mod propose_queue;
mod read;
mod reconcile;
mod replica;
mod service;
mod shared;
mod snapshot;
mod status;
mod transport;
mod type_config;

pub use checkpoint::Comparison;
pub use error::{FatalError, MembershipError, ProposeError, ReadError, ReplicaError, StartError};
pub use leadership::Leadership;
pub use node::{RaftNode, SESSION_SEED_FREE_BITS};
pub use operator::{Operator, OperatorError};
pub use options::{EffectSink, InitialCluster, NodeOptions, Role, SNAPSHOT_LOG_BYTES_DEFAULT, Timing};
pub use propose_queue::EncodedPart;
pub use replica::Replica;
pub use status::{FollowerStatus, RaftRole, ReplicaStatus};
pub use transport::{Dialer, Peers, TcpDialer};
