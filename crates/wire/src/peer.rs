//! Between routers and leaders.
#![allow(missing_docs, reason = "generated code; the proto file documents it")]
tonic::include_proto!("rivermark.peer.v1");
