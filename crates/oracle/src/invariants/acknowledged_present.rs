//! What was acknowledged, or seen by anybody, is there at the end, exactly once.
//!
//! Exempt is what an XDEL names or a trim can have reached, unknown ones included. A loss is told apart
//! by where it is: at the end of the stream (a log tail was lost) or in its middle (damage, or a state
//! machine that disagrees).

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::chain::Chain;
use crate::evidence::{Evidence, StreamEvidence};
use crate::removals::Removals;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every stream whose end was observed.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for stream in evidence.streams() {
        let Some(last) = stream.last else { continue };
        let Some(chain) = Chain::of(&stream) else {
            let why = format!("stream {:?}: presence, because ids and payloads disagree", stream.key);
            findings.undecided.push(why);
            continue;
        };
        let mut present: BTreeMap<EntryId, usize> = BTreeMap::new();
        for entry in &last.entries {
            *present.entry(entry.id).or_default() += 1;
        }
        missing(&stream, &chain, &present, &mut findings.violations);
        for (id, times) in present.iter().filter(|(_, times)| **times > 1) {
            let message = format!("stream {:?}: entry {id} is there {times} times at the end", stream.key);
            findings.violations.push(Violation::new(Invariant::AcknowledgedPresent, &[], message));
        }
    }
    findings
}

fn missing(
    stream: &StreamEvidence<'_>,
    chain: &Chain<'_>,
    present: &BTreeMap<EntryId, usize>,
    violations: &mut Vec<Violation>,
) {
    let removals = Removals::of(stream, chain);
    let newest = present.keys().next_back().copied();
    for link in &chain.links {
        if present.contains_key(&link.id) || removals.may_have_taken_ever(link.id) {
            continue;
        }
        let place = match newest {
            Some(newest) if link.id < newest => "from the middle",
            _ => "from the end",
        };
        let known = match link.certain_by_ns() {
            u64::MAX => "was read by a client".to_owned(),
            by_ns => format!("was acknowledged at {by_ns} ns"),
        };
        let writer = link.writers.first().map_or_else(String::new, |call| format!(", added by {call},"));
        let message = format!(
            "stream {:?}: entry {} {:?}{writer} {known} and is missing {place}",
            stream.key, link.id, link.payload
        );
        violations.push(Violation::new(Invariant::AcknowledgedPresent, &link.writers, message));
    }
}
