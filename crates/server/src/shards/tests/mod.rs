//! The router half against scripted leaders over a real machine, the waiters against a naive model, and a
//! link over a real socket.

mod claimers;
mod cluster;
mod leaders;
mod link;
mod readers;
mod session;
mod waiters;
