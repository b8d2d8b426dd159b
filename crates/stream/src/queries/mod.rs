//! Reads: what each query answers, one file a query or family.

mod answer;
mod dump;
mod keys;
mod xinfo;
mod xpending;
mod xrange;
mod xrangebyscore;
mod xread;

pub(crate) use answer::{AskedBy, View, answer};
