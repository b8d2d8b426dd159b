//! Real three-node clusters, killed and restarted under load.

mod blocking;
mod durability;
mod failover;
mod idempotence;
mod load;
mod membership;
mod newcomer;
mod shutdown;
mod tls;
mod users;
