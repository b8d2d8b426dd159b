//! An acked entry is never given to the group again.
//!
//! An XACK counts when the entry had been delivered before it began; from its answer on no `>`, history
//! read or claim that begins may return the entry, unless XGROUP SETID can have moved the cursor since.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, GroupEvidence, Handed, Handing};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            let acked = acked(&group);
            for handed in group.handed() {
                let Some(Acked { ack, passed_ns }) = acked.get(&handed.delivery.id) else { continue };
                if ack.precedes(handed.call) && !group.moved_since(*passed_ns, handed.call.effective_by_ns())
                {
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
    /// An instant before which the cursor may not have been past the entry. An XGROUP SETID since then
    /// may have caused another delivery, even if it came before the XACK. Zero if no answer to a `>`
    /// says when it passed: the first delivery's answer was lost.
    pub(super) passed_ns: u64,
}

pub(super) fn acked<'a>(group: &GroupEvidence<'a>) -> BTreeMap<EntryId, Acked<'a>> {
    let mut deliveries: BTreeMap<EntryId, Vec<Handed<'_>>> = BTreeMap::new();
    for handed in group.handed() {
        deliveries.entry(handed.delivery.id).or_default().push(handed);
    }
    let mut acked: BTreeMap<EntryId, Acked<'_>> = BTreeMap::new();
    for (ack, ids) in group.acks() {
        for id in ids {
            let given = deliveries.get(id).map_or(&[][..], Vec::as_slice);
            let mut before = given.iter().filter(|handed| handed.call.precedes(ack)).peekable();
            if before.peek().is_none() {
                continue;
            }
            let new = before.find(|handed| matches!(handed.handing, Handing::New(_)));
            let passed_ns = new.map_or(0, |handed| handed.call.invoked_ns);
            let first = acked.entry(*id).or_insert(Acked { ack, passed_ns });
            if ack.effective_by_ns() < first.ack.effective_by_ns() {
                first.ack = ack;
            }
            first.passed_ns = first.passed_ns.min(passed_ns);
        }
    }
    acked
}
