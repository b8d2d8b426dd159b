//! Reads in terms of places in the chain.

use std::ops::Range;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::chain::Chain;
use crate::evidence::StreamEvidence;
use crate::operation::{Entry, Operation, ReadFrom, Reply};
use crate::violation::{Invariant, Violation};

/// Something that looked at the stream at one instant of an interval.
#[derive(Clone, Debug)]
pub(crate) struct Read<'a> {
    /// Who; none for the observation at the end.
    pub(crate) call: Option<&'a Call>,
    pub(crate) from_ns: u64,
    pub(crate) by_ns: u64,
    pub(crate) shape: Shape,
}

/// What it saw.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// This many entries.
    Length(usize),
    /// The first `count` entries of the window.
    Forward(Shown),
    /// The last `count` entries of the window; `shown` is in id order all the same.
    Backward(Shown),
    /// `$` was resolved before the entry of this place was added and, if nothing is ever removed, after
    /// the one before it.
    Resolved(usize),
}

/// The least id an entry can have.
const FIRST: EntryId = EntryId::new(0, 1);

/// A piece of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The places asked for.
    pub(crate) window: Range<usize>,
    /// Whether an unseen entry between the window's first place and the one before it lies inside.
    pub(crate) open_start: bool,
    /// The same for its end.
    pub(crate) open_end: bool,
    pub(crate) count: usize,
    /// The places seen, ascending.
    pub(crate) places: Vec<usize>,
}

impl Shown {
    /// Whether COUNT may have cut it short.
    pub(crate) fn is_full(&self) -> bool {
        self.places.len() == self.count
    }

    fn new(chain: &Chain<'_>, start: EntryId, end: EntryId, count: Option<usize>) -> Self {
        let window = chain.window(start, end);
        let before = window.start.checked_sub(1).map(|place| chain.links[place].id);
        let after = chain.links.get(window.end).map(|link| link.id);
        Self {
            open_start: start <= FIRST || before.is_some_and(|id| id.successor() == Some(start)),
            open_end: end == EntryId::MAX || after.is_some_and(|id| id.predecessor() == Some(end)),
            window,
            count: count.unwrap_or(usize::MAX),
            places: Vec::new(),
        }
    }

    /// Fills in what was seen; the reason if the reply is malformed.
    fn showing<'e>(
        mut self,
        chain: &Chain<'_>,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<Self, &'static str> {
        for entry in entries {
            let place = chain.position(entry.id).ok_or("shows an entry nobody added")?;
            if !self.window.contains(&place) {
                return Err("shows an entry outside the range asked for");
            }
            if self.places.last().is_some_and(|last| *last >= place) {
                return Err("shows entries out of order");
            }
            self.places.push(place);
        }
        if self.places.len() > self.count {
            return Err("shows more entries than COUNT allows");
        }
        Ok(self)
    }
}

/// The reads of a stream that were answered, and its observation at the end. Replies that are malformed
/// in themselves come back as violations.
pub(crate) fn reads_of<'a>(
    stream: &StreamEvidence<'a>,
    chain: &Chain<'_>,
) -> (Vec<Read<'a>>, Vec<Violation>) {
    let (mut reads, mut violations) = (Vec::new(), Vec::new());
    let mut end_ns = 0;
    for call in &stream.calls {
        let call: &'a Call = call;
        let by_ns = call.effective_by_ns();
        end_ns = end_ns.max(call.invoked_ns).max(if by_ns == u64::MAX { 0 } else { by_ns });
        let Some(reply) = call.reply() else { continue };
        match shape_of(&call.operation, reply, chain) {
            Ok(Some(Shape::Forward(shown))) if is_tail(&call.operation) => {
                if let Some(first) = shown.places.first().copied() {
                    let resolved_by_ns = call.parked_ns.unwrap_or(by_ns);
                    let shape = Shape::Resolved(first);
                    reads.push(Read {
                        call: Some(call),
                        from_ns: call.invoked_ns,
                        by_ns: resolved_by_ns,
                        shape,
                    });
                    let shape = Shape::Forward(shown);
                    reads.push(Read { call: Some(call), from_ns: call.invoked_ns, by_ns, shape });
                }
            }
            Ok(Some(shape)) => {
                reads.push(Read { call: Some(call), from_ns: call.invoked_ns, by_ns, shape });
            }
            Ok(None) => {}
            Err(reason) => {
                let message = format!("stream {:?}: {call} {reason}", stream.key);
                violations.push(Violation::new(Invariant::LinearizableReads, &[call], message));
            }
        }
    }
    if let Some(last) = stream.last {
        match Shown::new(chain, EntryId::MIN, EntryId::MAX, None).showing(chain, last.entries.iter()) {
            Ok(shown) => {
                let from_ns = end_ns.saturating_add(1);
                reads.push(Read { call: None, from_ns, by_ns: from_ns + 1, shape: Shape::Forward(shown) });
            }
            Err(reason) => {
                let message = format!("stream {:?}: the observation at the end {reason}", stream.key);
                violations.push(Violation::new(Invariant::LinearizableReads, &[], message));
            }
        }
    }
    (reads, violations)
}

fn is_tail(operation: &Operation) -> bool {
    matches!(operation, Operation::Xread { from: ReadFrom::Newest, .. })
}

/// What a reply says about the stream; nothing if it says nothing.
fn shape_of(operation: &Operation, reply: &Reply, chain: &Chain<'_>) -> Result<Option<Shape>, &'static str> {
    let entries = match (operation, reply) {
        (Operation::Xlen { .. }, Reply::Count { count }) => {
            return Ok(Some(Shape::Length(usize::try_from(*count).unwrap_or(usize::MAX))));
        }
        (_, Reply::Entries { entries }) => entries,
        _ => return Ok(None),
    };
    match operation {
        // COUNT 0 means nothing to XRANGE and everything to XREAD; workloads do not send it.
        Operation::Xrange { count: Some(0), .. }
        | Operation::Xrevrange { count: Some(0), .. }
        | Operation::Xread { count: Some(0), .. } => Ok(None),
        Operation::Xrange { start, end, count, .. } => {
            let shown = Shown::new(chain, *start, *end, *count).showing(chain, entries.iter())?;
            Ok(Some(Shape::Forward(shown)))
        }
        Operation::Xrevrange { start, end, count, .. } => {
            let shown = Shown::new(chain, *start, *end, *count).showing(chain, entries.iter().rev())?;
            Ok(Some(Shape::Backward(shown)))
        }
        Operation::Xread { from, count, .. } => {
            let start = match from {
                ReadFrom::After(id) => id.successor().unwrap_or(EntryId::MAX),
                ReadFrom::Newest => match entries.first() {
                    Some(entry) => entry.id,
                    None => return Ok(None),
                },
            };
            let shown = Shown::new(chain, start, EntryId::MAX, *count).showing(chain, entries.iter())?;
            Ok(Some(Shape::Forward(shown)))
        }
        _ => Ok(None),
    }
}
