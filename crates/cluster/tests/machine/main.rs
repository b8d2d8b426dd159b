//! The metadata machine from the outside: transitions, encodings, leader targets.

mod encoding;
mod leaders;
mod strategies;
mod transitions;
mod users;
