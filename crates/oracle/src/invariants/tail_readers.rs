//! A reader that waits for new entries misses none, whatever happens to the leader it waits at.
//!
//! Once a `$` read is known to wait, the first entry it returns is the first one added since: any other
//! that began after it was parked and has a smaller id was missed. A blocked read is woken by an entry:
//! one that is still waiting when the history ends, with an acknowledged entry for it in the stream,
//! was forgotten. (A recorder that stops its readers gives them an `info` event.) What a reader resumes
//! from is an id, and gaps after an id are found by `linearizable_reads`.

use rivermark_types::EntryId;

use crate::call::{Call, End};
use crate::chain::{Chain, Link};
use crate::evidence::{Evidence, StreamEvidence};
use crate::operation::{Operation, ReadFrom, Reply, Wait};
use crate::removals::Removals;
use crate::violation::{Findings, Invariant, Violation};

/// Checks every blocking XREAD.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        let Some(chain) = Chain::of(&stream) else { continue };
        let removals = Removals::of(&stream, &chain);
        for call in &stream.calls {
            let Operation::Xread { from, wait: Wait::Block, .. } = &call.operation else { continue };
            let found = match (&call.end, call.reply()) {
                (_, Some(Reply::Entries { entries })) if *from == ReadFrom::Newest => {
                    entries.first().and_then(|first| missed(&chain, &removals, call, first.id))
                }
                (End::Open, _) if evidence.observation().is_some() => {
                    forgotten(&chain, &removals, call, *from)
                }
                _ => None,
            };
            if let Some((link, reason)) = found {
                let mut calls: Vec<&Call> = vec![call];
                calls.extend(&link.writers);
                violations.push(report(&stream, &calls, link, &format!("{call} {reason}")));
            }
        }
    }
    violations.into()
}

type Found<'c, 'a> = Option<(&'c Link<'a>, String)>;

fn missed<'c, 'a>(chain: &'c Chain<'a>, removals: &Removals, call: &Call, first: EntryId) -> Found<'c, 'a> {
    let parked_ns = call.parked_ns?;
    let skipped = |link: &&Link<'_>| {
        link.id < first
            && link.possible_from_ns() > parked_ns
            && !removals.may_have_taken(link.id, call.effective_by_ns())
    };
    let link = chain.links.iter().find(skipped)?;
    Some((link, format!("waited from {parked_ns} ns and was given {first} first")))
}

fn forgotten<'c, 'a>(
    chain: &'c Chain<'a>,
    removals: &Removals,
    call: &Call,
    from: ReadFrom,
) -> Found<'c, 'a> {
    let owed = |link: &&Link<'_>| {
        let after = match from {
            ReadFrom::After(id) => link.id > id,
            ReadFrom::Newest => call.parked_ns.is_some_and(|ns| link.possible_from_ns() > ns),
        };
        after && link.certain_by_ns() != u64::MAX && !removals.may_have_taken_ever(link.id)
    };
    let link = chain.links.iter().find(owed)?;
    Some((link, "was never answered".to_owned()))
}

fn report(stream: &StreamEvidence<'_>, calls: &[&Call], link: &Link<'_>, reason: &str) -> Violation {
    let message = format!("stream {:?}: {reason}, missing {} {:?}", stream.key, link.id, link.payload);
    Violation::new(Invariant::TailReaders, calls, message)
}
