//! Batches: what one log entry of a shard carries.
//!
//! A router encodes each command once and groups what it has for a shard into a [`Part`]: consecutive
//! sequence numbers of its session. The leader's proposer joins the parts that wait, stamps the batch, and
//! that is the log entry; nothing is encoded again on the way to any replica.
//!
//! Sessions give exactly-once (design P2): the machine applies a session's commands in sequence, each
//! once, and remembers outcomes until the router acknowledged them, so a part that arrives twice (a retry
//! over a leader change) is answered from memory.

use bytes::Bytes;
use rivermark_types::{SessionId, UnixMillis};

use crate::outcome::Outcome;

/// Consecutive commands of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whose. [`SessionId::NONE`] is applied as often as it is proposed, and its sequence ignored.
    pub session: SessionId,
    /// The first command's number. A session starts at 1.
    pub first_sequence: u64,
    /// The router holds the outcomes of all lower numbers: the machine may forget them.
    pub acknowledged_below: u64,
    /// How many commands. Zero refreshes the session.
    pub count: u32,
    /// The commands, encoded one after the other.
    pub commands: Bytes,
}

/// One log entry: parts under one stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The leader's clock. The machine never lets it step back.
    pub stamp: UnixMillis,
    /// In proposal order.
    pub parts: Vec<Part>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOutcome {
    /// One outcome a command, now or from memory.
    Applied(Vec<Outcome>),
    /// Not applied: commands before it are missing. The router sends again from `expected`.
    Gap {
        /// The next number the machine will take.
        expected: u64,
    },
    /// Not applied: the session is unknown (it expired) or its outcomes were acknowledged and forgotten.
    SessionUnknown,
}
