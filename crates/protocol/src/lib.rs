//! RESP in and out, the command table, and the grammar of every command.
//!
//! **Pure.** Bytes come in, values go out, and the other way round; no socket, clock or randomness. The way of
//! a request through this crate:
//!
//! 1. [`RequestDecoder`] cuts a [`Request`] out of what the connection has read.
//! 2. [`commands::resolve`] finds its row in the command table: unknown commands and wrong numbers of
//!    arguments end here. The row ([`CommandSpec`]) says what the command touches: keys, flags, categories.
//! 3. [`CommandSpec::parse`] applies the command's grammar and yields a [`Parsed`]: a replicated command, a query,
//!    something for the connection or the node, or a reply that needs no state at all.
//! 4. [`reply::write_outcome`] writes what the shard answered with a [`ReplyWriter`]; a refusal anywhere is a
//!    [`ReplyError`].
//!
//! Steps 2 and 3 are apart because MULTI queues commands that resolve, and reports grammar errors only in EXEC's
//! answer.

pub mod commands;
pub mod reply;
mod reply_error;
pub mod resp;

pub use commands::{CommandSpec, Parsed};
pub use reply_error::ReplyError;
pub use resp::{Authentication, DecodeError, Frame, Protocol, ReplyWriter, Request, RequestDecoder};
