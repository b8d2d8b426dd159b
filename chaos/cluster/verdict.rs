//! Whether the run shows a fault of the product.

use rivermark_oracle::{History, HistoryError, Observation, Report, Verdict, check};
use serde::Serialize;

/// What the oracle says of the history, and what the run itself stumbled over.
#[derive(Debug, Serialize)]
pub struct Judgement {
    /// Whether there is nothing to look into.
    pub passed: bool,
    /// The oracle's report.
    pub oracle: Report,
    /// What no history shows: a node that did not come back, a group that is gone.
    pub findings: Vec<String>,
}

/// Judges a run. An undecided check fails it, as a violation does.
///
/// # Errors
/// A history that no clients can have produced: a fault of the workload.
pub fn judge(
    history: &History,
    observation: Option<&Observation>,
    findings: Vec<String>,
) -> Result<Judgement, HistoryError> {
    let oracle = check(history, observation)?;
    let passed = oracle.verdict == Verdict::Sound && findings.is_empty();
    Ok(Judgement { passed, oracle, findings })
}

#[cfg(test)]
mod tests {
    use rivermark_oracle::builder::{HistoryBuilder, added, entries, xadd, xrange_all};

    use super::*;

    #[test]
    fn a_lost_entry_and_a_finding_each_fail_the_run() {
        let kept = HistoryBuilder::new().run(1, xadd("s", "a"), added(5)).build();
        let lost = HistoryBuilder::new()
            .run(1, xadd("s", "a"), added(5))
            .run(2, xrange_all("s"), entries(&[]))
            .build();
        let judge = |history, findings: Vec<String>| judge(history, None, findings).expect("valid").passed;
        assert!(judge(&kept, Vec::new()));
        assert!(!judge(&kept, vec!["a node did not come back".to_owned()]));
        assert!(!judge(&lost, Vec::new()));
    }
}
