//! Access control: the rules of ACL SETUSER, and what a user may do.
//!
//! **Pure.** A user is a [`rivermark_cluster::User`], kept by the metadata machine; the commands that its rules
//! speak of are those of [`rivermark_protocol::commands::table`]. This crate is where the two meet:
//!
//! - [`rules`] changes a definition as ACL SETUSER's words say;
//! - [`describe`] writes a definition back in such words;
//! - [`Permissions`] is a definition compiled against the command table: it answers whether a request may run;
//! - [`password`] hashes and compares.
//!
//! Nothing here knows connections, or who is logged in where.

pub mod describe;
pub mod password;
mod permissions;
pub mod rules;
mod selector_rules;

pub use permissions::{Denial, Permissions};
pub use rules::{RuleError, RuleFault};
