//! Transitions: what each command does to the shard, one file a command.

mod apply;
mod expire;
mod keys;
mod rename;
mod transaction;
mod xack;
mod xadd;
mod xautoclaim;
mod xcfgset;
mod xclaim;
mod xdel;
mod xdelex;
mod xgroup;
mod xnack;
mod xreadgroup;
mod xsetid;
mod xtrim;

pub(crate) use apply::{Change, apply, integer};
