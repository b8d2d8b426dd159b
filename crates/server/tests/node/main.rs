//! One real node, as a process, seen from its sockets.

mod blocking;
mod commands;
mod connections;
mod lifecycle;
mod process;
mod tls;
mod tools;
mod transactions;
mod users;
