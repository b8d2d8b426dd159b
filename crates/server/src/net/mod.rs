//! Sockets of clients, and nothing but sockets.

pub mod connection;
pub mod linger;
pub mod listener;
pub mod read_pace;
pub mod run;
pub mod stream;
