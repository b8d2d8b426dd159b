//! What a run did, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use rivermark_oracle::{Call, End, EventKind, History, HistoryError, Operation};
use serde::Serialize;

use crate::nemesis::{Fault, seconds};
use crate::verdict::Judgement;

/// Error texts are told apart by this much of them.
const ERROR_CHARS_MAX: usize = 100;

/// How operations of one command ended.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    /// Answered.
    pub ok: u64,
    /// Refused.
    pub refused: u64,
    /// Of unknown outcome.
    pub unknown: u64,
}

/// A fault and what clients felt of it.
#[derive(Debug, Serialize)]
pub struct Felt {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// The longest time in which no XADD to some one stream was acknowledged, begun before the repair and
    /// ended after the injection.
    pub longest_pause_ns: u64,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The seed.
    pub seed: u64,
    /// The verdict.
    pub judgement: Judgement,
    /// Operations by command.
    pub operations: BTreeMap<String, Tally>,
    /// Refusals and reasons of unknown outcomes.
    pub errors: BTreeMap<String, u64>,
    /// How often a client reached no node.
    pub unsent: u64,
    /// The faults, in order.
    pub faults: Vec<Felt>,
}

impl RunReport {
    /// Sums a run up.
    ///
    /// # Errors
    /// A history that no clients can have produced.
    pub fn new(
        seed: u64,
        history: &History,
        faults: &[Fault],
        unsent: u64,
        judgement: Judgement,
    ) -> Result<Self, HistoryError> {
        let calls = history.calls()?;
        let faults = faults
            .iter()
            .map(|fault| Felt { fault: fault.clone(), longest_pause_ns: longest_pause(&calls, fault) })
            .collect();
        Ok(Self { seed, judgement, operations: tallies(&calls), errors: errors(history), unsent, faults })
    }
}

fn tallies(calls: &[Call]) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for call in calls {
        let value = serde_json::to_value(&call.operation).unwrap_or_default();
        let tally = tallies.entry(value["command"].as_str().unwrap_or("?").to_owned()).or_default();
        match call.end {
            End::Ok { .. } => tally.ok += 1,
            End::Fail { .. } => tally.refused += 1,
            End::Unknown { .. } | End::Open => tally.unknown += 1,
        }
    }
    tallies
}

fn errors(history: &History) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for event in &history.events {
        let text = match &event.kind {
            EventKind::Fail { error } => format!("refused: {error}"),
            EventKind::Unknown { reason } => format!("unknown: {reason}"),
            _ => continue,
        };
        *errors.entry(text.chars().take(ERROR_CHARS_MAX).collect()).or_insert(0) += 1;
    }
    errors
}

fn longest_pause(calls: &[Call], fault: &Fault) -> u64 {
    let mut acknowledged: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for call in calls {
        if let (Operation::Xadd { key, .. }, End::Ok { ended_ns, .. }) = (&call.operation, &call.end) {
            acknowledged.entry(key).or_default().push(*ended_ns);
        }
    }
    let mut longest = 0;
    for times in acknowledged.values_mut() {
        times.sort_unstable();
        let felt = times.windows(2).filter(|gap| gap[0] <= fault.healed_ns && gap[1] >= fault.injected_ns);
        longest = felt.map(|gap| gap[1] - gap[0]).fold(longest, u64::max);
    }
    longest
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14} {:>8} {:>8} {:>8}", "operation", "ok", "refused", "unknown")?;
        for (name, Tally { ok, refused, unknown }) in &self.operations {
            writeln!(f, "{name:<14} {ok:>8} {refused:>8} {unknown:>8}")?;
        }
        for (error, count) in &self.errors {
            writeln!(f, "{count:>8} × {error}")?;
        }
        writeln!(f, "{:>8} × no node reached, nothing sent", self.unsent)?;
        for Felt { fault, longest_pause_ns } in &self.faults {
            let Fault { kind, node, injected_ns, healed_ns } = fault;
            let (at, held) = (seconds(*injected_ns), seconds(healed_ns - injected_ns));
            let whom = node.map_or("all nodes".to_owned(), |node| format!("node {node}"));
            let pause = seconds(*longest_pause_ns);
            writeln!(
                f,
                "{at:>7.1} s  {kind:?} {whom} for {held:.1} s: longest pause of writes {pause:.2} s"
            )?;
        }
        for finding in &self.judgement.findings {
            writeln!(f, "finding: {finding}")?;
        }
        write!(f, "{}{}", self.judgement.oracle, if self.judgement.passed { "passed" } else { "FAILED" })
    }
}

#[cfg(test)]
mod tests {
    use rivermark_oracle::builder::{HistoryBuilder, added, xadd};

    use super::*;
    use crate::nemesis::Kind;

    #[test]
    fn the_pause_of_a_fault_is_the_longest_gap_it_touches() {
        let mut builder = HistoryBuilder::new();
        for (number, gap) in [(1, 10), (2, 500), (3, 100), (4, 900)] {
            builder.advance(gap).run(1, xadd("s", &number.to_string()), added(number));
        }
        let calls = builder.build().calls().expect("valid");
        let fault = Fault { kind: Kind::Pause, node: Some(0), injected_ns: 600, healed_ns: 610 };
        // Ends are at 12, 514, 616 and 1518.
        assert_eq!(longest_pause(&calls, &fault), 102);
        let long = Fault { injected_ns: 20, ..fault };
        assert_eq!(longest_pause(&calls, &long), 502);
    }
}
