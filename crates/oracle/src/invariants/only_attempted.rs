//! Nothing is read that no client tried to write, and nothing that was refused.
//!
//! An answer or the end that shows a payload needs an XADD of it that had begun by then and was not
//! refused. A refusal is a promise: the product says "unknown" whenever it cannot keep it.

use std::collections::BTreeMap;

use crate::call::Call;
use crate::evidence::Evidence;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every stream.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        let mut attempts: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for (call, payload) in stream.adds() {
            attempts.entry(payload).or_default().push(call);
        }
        for sighting in stream.sightings() {
            let tried = attempts.get(sighting.payload).map_or(&[][..], Vec::as_slice);
            let begun: Vec<&Call> = match sighting.call {
                Some(call) => {
                    tried.iter().copied().filter(|add| add.invoked_ns <= call.effective_by_ns()).collect()
                }
                None => tried.to_vec(),
            };
            let reason = if tried.is_empty() {
                "which no XADD ever carried"
            } else if begun.is_empty() {
                "before any XADD of it began"
            } else if !begun.iter().any(|add| add.may_have_happened()) {
                "whose XADD was refused"
            } else {
                continue;
            };
            let who =
                sighting.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
            let message = format!(
                "stream {:?}: {who} shows {} {:?}, {reason}",
                stream.key, sighting.id, sighting.payload
            );
            let calls: Vec<&Call> = tried.iter().copied().chain(sighting.call).collect();
            violations.push(Violation::new(Invariant::OnlyAttempted, &calls, message));
        }
    }
    violations.into()
}
