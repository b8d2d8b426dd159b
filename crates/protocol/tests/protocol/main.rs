//! What the crate promises, from outside: requests in, commands out, replies in the reference's bytes.
//!
//! Grammar tests are tables: one line a case, `accept` for what a request means, `refuse` for the error it gets.

mod check;
mod decoder;
mod describe;
mod documents;
mod grammar_connection;
mod grammar_groups;
mod grammar_keys;
mod grammar_newer;
mod grammar_node;
mod grammar_reads;
mod grammar_time;
mod grammar_users;
mod grammar_writes;
mod keys_agree;
mod limits;
mod replies;
mod resolve;
mod writer;
