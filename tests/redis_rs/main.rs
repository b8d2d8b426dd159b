//! redis-rs as programs use it: blocking, multiplexed, reconnecting and as a cluster client. Each program runs undisturbed
//! and across the `kill -9` of a node.

mod blocking;
mod cluster_client;
mod multiplexed;
mod program;
