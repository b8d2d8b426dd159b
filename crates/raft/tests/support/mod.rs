//! What the cluster tests share.

mod nodes;

#[allow(unused_imports, reason = "each test target uses its part")]
pub use nodes::{Cluster, KEY, Running, Session, Sink, SystemClock, add, key, length, wait};
