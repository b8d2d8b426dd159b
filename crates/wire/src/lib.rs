//! Generated code for the messages between processes, and their conversions.
//!
//! The only user of prost. Payload bytes are already encoded by the machines' own versioned encodings and
//! pass through as shared slices.

pub mod peer;
pub mod raft;
