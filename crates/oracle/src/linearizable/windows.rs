//! Each read alone: what it must show and what it cannot have shown.
//!
//! An entry that was acknowledged before the read began, lies in the range asked for and can have been
//! removed by nothing must be shown. So must every entry older than one that is shown, whenever it was
//! added, because adds take effect in id order: this is how a `$` reader's gap is found. Sound for any
//! history, removals or not; it does not see contradictions between reads.

use crate::chain::Chain;
use crate::evidence::StreamEvidence;
use crate::linearizable::{Read, Shape};
use crate::removals::Removals;
use crate::violation::{Invariant, Violation};

/// Checks every read of `stream`.
pub(crate) fn check(
    stream: &StreamEvidence<'_>,
    chain: &Chain<'_>,
    removals: &Removals,
    reads: &[Read<'_>],
) -> Vec<Violation> {
    let lengths = Lengths::of(chain);
    let mut violations = Vec::new();
    for read in reads {
        let found = match &read.shape {
            Shape::Length(length) => lengths.contradict(chain, removals, read, *length),
            Shape::Forward(_) | Shape::Backward(_) => contradict(chain, removals, read),
            Shape::Resolved(_) => None,
        };
        if let Some(reason) = found {
            let who = read.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
            let calls: Vec<_> = read.call.into_iter().collect();
            let message = format!("stream {:?}: {who} {reason}", stream.key);
            violations.push(Violation::new(Invariant::LinearizableReads, &calls, message));
        }
    }
    violations
}

/// The first thing wrong with what the read shows.
fn contradict(chain: &Chain<'_>, removals: &Removals, read: &Read<'_>) -> Option<String> {
    let (shown, forward) = match &read.shape {
        Shape::Forward(shown) => (shown, true),
        Shape::Backward(shown) => (shown, false),
        _ => return None,
    };
    if let Some(place) =
        shown.places.last().filter(|place| chain.links[**place].possible_from_ns() > read.by_ns)
    {
        return Some(format!("shows {} before its XADD began", chain.links[*place].id));
    }
    // What COUNT may have cut off is past the end the read walks towards.
    let (first, last) = (shown.places.first().copied(), shown.places.last().copied());
    let from = if forward || !shown.is_full() { shown.window.start } else { first? };
    let to = if !forward || !shown.is_full() { shown.window.end } else { last? + 1 };
    let mut seen = shown.places.iter().copied().peekable();
    for place in from..to {
        if seen.next_if_eq(&place).is_some() {
            continue;
        }
        let link = &chain.links[place];
        let surely_added = last.is_some_and(|last| place < last) || link.certain_by_ns() < read.from_ns;
        if surely_added && !removals.may_have_taken(link.id, read.by_ns) {
            let writer = link.writers.first().map_or_else(String::new, |call| format!(" ({call})"));
            return Some(format!("does not show {} {:?}{writer}", link.id, link.payload));
        }
    }
    None
}

/// Sorted bounds of every entry's appearance.
struct Lengths {
    certain_by_ns: Vec<u64>,
    possible_from_ns: Vec<u64>,
}

impl Lengths {
    fn of(chain: &Chain<'_>) -> Self {
        let mut certain_by_ns: Vec<u64> = chain.links.iter().map(|link| link.certain_by_ns()).collect();
        let mut possible_from_ns: Vec<u64> = chain.links.iter().map(|link| link.possible_from_ns()).collect();
        possible_from_ns.extend(chain.unseen.iter().map(|call| call.invoked_ns));
        certain_by_ns.sort_unstable();
        possible_from_ns.sort_unstable();
        Self { certain_by_ns, possible_from_ns }
    }

    fn contradict(
        &self,
        chain: &Chain<'_>,
        removals: &Removals,
        read: &Read<'_>,
        length: usize,
    ) -> Option<String> {
        let most = self.possible_from_ns.partition_point(|from_ns| *from_ns <= read.by_ns);
        let least = if removals.none() {
            self.certain_by_ns.partition_point(|by_ns| *by_ns < read.from_ns)
        } else {
            let stays = |link: &&crate::chain::Link<'_>| {
                link.certain_by_ns() < read.from_ns && !removals.may_have_taken(link.id, read.by_ns)
            };
            chain.links.iter().filter(stays).count()
        };
        (!(least..=most).contains(&length))
            .then(|| format!("counts {length} entries where {least} to {most} can have been"))
    }
}
