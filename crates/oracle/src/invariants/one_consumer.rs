//! `>` gives an entry to one consumer of a group, once.
//!
//! Exempt is an entry between whose two deliveries XGROUP SETID can have moved the cursor back.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::evidence::{Evidence, Handed, Handing};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            let mut given: BTreeMap<EntryId, Handed<'_>> = BTreeMap::new();
            for handed in group.handed() {
                if !matches!(handed.handing, Handing::New(_)) {
                    continue;
                }
                let Some(first) = given.insert(handed.delivery.id, handed) else { continue };
                let moved = group.moved_between(first.call, handed.call)
                    || group.moved_between(handed.call, first.call);
                if first.call.event == handed.call.event || !moved {
                    let message = format!(
                        "{}: entry {} was new to {:?} in {} and new again to {:?} in {}",
                        group.name(),
                        handed.delivery.id,
                        first.consumer,
                        first.call,
                        handed.consumer,
                        handed.call
                    );
                    let calls = [first.call, handed.call];
                    violations.push(Violation::new(Invariant::OneConsumer, &calls, message));
                }
            }
        }
    }
    violations.into()
}
