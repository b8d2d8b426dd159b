//! Decides a stream without removals exactly.
//!
//! Its states are the prefixes of the chain, so every read confines the length of the prefix it saw to
//! an interval `least..=most`: it comes after entry `least - 1` and before entry `most`. With the order
//! of entries given, an order of everything exists if and only if giving each add and each read the
//! earliest instant its predecessors allow never runs past the end of its interval. One pass over the
//! chain does that.

use crate::call::Call;
use crate::chain::Chain;
use crate::evidence::StreamEvidence;
use crate::linearizable::{Read, Shape};
use crate::violation::{Invariant, Violation};

/// Looks for the first contradiction.
pub(crate) fn check(
    stream: &StreamEvidence<'_>,
    chain: &Chain<'_>,
    reads: &[Read<'_>],
) -> Result<(), Violation> {
    let total = chain.links.len();
    let mut by_least: Vec<Vec<Confined<'_>>> = Vec::new();
    by_least.resize_with(total + 1, Vec::new);
    for read in reads {
        let (least, most) = confine(&read.shape, total).map_err(|reason| {
            let who = read.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
            violation(stream, &read.call.into_iter().collect::<Vec<_>>(), &format!("{who} {reason}"))
        })?;
        by_least[least].push(Confined { call: read.call, from_ns: read.from_ns, by_ns: read.by_ns, most });
    }
    // An answered retry saw its entry, whoever added it.
    for (place, link) in chain.links.iter().enumerate() {
        for writer in &link.writers {
            let (from_ns, by_ns) = (writer.invoked_ns, writer.effective_by_ns());
            by_least[place + 1].push(Confined { call: Some(writer), from_ns, by_ns, most: total });
        }
    }
    let mut not_before = vec![Earliest::default(); total];
    let mut now = Earliest::default();
    for (place, confined) in by_least.iter().enumerate() {
        for read in confined {
            let at = now.max(Earliest { ns: read.from_ns, cause: read.call });
            if at.ns > read.by_ns {
                return Err(violation(stream, &at.with(read.call), &read.too_late(chain, place, at)));
            }
            if read.most < total {
                not_before[read.most] = not_before[read.most].max(at);
            }
        }
        let Some(link) = chain.links.get(place) else { break };
        let begun = Earliest { ns: link.possible_from_ns(), cause: link.writers.first().copied() };
        now = now.max(begun).max(not_before[place]);
        if now.ns > link.certain_by_ns() {
            let writer = link.writers.first().copied();
            let message = format!(
                "entry {} {:?} was acknowledged at {} ns{}, but {} cannot have seen what it did unless the \
                 entry came after {} ns",
                link.id,
                link.payload,
                link.certain_by_ns(),
                writer.map_or_else(String::new, |call| format!(" to {call}")),
                now.cause.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string),
                now.ns,
            );
            return Err(violation(stream, &now.with(writer), &message));
        }
    }
    Ok(())
}

/// A read and the greatest length it can have seen.
struct Confined<'a> {
    call: Option<&'a Call>,
    from_ns: u64,
    by_ns: u64,
    most: usize,
}

impl Confined<'_> {
    fn too_late(&self, chain: &Chain<'_>, place: usize, at: Earliest<'_>) -> String {
        let who = self.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
        let entry = place.checked_sub(1).map_or_else(String::new, |place| chain.links[place].id.to_string());
        let cause = at.cause.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
        format!(
            "{who} ended before entry {entry}, which it saw, can have been there: {cause} puts it at {} ns or later",
            at.ns
        )
    }
}

/// The earliest instant something can have happened, and who pushed it there.
#[derive(Clone, Copy, Default)]
struct Earliest<'a> {
    ns: u64,
    cause: Option<&'a Call>,
}

impl<'a> Earliest<'a> {
    fn max(self, other: Self) -> Self {
        if other.ns > self.ns { other } else { self }
    }

    fn with(self, call: Option<&'a Call>) -> Vec<&'a Call> {
        self.cause.into_iter().chain(call).collect()
    }
}

fn violation(stream: &StreamEvidence<'_>, calls: &[&Call], reason: &str) -> Violation {
    Violation::new(Invariant::LinearizableReads, calls, format!("stream {:?}: {reason}", stream.key))
}

/// The lengths of the prefixes in which the reply is right.
fn confine(shape: &Shape, total: usize) -> Result<(usize, usize), String> {
    match shape {
        Shape::Length(length) if *length > total => {
            Err(format!("counts {length} entries where {total} were ever added"))
        }
        Shape::Length(length) => Ok((*length, *length)),
        Shape::Resolved(place) => Ok((*place, *place)),
        Shape::Forward(shown) => {
            let (start, end) = (shown.window.start, shown.window.end);
            contiguous(&shown.places)?;
            match (shown.places.first(), shown.places.last()) {
                (Some(first), _) if *first != start => Err("skips the first entry asked for".to_owned()),
                (Some(_), Some(last)) if shown.is_full() || last + 1 == end => Ok((last + 1, total)),
                (Some(_), Some(last)) => Ok((last + 1, last + 1)),
                _ if start < end => Ok((0, start)),
                _ => Ok((0, total)),
            }
        }
        Shape::Backward(shown) => {
            let (start, end) = (shown.window.start, shown.window.end);
            contiguous(&shown.places)?;
            match (shown.places.first(), shown.places.last()) {
                (Some(first), _) if !shown.is_full() && *first != start => {
                    Err("skips the last entry asked for".to_owned())
                }
                (_, Some(last)) if last + 1 == end => Ok((last + 1, total)),
                (_, Some(last)) => Ok((last + 1, last + 1)),
                _ if start < end => Ok((0, start)),
                _ => Ok((0, total)),
            }
        }
    }
}

fn contiguous(places: &[usize]) -> Result<(), String> {
    if places.windows(2).all(|pair| pair[0] + 1 == pair[1]) {
        Ok(())
    } else {
        Err("skips entries that nothing removed".to_owned())
    }
}
