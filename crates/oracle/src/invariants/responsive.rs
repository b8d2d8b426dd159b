//! Once faults are healed every operation is answered in time, and none hangs for ever.
//!
//! Needs the instant of healing in the observation. Commands that may wait for entries are
//! `tail_readers`' business. A refusal is an answer.

use crate::call::{Call, End};
use crate::evidence::Evidence;
use crate::violation::{Findings, Invariant, Violation};

/// Checks the calls that were outstanding after the heal.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    let Some(healed) = evidence.observation().and_then(|observation| observation.healed) else {
        return Findings::default();
    };
    for call in evidence.calls().iter().filter(|call| !call.operation.may_wait()) {
        let deadline_ns = call.invoked_ns.max(healed.at_ns).saturating_add(healed.budget_ns);
        let begun_after = call.invoked_ns >= healed.at_ns;
        let reason = match &call.end {
            End::Open => "was never answered",
            End::Unknown { .. } if begun_after => "has no answer",
            End::Ok { ended_ns, .. } | End::Fail { ended_ns, .. } if *ended_ns > deadline_ns => {
                "was answered too late"
            }
            _ => continue,
        };
        violations.push(late(call, reason, healed.at_ns));
    }
    violations.into()
}

fn late(call: &Call, reason: &str, healed_ns: u64) -> Violation {
    let message = format!("{call} {reason}; the last fault was healed at {healed_ns} ns");
    Violation::new(Invariant::Responsive, &[call], message)
}
