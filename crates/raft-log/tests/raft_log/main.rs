//! The log against the consensus engine's conformance suite, crashes at every operation, damage to
//! every bit, full and failing disks, and many writers.

mod concurrent;
mod crash_points;
mod damage;
mod engine_suite;
mod faults;
mod harness;
mod recycling;
