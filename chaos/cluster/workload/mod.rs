//! What clients do: writers, readers and group workers over a handful of streams.

mod reader;
mod running;
mod streams;
mod worker;
mod writer;

pub use running::Workload;
pub use streams::{GROUP, STREAMS, prepare};
pub use worker::drain;
