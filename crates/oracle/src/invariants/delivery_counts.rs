//! A pending entry's delivery count is the number of its deliveries.
//!
//! Each `>`, history read and claim that returned it counts one, a claim of ids none; each unknown
//! command of the group may have counted one more. Groups whose cursor was moved are left out, because
//! a second `>` starts the count again.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, GroupEvidence, Handed, Handing};
use crate::operation::{ClaimForm, Operation};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group whose end was observed.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            if group.setids().next().is_none() {
                check_group(&group, &mut violations);
            }
        }
    }
    violations.into()
}

fn check_group(group: &GroupEvidence<'_>, violations: &mut Vec<Violation>) {
    let Some(last) = group.last else { return };
    let mut counted: BTreeMap<EntryId, Vec<&Call>> = BTreeMap::new();
    for handed in group.handed().into_iter().filter(counts) {
        counted.entry(handed.delivery.id).or_default().push(handed.call);
    }
    let unknown = group.calls.iter().filter(|call| may_count(call)).count() as u64;
    for pending in &last.pending {
        let calls = counted.get(&pending.id).map_or(&[][..], Vec::as_slice);
        let least = calls.len() as u64;
        if !(least..=least + unknown).contains(&pending.delivery_count) || pending.delivery_count == 0 {
            let message = format!(
                "{}: entry {} has delivery count {}, and {least} to {} deliveries",
                group.name(),
                pending.id,
                pending.delivery_count,
                least + unknown
            );
            violations.push(Violation::new(Invariant::DeliveryCounts, calls, message));
        }
    }
}

fn counts(handed: &Handed<'_>) -> bool {
    match handed.handing {
        Handing::New(_) | Handing::Claim(ClaimForm::Entries) => true,
        Handing::Claim(ClaimForm::IdsOnly) => false,
        // The record of an entry that is gone is shown without its payload and left as it is.
        Handing::History => handed.delivery.payload.is_some(),
    }
}

fn may_count(call: &Call) -> bool {
    call.is_unknown()
        && matches!(
            call.operation,
            Operation::Xreadgroup { .. }
                | Operation::Xclaim { form: ClaimForm::Entries, .. }
                | Operation::Xautoclaim { form: ClaimForm::Entries, .. }
        )
}
