//! Raft between nodes.
#![allow(missing_docs, reason = "generated code; the proto file documents it")]
tonic::include_proto!("rivermark.raft.v1");
