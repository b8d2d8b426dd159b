//! An entry that an answered XDEL named is never read again.
//!
//! Only for entries known to exist before the XDEL began: one may name ids that come into being later.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::Evidence;
use crate::operation::Operation;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every stream.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        let sightings = stream.sightings();
        let mut known_by_ns: BTreeMap<EntryId, u64> = BTreeMap::new();
        for (id, call) in sightings.iter().filter_map(|seen| seen.call.map(|call| (seen.id, call))) {
            let by_ns = known_by_ns.entry(id).or_insert(u64::MAX);
            *by_ns = call.effective_by_ns().min(*by_ns);
        }
        let mut deleted: BTreeMap<EntryId, &Call> = BTreeMap::new();
        for call in stream.calls.iter().filter(|call| call.reply().is_some()) {
            let Operation::Xdel { ids, .. } = &call.operation else { continue };
            for id in ids.iter().filter(|id| known_by_ns.get(id).is_some_and(|ns| *ns < call.invoked_ns)) {
                let first = deleted.entry(*id).or_insert(call);
                if call.effective_by_ns() < first.effective_by_ns() {
                    *first = call;
                }
            }
        }
        for seen in &sightings {
            let Some(deletion) = deleted.get(&seen.id) else { continue };
            // A retried XADD answers the entry's id whether or not the entry is still there.
            let shows =
                |call: &Call| !matches!(call.operation, Operation::Xadd { .. }) && deletion.precedes(call);
            if seen.call.is_none_or(shows) {
                let who =
                    seen.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
                let message =
                    format!("stream {:?}: {who} shows {}, which {deletion} removed", stream.key, seen.id);
                let calls: Vec<&Call> = [*deletion].into_iter().chain(seen.call).collect();
                violations.push(Violation::new(Invariant::DeletedStaysDeleted, &calls, message));
            }
        }
    }
    violations.into()
}
