//! Which entries can have been removed, and by when.
//!
//! The answer errs to one side: an entry that a removal *may* have taken counts as removable, so that a
//! missing entry is reported only if nothing can explain it.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::chain::Chain;
use crate::evidence::StreamEvidence;
use crate::operation::{Operation, TrimBound};

/// The removals of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removals {
    /// Whether there was an XDEL at all, and so a count of removed entries to explain.
    deletes: bool,
    /// When the first XDEL naming an id began.
    deleted_from_ns: BTreeMap<EntryId, u64>,
    /// Trims by the instant they began, each with the id below which entries may be gone from then on
    /// (the greatest of it and all earlier ones).
    floors: Vec<(u64, EntryId)>,
}

impl Removals {
    pub(crate) fn of(stream: &StreamEvidence<'_>, chain: &Chain<'_>) -> Self {
        let mut removals = Self::default();
        let newest = NewestByInvocation::of(chain);
        for call in stream.calls.iter().filter(|call| call.may_have_happened()) {
            let floor = match &call.operation {
                Operation::Xdel { ids, .. } => {
                    removals.deletes = true;
                    for id in ids {
                        let from_ns = removals.deleted_from_ns.entry(*id).or_insert(call.invoked_ns);
                        *from_ns = call.invoked_ns.min(*from_ns);
                    }
                    continue;
                }
                Operation::Xtrim { bound: TrimBound::MinId(id), .. } => *id,
                Operation::Xtrim { bound: TrimBound::MaxLen(len), .. }
                | Operation::Xadd { max_len: Some(len), .. } => newest.floor(chain, call, *len),
                _ => continue,
            };
            removals.floors.push((call.invoked_ns, floor));
        }
        removals.floors.sort_unstable();
        let mut greatest = EntryId::MIN;
        for (_, floor) in &mut removals.floors {
            greatest = greatest.max(*floor);
            *floor = greatest;
        }
        removals
    }

    /// Whether anything ever removed entries.
    pub(crate) fn none(&self) -> bool {
        !self.deletes && self.floors.is_empty()
    }

    /// Whether `id` may be gone at `time_ns`.
    pub(crate) fn may_have_taken(&self, id: EntryId, time_ns: u64) -> bool {
        if self.deleted_from_ns.get(&id).is_some_and(|from_ns| *from_ns <= time_ns) {
            return true;
        }
        let begun = self.floors.partition_point(|(from_ns, _)| *from_ns <= time_ns);
        begun > 0 && id < self.floors[begun - 1].1
    }

    /// Whether `id` may be gone at the end.
    pub(crate) fn may_have_taken_ever(&self, id: EntryId) -> bool {
        self.may_have_taken(id, u64::MAX)
    }
}

/// The greatest place in the chain that can exist at an instant.
struct NewestByInvocation {
    /// `(invoked, greatest place so far)`.
    places: Vec<(u64, usize)>,
}

impl NewestByInvocation {
    fn of(chain: &Chain<'_>) -> Self {
        let mut places: Vec<(u64, usize)> =
            chain.links.iter().enumerate().map(|(place, link)| (link.possible_from_ns(), place)).collect();
        places.sort_unstable();
        let mut greatest = 0;
        for (_, place) in &mut places {
            greatest = greatest.max(*place);
            *place = greatest;
        }
        Self { places }
    }

    /// The id below which a MAXLEN of `call` can have removed entries: the `len` newest that can have
    /// existed when it ran stay, entries nobody saw counted among the newest.
    fn floor(&self, chain: &Chain<'_>, call: &Call, len: u64) -> EntryId {
        let by_ns = call.effective_by_ns();
        let begun = self.places.partition_point(|(from_ns, _)| *from_ns <= by_ns);
        if begun == 0 {
            return EntryId::MIN;
        }
        let possible = self.places[begun - 1].1 + 1;
        let unseen = chain.unseen.iter().filter(|add| add.invoked_ns <= by_ns).count();
        let kept = usize::try_from(len).unwrap_or(usize::MAX).saturating_sub(unseen);
        match possible.checked_sub(kept) {
            None | Some(0) => EntryId::MIN,
            Some(gone) => chain.links.get(gone).map_or(EntryId::MAX, |link| link.id),
        }
    }
}
