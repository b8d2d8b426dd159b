//! At the end a group's pending entries are those delivered and not acked, each with one owner.
//!
//! Leak: an entry acked by an answered XACK is still pending. Loss: an entry that was delivered, that no
//! XACK named and whose owner was not deleted is not pending. Ghost: an entry is pending for a consumer
//! that no answer gave it to and that has no unknown command that may have taken it. Exempt from loss
//! are entries no longer in the stream once the group has claims, because a claim drops their record.

use std::collections::{BTreeMap, BTreeSet};

use rivermark_types::EntryId;

use super::acked_stays_acked::{Acked, acked};
use crate::call::Call;
use crate::evidence::{Evidence, GroupEvidence, Handed, Handing};
use crate::observation::FinalGroup;
use crate::operation::{Acknowledgement, Operation};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group whose end was observed.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            let Some(last) = group.last else { continue };
            let owners = Owners::of(&group);
            leaked(&group, last, &mut violations);
            lost(&group, last, &owners, &mut violations);
            ghosts(&group, last, &owners, &mut violations);
        }
    }
    violations.into()
}

fn violation(group: &GroupEvidence<'_>, calls: &[&Call], reason: &str) -> Violation {
    Violation::new(Invariant::PendingExact, calls, format!("{}: {reason}", group.name()))
}

fn leaked(group: &GroupEvidence<'_>, last: &FinalGroup, violations: &mut Vec<Violation>) {
    let acked = acked(group);
    for pending in &last.pending {
        let Some(Acked { ack, passed_ns }) = acked.get(&pending.id) else { continue };
        if !group.moved_since(*passed_ns, u64::MAX) {
            let reason = format!("entry {} was acked by {ack} and is still pending", pending.id);
            violations.push(violation(group, &[ack], &reason));
        }
    }
}

/// Who was given which entry so that it became or stayed pending.
struct Owners<'a> {
    by_entry: BTreeMap<EntryId, Vec<Handed<'a>>>,
    /// Consumers with a command of unknown outcome that may have taken entries.
    doubtful: BTreeSet<&'a str>,
}

impl<'a> Owners<'a> {
    fn of(group: &GroupEvidence<'a>) -> Self {
        let mut by_entry: BTreeMap<EntryId, Vec<Handed<'a>>> = BTreeMap::new();
        for handed in group.handed() {
            if handed.handing != Handing::New(Acknowledgement::None) {
                by_entry.entry(handed.delivery.id).or_default().push(handed);
            }
        }
        let mut doubtful = BTreeSet::new();
        for call in group.calls.iter().filter(|call| call.is_unknown()) {
            if let Operation::Xreadgroup { consumer, .. }
            | Operation::Xclaim { consumer, .. }
            | Operation::Xautoclaim { consumer, .. } = &call.operation
            {
                doubtful.insert(consumer.as_str());
            }
        }
        Self { by_entry, doubtful }
    }

    fn may_own(&self, id: EntryId, consumer: &str) -> bool {
        let given = self.by_entry.get(&id).into_iter().flatten();
        self.doubtful.contains(consumer) || given.into_iter().any(|handed| handed.consumer == consumer)
    }
}

fn lost(group: &GroupEvidence<'_>, last: &FinalGroup, owners: &Owners<'_>, violations: &mut Vec<Violation>) {
    let pending: BTreeSet<EntryId> = last.pending.iter().map(|pending| pending.id).collect();
    let present: BTreeSet<EntryId> =
        group.stream.last.iter().flat_map(|last| last.entries.iter().map(|entry| entry.id)).collect();
    let mut named: BTreeSet<EntryId> = BTreeSet::new();
    let mut deleted_consumers: Vec<&str> = Vec::new();
    let mut claims = false;
    for call in &group.calls {
        match &call.operation {
            Operation::Xack { ids, .. } => named.extend(ids),
            Operation::XgroupDelconsumer { consumer, .. } => deleted_consumers.push(consumer),
            Operation::Xclaim { .. } | Operation::Xautoclaim { .. } => claims = true,
            _ => {}
        }
    }
    for (id, handed) in &owners.by_entry {
        let dropped = claims && !present.contains(id);
        let owner_deleted = deleted_consumers.iter().any(|consumer| owners.may_own(*id, consumer));
        if pending.contains(id) || named.contains(id) || dropped || owner_deleted {
            continue;
        }
        let calls: Vec<&Call> = handed.iter().map(|handed| handed.call).collect();
        let Some(first) = handed.first() else { continue };
        let reason = format!(
            "entry {id} was delivered to {:?} by {}, never acked, and is not pending",
            first.consumer, first.call
        );
        violations.push(violation(group, &calls, &reason));
    }
}

fn ghosts(
    group: &GroupEvidence<'_>,
    last: &FinalGroup,
    owners: &Owners<'_>,
    violations: &mut Vec<Violation>,
) {
    let mut listed = BTreeSet::new();
    for pending in &last.pending {
        if !listed.insert(pending.id) {
            let reason = format!("entry {} is pending more than once", pending.id);
            violations.push(violation(group, &[], &reason));
        }
        if !owners.may_own(pending.id, &pending.consumer) {
            let reason = format!(
                "entry {} is pending for {:?}, which was never given it",
                pending.id, pending.consumer
            );
            violations.push(violation(group, &[], &reason));
        }
    }
}
