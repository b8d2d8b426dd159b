//! Ids order entries as time did, and no id is given twice.
//!
//! If one XADD was answered before another began, its entry's id is the smaller one. An id belongs to
//! one payload for ever, in every answer and at the end: a new leader that forgot an id and gave it
//! again is found here. Retries under one idempotence count as one XADD.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, Sighting, StreamEvidence};
use crate::operation::Reply;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every stream.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        one_payload_an_id(&stream, &mut violations);
        order_follows_time(&stream, &mut violations);
    }
    violations.into()
}

fn one_payload_an_id(stream: &StreamEvidence<'_>, violations: &mut Vec<Violation>) {
    let mut owners: BTreeMap<EntryId, Sighting<'_>> = BTreeMap::new();
    for sighting in stream.sightings() {
        let owner = owners.entry(sighting.id).or_insert(sighting);
        if owner.payload != sighting.payload {
            let message = format!(
                "stream {:?}: id {} was given to {:?} and to {:?}",
                stream.key, sighting.id, owner.payload, sighting.payload
            );
            let calls: Vec<&Call> = owner.call.into_iter().chain(sighting.call).collect();
            violations.push(Violation::new(Invariant::IdsIncrease, &calls, message));
        }
    }
}

/// One entry's XADD, retries taken together.
struct Add<'a> {
    from_ns: u64,
    by_ns: u64,
    id: Option<EntryId>,
    call: &'a Call,
}

fn order_follows_time(stream: &StreamEvidence<'_>, violations: &mut Vec<Violation>) {
    let mut adds: BTreeMap<&str, Add<'_>> = BTreeMap::new();
    for (call, payload) in stream.adds().filter(|(call, _)| call.may_have_happened()) {
        let by_ns = call.effective_by_ns();
        let add = adds.entry(payload).or_insert(Add { from_ns: call.invoked_ns, by_ns, id: None, call });
        add.from_ns = add.from_ns.min(call.invoked_ns);
        if let Some(Reply::Added { id }) = call.reply() {
            add.by_ns = add.by_ns.min(by_ns);
            add.id = Some(*id);
        }
    }
    let mut begun: Vec<(EntryId, Add<'_>)> =
        adds.into_values().filter_map(|add| add.id.map(|id| (id, add))).collect();
    begun.sort_by_key(|(_, add)| add.from_ns);
    let mut ended: Vec<(u64, EntryId, &Call)> =
        begun.iter().map(|(id, add)| (add.by_ns, *id, add.call)).collect();
    ended.sort_by_key(|(by_ns, ..)| *by_ns);
    let mut ended = ended.into_iter().peekable();
    let mut greatest: Option<(EntryId, &Call)> = None;
    for (id, add) in &begun {
        while let Some((_, other, call)) = ended.next_if(|(by_ns, ..)| *by_ns < add.from_ns) {
            if greatest.is_none_or(|(id, _)| id < other) {
                greatest = Some((other, call));
            }
        }
        if let Some((before, earlier)) = greatest.filter(|(before, _)| before > id) {
            let message = format!(
                "stream {:?}: {} got id {id} although {earlier} had got {before} before it began",
                stream.key, add.call
            );
            violations.push(Violation::new(Invariant::IdsIncrease, &[earlier, add.call], message));
        }
    }
}
