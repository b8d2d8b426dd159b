//! Transitions: what each command does to the shard, one file a command.

mod apply;
mod expire;
mod keys;
mod transaction;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xreadgroup;
mod xsetid;
mod xtrim;

pub(crate) use apply::{Change, apply, integer};
