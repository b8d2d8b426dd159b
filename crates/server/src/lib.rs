//! The node as a library, and the rivermark binary.
//!
//! The way of a request: `net::connection` cuts requests out of bytes and keeps replies in order,
//! [`dispatch`] decides what becomes of each, `net::run` takes consecutive ones to the shards together,
//! `execute` holds what the kinds of commands do, [`shards`] is the path to the shards' leaders, and
//! `reply` writes what they answer.
//!
//! [`start`] wires a node, [`shutdown`] takes it apart, [`dev`] runs a whole cluster on one machine.

pub mod access;
pub mod admin;
pub mod args;
pub mod clients;
pub mod clock;
pub mod config;
pub mod config_file;
pub mod data_lock;
pub mod dev;
pub mod dispatch;
pub mod doctor;
pub mod durations;
pub mod execute;
pub mod http;
pub mod http_get;
pub mod latency;
pub mod logs;
pub mod metrics;
pub mod monitors;
pub mod net;
pub mod node;
pub mod operate;
pub mod pauses;
pub mod process;
pub mod reply;
pub mod rpc;
pub mod sampling;
pub mod saves;
pub mod scatter;
pub mod session;
pub mod settings;
pub mod shards;
pub mod shutdown;
pub mod slow_log;
pub mod start;
pub mod stats;
pub mod status;
pub mod tls;
pub mod tunables;
