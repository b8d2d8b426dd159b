//! One shard's log in memory: where each entry lies, who proposed it, and the recent entries themselves.
//!
//! Twelve bytes an entry, plus one run per leader; payloads only for the cached tail. The index runs
//! ahead of the disk: it changes when an operation is queued. An entry not written yet is always in the
//! cached tail; a ticket, unique within the shard, tells it from one that took its index meanwhile.

use std::collections::VecDeque;

use rivermark_types::LogIndex;

use crate::entry::{EncodedPayload, LeaderId, LogId};
use crate::error::Corruption;
use crate::hard_state::{HardState, LogRange};
use crate::record::Record;

/// Where an entry's frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Id of the segment; ids stay below 2^32 for 256 PiB of log.
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Of the payload.
    pub(crate) length: u32,
}

impl Place {
    const UNWRITTEN: Self = Self { segment: u32::MAX, offset: 0, length: 0 };
}

/// Where an entry can be read.
#[derive(Debug)]
pub(crate) enum Located {
    Cached(EncodedPayload),
    OnDisk(Place),
}

#[derive(Debug)]
struct Cached {
    ticket: u64,
    payload: EncodedPayload,
}

/// Invariants: `places` covers the end of `hard.range`, all of it once recovery is done; `cached`
/// covers the end of `places`; `leaders` is ordered by index and covers `places`.
#[derive(Debug, Default)]
pub(crate) struct ShardIndex {
    /// Vote, commit hint and range as of the last queued operation.
    pub(crate) hard: HardState,
    /// Why this shard is not served.
    pub(crate) corruption: Option<Corruption>,
    places: VecDeque<Place>,
    leaders: VecDeque<(u64, LeaderId)>,
    cached: VecDeque<Cached>,
    next_ticket: u64,
}

impl ShardIndex {
    fn range(&self) -> LogRange {
        self.hard.range
    }

    fn next(&self) -> u64 {
        self.range().next.unwrap_or(0)
    }

    fn places_start(&self) -> u64 {
        self.next() - self.places.len() as u64
    }

    fn cached_start(&self) -> u64 {
        self.next() - self.cached.len() as u64
    }

    /// Takes an entry that is not written yet. Returns its ticket.
    pub(crate) fn append(&mut self, id: LogId, payload: EncodedPayload) -> u64 {
        self.push(id, Place::UNWRITTEN);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.cached.push_back(Cached { ticket, payload });
        ticket
    }

    /// Takes an entry found on disk.
    pub(crate) fn append_stored(&mut self, id: LogId, place: Place) {
        self.push(id, place);
    }

    fn push(&mut self, id: LogId, place: Place) {
        self.hard.apply(Record::Entry(id));
        self.places.push_back(place);
        if self.leaders.back().is_none_or(|(_, leader)| *leader != id.leader) {
            self.leaders.push_back((id.index.get(), id.leader));
        }
    }

    /// Follows an operation other than an append.
    pub(crate) fn apply(&mut self, record: Record) {
        let (places_start, cached_start) = (self.places_start(), self.cached_start());
        self.hard.apply(record);
        match record {
            Record::Forget => *self = Self { next_ticket: self.next_ticket, ..Self::default() },
            Record::Truncate(_) => {
                let next = self.next();
                self.places.truncate(next.saturating_sub(places_start) as usize);
                self.cached.truncate(next.saturating_sub(cached_start) as usize);
                if self.range().is_empty() {
                    self.places.clear();
                    self.cached.clear();
                }
                let end = if self.places.is_empty() { 0 } else { next };
                while self.leaders.pop_back_if(|(start, _)| *start >= end).is_some() {}
            }
            Record::Purge(_) => {
                let first = self.range().first;
                let gone = (first.saturating_sub(places_start) as usize).min(self.places.len());
                self.places.drain(..gone);
                let gone = (first.saturating_sub(cached_start) as usize).min(self.cached.len());
                self.cached.drain(..gone);
                self.drop_leaders_before(first);
            }
            _ => {}
        }
    }

    fn drop_leaders_before(&mut self, first: u64) {
        while self.leaders.get(1).is_some_and(|(start, _)| *start <= first) {
            self.leaders.pop_front();
        }
        if self.places.is_empty() {
            self.leaders.clear();
        }
    }

    /// Ends recovery: forgets places of purged entries. False if places of live entries are missing.
    pub(crate) fn settle(&mut self) -> bool {
        let live = self.range().len() as usize;
        if self.places.len() < live {
            return false;
        }
        self.places.drain(..self.places.len() - live);
        self.drop_leaders_before(self.range().first);
        true
    }

    /// Records where an entry was written, unless it was dropped meanwhile.
    pub(crate) fn publish(&mut self, index: LogIndex, ticket: u64, place: Place) {
        let Some(at) = index.get().checked_sub(self.cached_start()) else { return };
        if self.cached.get(at as usize).is_some_and(|cached| cached.ticket == ticket) {
            let at = index.get() - self.places_start();
            self.places[at as usize] = place;
        }
    }

    /// Drops the oldest cached entry if it is the one with this ticket. False if it must stay because it
    /// Drops the oldest cached entry, which must be written, if it is the one with this ticket.
    pub(crate) fn evict(&mut self, ticket: u64) {
        if self.cached.front().is_some_and(|cached| cached.ticket == ticket) {
            self.cached.pop_front();
        }
    }

    /// The entry at an index, if the log holds it.
    pub(crate) fn locate(&self, index: LogIndex) -> Option<(LogId, Located)> {
        let index = index.get();
        if index < self.range().first || index >= self.next() {
            return None;
        }
        let id = LogId { leader: self.leader_at(index), index: LogIndex::new(index) };
        let located = match index.checked_sub(self.cached_start()) {
            Some(at) => Located::Cached(self.cached[at as usize].payload.clone()),
            None => Located::OnDisk(self.places[(index - self.places_start()) as usize]),
        };
        Some((id, located))
    }

    fn leader_at(&self, index: u64) -> LeaderId {
        let run = self.leaders.partition_point(|(start, _)| *start <= index);
        self.leaders[run.checked_sub(1).expect("runs cover the log")].1
    }

    /// The id of the entry at an index, if the log holds it.
    pub(crate) fn id_at(&self, index: u64) -> Option<LogId> {
        let held = index >= self.range().first && index < self.next();
        held.then(|| LogId { leader: self.leader_at(index), index: LogIndex::new(index) })
    }

    /// The last entry, or the last purged one if there is none.
    pub(crate) fn last(&self) -> Option<LogId> {
        if self.range().is_empty() { self.range().purged } else { self.id_at(self.next() - 1) }
    }

    /// The last entry of each leader, in order.
    pub(crate) fn leader_ends(&self) -> impl Iterator<Item = LogId> {
        let starts = self.leaders.iter().skip(1).map(|(start, _)| *start);
        self.leaders
            .iter()
            .zip(starts.chain([self.next()]))
            .map(|((_, leader), end)| LogId { leader: *leader, index: LogIndex::new(end - 1) })
    }

    /// Places of all entries with their indexes, for recovery.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, Place)> {
        (self.places_start()..).zip(self.places.iter().copied())
    }
}
