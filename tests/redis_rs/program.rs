//! What the programs have in common: the disturbance in their middle, and the numbers they write and read.

use std::time::{Duration, Instant};

use redis::streams::{StreamAddOptions, StreamId, StreamRangeReply};
use rivermark_tests::Cluster;

/// How long a program may take in all.
const PROGRAM_MAX: Duration = Duration::from_secs(90);

/// What happens in the middle of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// A node dies at once, and comes back when the program is done.
    Kill(u16),
}

impl Disturbance {
    /// Disturbs the cluster.
    pub fn strike(self, cluster: &Cluster) {
        if let Self::Kill(node) = self {
            cluster.kill(node);
        }
    }

    /// Undoes what [`Self::strike`] did.
    pub fn mend(self, cluster: &mut Cluster) {
        if let Self::Kill(node) = self {
            cluster.restart(node);
        }
    }
}

/// Bounds a program that waits for others.
pub struct Deadline(Instant);

impl Deadline {
    /// From now on.
    pub fn start() -> Self {
        Self(Instant::now() + PROGRAM_MAX)
    }

    /// # Panics
    /// If the program takes too long.
    pub fn check(&self) {
        assert!(Instant::now() < self.0, "the program takes longer than {PROGRAM_MAX:?}");
    }
}

/// Tells a repetition of this number's entry from a new entry, since redis-rs repeats what got no reply.
pub fn once(number: u32) -> StreamAddOptions {
    StreamAddOptions::default().idmp("producer", number.to_string())
}

/// The number an entry carries.
///
/// # Panics
/// If it carries none.
pub fn number_of(entry: &StreamId) -> u32 {
    entry.get("n").expect("every entry has a number")
}

/// The numbers of a range.
pub fn numbers_of(range: &StreamRangeReply) -> Vec<u32> {
    range.ids.iter().map(number_of).collect()
}
