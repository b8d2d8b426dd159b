//! One load generator for Rivermark and every peer that speaks RESP.
//!
//! Runs are interleaved (each round measures every target once) and compared as ratios of medians, since
//! the machine's speed drifts. Nothing here asserts a time.

mod arguments;
mod reply;
mod report;
mod run;
mod workload;

pub use arguments::{BenchArguments, Shape, Target};
pub use run::run;
