//! Runs every invariant and sums up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::End;
use crate::evidence::Evidence;
use crate::history::{History, HistoryError};
use crate::invariants;
use crate::observation::Observation;
use crate::violation::{Findings, Invariant, Violation};

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every promise was kept as far as the history tells.
    Sound,
    /// Nothing contradicts the promises, but some check could not be finished.
    Undecided,
    /// A promise was broken.
    Violated,
}

/// How many of what there was to check: a sound verdict on an empty history says little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Operations that were answered.
    pub answered: usize,
    /// Operations that were refused.
    pub refused: usize,
    /// Operations of unknown outcome.
    pub unknown: usize,
    /// Operations without an end.
    pub open: usize,
    /// Streams.
    pub streams: usize,
    /// Consumer groups.
    pub groups: usize,
    /// Acknowledged XADDs.
    pub acknowledged: usize,
    /// Entries given to consumers in answers.
    pub delivered: usize,
    /// Answered XACKs.
    pub acks: usize,
}

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// What there was.
    pub counts: Counts,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Checks that could not be finished, and why.
    pub undecided: Vec<String>,
}

type Check = fn(&Evidence<'_>) -> Findings;

/// Every invariant's check.
pub const CHECKS: &[(Invariant, Check)] = &[
    (Invariant::OnlyAttempted, invariants::only_attempted::check),
    (Invariant::IdsIncrease, invariants::ids_increase::check),
    (Invariant::AppliedOnce, invariants::applied_once::check),
    (Invariant::AcknowledgedPresent, invariants::acknowledged_present::check),
    (Invariant::DeletedStaysDeleted, invariants::deleted_stays_deleted::check),
    (Invariant::LinearizableReads, invariants::linearizable_reads::check),
    (Invariant::TailReaders, invariants::tail_readers::check),
    (Invariant::OneConsumer, invariants::one_consumer::check),
    (Invariant::AckedStaysAcked, invariants::acked_stays_acked::check),
    (Invariant::PendingExact, invariants::pending_exact::check),
    (Invariant::DeliveredAtLeastOnce, invariants::delivered_at_least_once::check),
    (Invariant::CursorForward, invariants::cursor_forward::check),
    (Invariant::DeliveryCounts, invariants::delivery_counts::check),
    (Invariant::ReplicasAgree, invariants::replicas_agree::check),
    (Invariant::Responsive, invariants::responsive::check),
];

/// Checks everything.
///
/// # Errors
/// A history that no clients can have produced.
pub fn check(history: &History, observation: Option<&Observation>) -> Result<Report, HistoryError> {
    let evidence = Evidence::new(history, observation)?;
    let mut found = Findings::default();
    for (_, check) in CHECKS {
        let Findings { violations, undecided } = check(&evidence);
        found.violations.extend(violations);
        found.undecided.extend(undecided);
    }
    for stream in evidence.streams() {
        for group in stream.groups().1 {
            let why = "all its promises, because it may have been destroyed";
            found.undecided.push(format!("group {group:?} of stream {:?}: {why}", stream.key));
        }
    }
    let verdict = match (found.violations.is_empty(), found.undecided.is_empty()) {
        (false, _) => Verdict::Violated,
        (true, false) => Verdict::Undecided,
        (true, true) => Verdict::Sound,
    };
    let counts = Counts::of(&evidence);
    Ok(Report { verdict, counts, violations: found.violations, undecided: found.undecided })
}

impl Counts {
    fn of(evidence: &Evidence<'_>) -> Self {
        let mut counts = Self::default();
        for call in evidence.calls() {
            match call.end {
                End::Ok { .. } => counts.answered += 1,
                End::Fail { .. } => counts.refused += 1,
                End::Unknown { .. } => counts.unknown += 1,
                End::Open => counts.open += 1,
            }
        }
        for stream in evidence.streams() {
            counts.streams += 1;
            counts.acknowledged += stream.adds().filter(|(call, _)| call.reply().is_some()).count();
            for group in stream.groups().0 {
                counts.groups += 1;
                counts.delivered += group.handed().len();
                counts.acks += group.acks().count();
            }
        }
        counts
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{:?}: {} answered, {} refused, {} unknown, {} open; {} acknowledged entries in {} streams; {} \
             deliveries and {} acks in {} groups",
            self.verdict,
            counts.answered,
            counts.refused,
            counts.unknown,
            counts.open,
            counts.acknowledged,
            counts.streams,
            counts.delivered,
            counts.acks,
            counts.groups
        )?;
        self.violations.iter().try_for_each(|violation| writeln!(f, "violation: {violation}"))?;
        self.undecided.iter().try_for_each(|why| writeln!(f, "undecided: {why}"))
    }
}
