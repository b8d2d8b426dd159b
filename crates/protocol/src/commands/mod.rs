//! The command table and the grammar of every command, one file a command.

mod args;
mod block;
mod client;
mod client_kill;
mod cluster;
mod command;
mod config;
mod connection;
mod expire;
mod hello;
mod help;
mod ids;
mod keys;
mod node;
pub mod parsed;
mod resolve;
mod scan;
mod spec;
mod streams_option;
pub mod table;
mod transaction;
mod trim;
mod ttl;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

pub use parsed::Parsed;
pub use resolve::{parse, resolve};
pub use spec::{AclCategories, CommandFlags, CommandGroup, CommandSpec, KeySpec};

use resolve::container;
