//! Every entry reaches every group.
//!
//! An entry that is in the stream at the end and after the place a group started from was returned to a
//! consumer, or is pending because the answer that returned it was lost. If the group was drained,
//! that goes for all entries; if not, for those its cursor has passed. Exempt is what XGROUP SETID can
//! have skipped, and what an unknown NOACK read or a deleted consumer can have taken with it.

use std::collections::BTreeSet;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::chain::{Chain, Link};
use crate::evidence::{Evidence, GroupEvidence};
use crate::observation::{Drained, FinalGroup, FinalStream};
use crate::operation::{Acknowledgement, Cursor, Operation};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group whose end was observed.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for stream in evidence.streams() {
        let (Some(chain), Some(last_stream)) = (Chain::of(&stream), stream.last) else { continue };
        for group in stream.groups().0 {
            let Some(last) = group.last else { continue };
            if may_have_taken_unseen(&group) {
                let why = "whether all was delivered, because an unknown command may have taken entries";
                findings.undecided.push(format!("{}: {why}", group.name()));
                continue;
            }
            if !group.calls.iter().any(|call| matches!(call.operation, Operation::XgroupCreate { .. })) {
                let why = "whether all was delivered, because its XGROUP CREATE was not recorded";
                findings.undecided.push(format!("{}: {why}", group.name()));
                continue;
            }
            undelivered(&group, &chain, last_stream, last, &mut findings.violations);
        }
    }
    findings
}

/// Whether entries may have been delivered in a lost answer and left no pending record.
fn may_have_taken_unseen(group: &GroupEvidence<'_>) -> bool {
    let mut unknown_reads = group.calls.iter().filter(|call| call.is_unknown());
    let deletes = group.calls.iter().any(|c| matches!(c.operation, Operation::XgroupDelconsumer { .. }));
    unknown_reads.any(|call| match call.operation {
        Operation::Xreadgroup { acknowledgement, .. } => deletes || acknowledgement == Acknowledgement::None,
        _ => false,
    })
}

fn undelivered(
    group: &GroupEvidence<'_>,
    chain: &Chain<'_>,
    last_stream: &FinalStream,
    last: &FinalGroup,
    violations: &mut Vec<Violation>,
) {
    let mut reached: BTreeSet<EntryId> = group.handed().iter().map(|handed| handed.delivery.id).collect();
    reached.extend(last.pending.iter().map(|pending| pending.id));
    for entry in &last_stream.entries {
        let Some(place) = chain.position(entry.id) else { continue };
        let link = &chain.links[place];
        if reached.contains(&entry.id) || skipped(group, link) {
            continue;
        }
        let reason = if entry.id <= last.last_delivered {
            "was delivered to nobody although the cursor has passed it"
        } else if last.drained == Drained::Yes {
            "was delivered to nobody although the group was read to the end"
        } else {
            continue;
        };
        let message = format!("{}: entry {} {:?} {reason}", group.name(), entry.id, entry.payload);
        violations.push(Violation::new(Invariant::DeliveredAtLeastOnce, &link.writers, message));
    }
}

/// Whether the group's creation or a move of its cursor can have put it past the entry.
fn skipped(group: &GroupEvidence<'_>, link: &Link<'_>) -> bool {
    let past = |call: &&Call| match &call.operation {
        Operation::XgroupCreate { cursor, .. } | Operation::XgroupSetid { cursor, .. } => match cursor {
            Cursor::At(id) => *id >= link.id,
            Cursor::Newest => link.possible_from_ns() <= call.effective_by_ns(),
        },
        _ => false,
    };
    group.calls.iter().any(past)
}
