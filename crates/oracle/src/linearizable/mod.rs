//! Is there one order of a stream's operations, agreeing with real time, in which every read saw what it
//! says?
//!
//! Ids order the adds already ([`crate::chain`]), so the question is only where reads and removals go.
//! A stream without removals is decided exactly and in near-linear time by [`schedule`]; one with
//! removals by [`search`], exactly too unless its bound on branching is met. [`windows`] looks at each
//! read alone: weaker, but it always finishes and says best what is wrong.

mod config;
mod reads;
mod schedule;
mod search;
mod windows;

pub(crate) use reads::{Read, Shape, reads_of};
pub(crate) use schedule::check as schedule;
pub(crate) use search::{Outcome, check as search};
pub(crate) use windows::check as windows;
