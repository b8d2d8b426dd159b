//! What the kinds of commands do once dispatched. One file a kind.

pub mod acl;
pub mod alone;
pub mod authorise;
pub mod blocking;
pub mod client;
pub mod cluster;
pub mod config_command;
pub mod connection;
pub mod debug;
pub mod info;
pub mod keyspace;
pub mod latency_command;
pub mod memory;
pub mod node_command;
pub mod shards;
pub mod transaction;
