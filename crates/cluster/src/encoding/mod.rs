//! The encodings, one file each: the only place their tags are written. Tags are durable.

mod command;
mod outcome;
pub(crate) mod snapshot;
mod topology;
mod user;
