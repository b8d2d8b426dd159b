//! A write is applied once, however often it was sent.
//!
//! Routers retry XADD through a failover under their session's sequence numbers, producers under IDMP. In
//! both cases a payload has one id wherever it is seen, and all answers under one idempotence name the
//! same id.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, Sighting, StreamEvidence};
use crate::operation::{Idempotence, Operation, Reply};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every stream.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        one_id_a_payload(&stream, &mut violations);
        one_id_an_idempotence(&stream, &mut violations);
    }
    violations.into()
}

fn one_id_a_payload(stream: &StreamEvidence<'_>, violations: &mut Vec<Violation>) {
    let mut ids: BTreeMap<&str, Sighting<'_>> = BTreeMap::new();
    for sighting in stream.sightings() {
        let first = ids.entry(sighting.payload).or_insert(sighting);
        if first.id != sighting.id {
            let message = format!(
                "stream {:?}: {:?} is there twice, as {} and as {}",
                stream.key, sighting.payload, first.id, sighting.id
            );
            let calls: Vec<&Call> = first.call.into_iter().chain(sighting.call).collect();
            violations.push(Violation::new(Invariant::AppliedOnce, &calls, message));
        }
    }
}

fn one_id_an_idempotence(stream: &StreamEvidence<'_>, violations: &mut Vec<Violation>) {
    let mut ids: BTreeMap<&Idempotence, (EntryId, &Call)> = BTreeMap::new();
    for call in &stream.calls {
        let (Operation::Xadd { idempotence: Some(names), .. }, Some(Reply::Added { id })) =
            (&call.operation, call.reply())
        else {
            continue;
        };
        let (first, earlier) = *ids.entry(names).or_insert((*id, call));
        if first != *id {
            let message = format!(
                "stream {:?}: {earlier} and {call}, both number {:?} of producer {:?}, got {first} and {id}",
                stream.key, names.number, names.producer
            );
            violations.push(Violation::new(Invariant::AppliedOnce, &[earlier, call], message));
        }
    }
}
