//! What a check found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Call;

/// The promises, one file of `invariants/` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the head of the file of its name")]
pub enum Invariant {
    IdsIncrease,
    OnlyAttempted,
    AcknowledgedPresent,
    AppliedOnce,
    DeletedStaysDeleted,
    LinearizableReads,
    TailReaders,
    OneConsumer,
    AckedStaysAcked,
    PendingExact,
    DeliveredAtLeastOnce,
    CursorForward,
    DeliveryCounts,
    ReplicasAgree,
    Responsive,
}

/// A promise broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// What happened, for a reader who has the history at hand.
    pub message: String,
    /// The invocations it is about, by place among the history's events.
    pub events: Vec<usize>,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, calls: &[&Call], message: String) -> Self {
        let mut events: Vec<usize> = calls.iter().map(|call| call.event).collect();
        events.dedup();
        Self { invariant, message, events }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.message)
    }
}

/// The result of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Broken promises. Each is certain: no order of the recorded operations explains what was seen.
    pub violations: Vec<Violation>,
    /// What could not be decided, and why.
    pub undecided: Vec<String>,
}

impl From<Vec<Violation>> for Findings {
    fn from(violations: Vec<Violation>) -> Self {
        Self { violations, undecided: Vec::new() }
    }
}
