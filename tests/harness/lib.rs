//! What every black-box test needs: real servers on free ports, and a client that shows replies as they
//! are on the wire.

pub mod cluster;
pub mod compose;
pub mod ports;
pub mod redis_server;
pub mod resp;

pub use cluster::Cluster;
pub use compose::Compose;
pub use redis_server::RedisServer;
pub use resp::{Connection, Reply};
