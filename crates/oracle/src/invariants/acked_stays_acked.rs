//! An acked entry is never given to the group again.
//!
//! An XACK counts when the entry had been delivered before it began; from its answer on no `>`, history
//! read or claim that begins may return the entry, unless XGROUP SETID can have moved the cursor since.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, GroupEvidence};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            let acked = acked(&group);
            for handed in group.handed() {
                let Some(Acked { ack, delivery }) = acked.get(&handed.delivery.id) else { continue };
                if ack.precedes(handed.call) && !group.moved_between(delivery, handed.call) {
                    let message = format!(
                        "{}: entry {} was acked by {ack} and given to {:?} again by {}",
                        group.name(),
                        handed.delivery.id,
                        handed.consumer,
                        handed.call
                    );
                    let calls = [*ack, handed.call];
                    violations.push(Violation::new(Invariant::AckedStaysAcked, &calls, message));
                }
            }
        }
    }
    violations.into()
}

/// An entry that was delivered and then acked.
pub(super) struct Acked<'a> {
    /// The first answered XACK among those that began after a delivery.
    pub(super) ack: &'a Call,
    /// The first delivery to begin. An XGROUP SETID since then may cause another one, even if it came
    /// before the XACK.
    pub(super) delivery: &'a Call,
}

pub(super) fn acked<'a>(group: &GroupEvidence<'a>) -> BTreeMap<EntryId, Acked<'a>> {
    let mut deliveries: BTreeMap<EntryId, (&Call, u64)> = BTreeMap::new();
    for handed in group.handed() {
        let (_, by_ns) = deliveries.entry(handed.delivery.id).or_insert((handed.call, u64::MAX));
        *by_ns = handed.call.effective_by_ns().min(*by_ns);
    }
    let mut acked: BTreeMap<EntryId, Acked<'_>> = BTreeMap::new();
    for (ack, ids) in group.acks() {
        for id in ids {
            let Some((delivery, by_ns)) = deliveries.get(id) else { continue };
            if *by_ns >= ack.invoked_ns {
                continue;
            }
            let first = acked.entry(*id).or_insert(Acked { ack, delivery });
            if ack.effective_by_ns() < first.ack.effective_by_ns() {
                first.ack = ack;
            }
        }
    }
    acked
}
