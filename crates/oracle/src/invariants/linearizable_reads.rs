//! XLEN, XRANGE, XREVRANGE, XREAD and the observation at the end agree with one order of all operations
//! on their stream, and that order with real time.
//!
//! See the `linearizable` module for how it is decided. Each stream is checked by itself. Group commands
//! take no part: what they promise has invariants of its own.

use crate::chain::Chain;
use crate::evidence::{Evidence, StreamEvidence};
use crate::linearizable::{Outcome, reads_of, schedule, search, windows};
use crate::removals::Removals;
use crate::violation::Findings;

/// Checks every stream.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for stream in evidence.streams() {
        check_stream(&stream, &mut findings);
    }
    findings
}

fn check_stream(stream: &StreamEvidence<'_>, findings: &mut Findings) {
    let Some(mut chain) = Chain::of(stream) else {
        let why =
            format!("stream {:?}: an order of its reads, because ids and payloads disagree", stream.key);
        findings.undecided.push(why);
        return;
    };
    let removals = Removals::of(stream, &chain);
    let (reads, malformed) = reads_of(stream, &chain);
    let alone = windows(stream, &chain, &removals, &reads);
    let contradictions = !malformed.is_empty() || !alone.is_empty();
    findings.violations.extend(malformed);
    findings.violations.extend(alone);
    if contradictions {
        return;
    }
    // Without removals the observation at the end shows every entry that came before it, so an add whose
    // entry is not there took effect after every read, or never.
    if removals.none() && stream.last.is_some() {
        chain.unseen.clear();
    }
    if removals.none() && chain.unseen.is_empty() {
        findings.violations.extend(schedule(stream, &chain, &reads).err());
        return;
    }
    match search(stream, &chain, &reads) {
        Outcome::Linearizable => {}
        Outcome::Violated(violation) => findings.violations.push(violation),
        Outcome::Undecided => {
            let why = format!(
                "stream {:?}: an order of its reads, because too many removals overlap or are unknown",
                stream.key
            );
            findings.undecided.push(why);
        }
    }
}
