//! Real three-node clusters, killed and restarted under load.

mod durability;
mod failover;
mod load;
mod newcomer;
mod tls;
