//! The entries of a stream in id order, which is the order they were added in.
//!
//! XADD gives an id greater than every earlier one, so ids alone order all adds of a stream, those whose
//! answer was lost included if anything ever saw their entry.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::StreamEvidence;

/// An entry that exists or existed.
#[derive(Clone, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) id: EntryId,
    pub(crate) payload: &'a str,
    /// The calls that may have added it: several only for retries under one idempotence.
    pub(crate) writers: Vec<&'a Call>,
}

impl Link<'_> {
    /// The first instant it can be there.
    pub(crate) fn possible_from_ns(&self) -> u64 {
        self.writers.iter().map(|call| call.invoked_ns).min().unwrap_or(0)
    }

    /// The instant it is there at the latest.
    pub(crate) fn certain_by_ns(&self) -> u64 {
        self.writers.iter().map(|call| call.effective_by_ns()).min().unwrap_or(u64::MAX)
    }
}

/// All entries known, in id order.
#[derive(Clone, Debug)]
pub(crate) struct Chain<'a> {
    pub(crate) links: Vec<Link<'a>>,
    /// XADD calls of unknown outcome whose entry was never seen. They may have added one that nothing
    /// has looked at.
    pub(crate) unseen: Vec<&'a Call>,
}

impl<'a> Chain<'a> {
    /// The chain of `stream`; none if two ids share a payload, two payloads an id, or an entry has no
    /// XADD that may have made it. Other invariants report those.
    pub(crate) fn of(stream: &StreamEvidence<'a>) -> Option<Self> {
        let mut by_id: BTreeMap<EntryId, &str> = BTreeMap::new();
        let mut by_payload: BTreeMap<&str, EntryId> = BTreeMap::new();
        for sighting in stream.sightings() {
            if *by_id.entry(sighting.id).or_insert(sighting.payload) != sighting.payload
                || *by_payload.entry(sighting.payload).or_insert(sighting.id) != sighting.id
            {
                return None;
            }
        }
        let mut writers: BTreeMap<&str, Vec<&'a Call>> = BTreeMap::new();
        for (call, payload) in stream.adds().filter(|(call, _)| call.may_have_happened()) {
            writers.entry(payload).or_default().push(call);
        }
        let mut links = Vec::with_capacity(by_id.len());
        for (id, payload) in by_id {
            links.push(Link { id, payload, writers: writers.remove(payload)? });
        }
        // Calls of one payload are one add: at most one of them can have made the entry.
        let unseen: Vec<&Call> = writers.into_values().filter_map(|calls| calls.into_iter().next()).collect();
        Some(Self { links, unseen })
    }

    /// The place of `id`.
    pub(crate) fn position(&self, id: EntryId) -> Option<usize> {
        self.links.binary_search_by_key(&id, |link| link.id).ok()
    }

    /// The places of the entries from `start` to `end`, both inclusive.
    pub(crate) fn window(&self, start: EntryId, end: EntryId) -> std::ops::Range<usize> {
        let from = self.links.partition_point(|link| link.id < start);
        let to = self.links.partition_point(|link| link.id <= end);
        from..to.max(from)
    }
}
