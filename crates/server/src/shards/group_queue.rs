//! Readers of one group who are blocked on one stream: whose turn it is.
//!
//! What is there depends on who asks. New entries are for everyone; a reader with CLAIM also takes pending
//! entries that are idle for as long as it asks, and takes those first. So readers stand in one line for each
//! CLAIM, the lines share what is new, and whoever came first goes first among those for whom there is
//! something.
//!
//! Those who wake run their commands at the same time, in any order. So whoever might take what is kept for
//! one before it wakes only when that one is served.

use std::collections::{BTreeMap, btree_map};

use rivermark_types::UnixMillis;

use super::endpoint::WaiterId;

/// CLAIM in milliseconds; `None` is a reader of new entries alone.
pub(super) type Claim = Option<u64>;

/// The readers of a group on a stream.
#[derive(Debug, Default)]
pub(super) struct GroupQueue {
    /// By what they claim; with each, how many entries it may take, `u64::MAX` without bound.
    waiting: BTreeMap<Claim, BTreeMap<WaiterId, u64>>,
    granted: BTreeMap<WaiterId, Grant>,
    /// When time alone may have made something claimable for those who wait.
    pub look_at: Option<UnixMillis>,
}

/// Entries kept for a reader that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    claim: Claim,
    count: u64,
}

/// Who wakes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// All, and nothing is kept for them: the group is gone.
    Everyone(Vec<WaiterId>),
    /// These, in order.
    Granted(Vec<(WaiterId, Grant)>),
}

/// How many entries are kept for others.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// For readers of new entries.
    new: u64,
    /// For readers with CLAIM, who may take of both.
    any: u64,
}

/// Those of one line still to be looked at.
struct Line<'a> {
    claim: Claim,
    /// Entries there are for them, held ones included.
    there: u64,
    next: Option<(WaiterId, u64)>,
    rest: btree_map::Iter<'a, WaiterId, u64>,
}

impl GroupQueue {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.granted.is_empty()
    }

    pub fn insert(&mut self, id: WaiterId, claim: Claim, count: u64) {
        self.waiting.entry(claim).or_default().insert(id, count);
    }

    pub fn remove(&mut self, id: WaiterId, claim: Claim) {
        let Some(line) = self.waiting.get_mut(&claim) else { return };
        line.remove(&id);
        if line.is_empty() {
            self.waiting.remove(&claim);
        }
    }

    pub fn hold(&mut self, id: WaiterId, grant: Grant) {
        self.granted.insert(id, grant);
    }

    pub fn release(&mut self, id: WaiterId) {
        self.granted.remove(&id);
    }

    /// The CLAIMs of those who wait.
    pub fn claims(&self) -> impl Iterator<Item = u64> + '_ {
        self.waiting.keys().copied().flatten()
    }

    /// Who wakes, given what is there: `None` if the group is not.
    pub fn choose(&self, there: impl Fn(Claim) -> Option<u64>) -> Chosen {
        if self.waiting.is_empty() {
            return Chosen::Granted(Vec::new());
        }
        let Some(new) = there(None) else {
            return Chosen::Everyone(self.waiting.values().flat_map(BTreeMap::keys).copied().collect());
        };
        let mut lines: Vec<Line<'_>> = self
            .waiting
            .iter()
            .map(|(claim, readers)| {
                let there = if claim.is_some() { there(*claim).unwrap_or(new) } else { new };
                Line::new(*claim, there, readers)
            })
            .collect();
        let mut held = self.held();
        let mut chosen = Vec::new();
        loop {
            // What is held only grows, so a line whose first must wait is done.
            lines.retain(|line| line.may_wake(held.from(line.claim, new)));
            let Some(line) = lines.iter_mut().min_by_key(|line| line.next) else { break };
            if let Some((id, count)) = line.take() {
                let grant = Grant { claim: line.claim, count };
                held.add(grant);
                chosen.push((id, grant));
            }
        }
        Chosen::Granted(chosen)
    }

    fn held(&self) -> Held {
        let mut held = Held::default();
        self.granted.values().for_each(|grant| held.add(*grant));
        held
    }
}

impl<'a> Line<'a> {
    fn new(claim: Claim, there: u64, readers: &'a BTreeMap<WaiterId, u64>) -> Self {
        let mut rest = readers.iter();
        let next = rest.next().map(copied);
        Self { claim, there, next, rest }
    }

    /// Whether there is something for the next, and it cannot take what is kept for others even if it is faster.
    fn may_wake(&self, held: u64) -> bool {
        let free = self.there.saturating_sub(held);
        self.next.is_some_and(|(_, count)| free > 0 && (held == 0 || count <= free))
    }

    fn take(&mut self) -> Option<(WaiterId, u64)> {
        std::mem::replace(&mut self.next, self.rest.next().map(copied))
    }
}

fn copied((id, count): (&WaiterId, &u64)) -> (WaiterId, u64) {
    (*id, *count)
}

impl Held {
    fn add(&mut self, grant: Grant) {
        let held = if grant.claim.is_some() { &mut self.any } else { &mut self.new };
        *held = held.saturating_add(grant.count);
    }

    /// How much of what is there for such a reader is kept for others. They cannot take more than there is new.
    fn from(self, claim: Claim, new: u64) -> u64 {
        let of_new = if claim.is_some() { self.new.min(new) } else { self.new };
        of_new.saturating_add(self.any)
    }
}
