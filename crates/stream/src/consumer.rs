//! The consumers of a group.
//!
//! Pending records name their consumer by a number, so that a million of them do not hold a million
//! names. Numbers are given out in order and never twice within a group.
//!
//! Invariant: `by_name` and `by_id` hold the same consumers; no number is at or above `next`.

use std::collections::BTreeMap;

use rivermark_types::{ConsumerName, EntryId, UnixMillis};

use crate::chunk_map::ChunkMap;

/// A consumer's number within its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConsumerId(pub u64);

/// A consumer of a group.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub name: ConsumerName,
    /// Its last attempt to get something.
    pub seen_time: UnixMillis,
    /// The last time it got something; `None` is never.
    pub active_time: Option<UnixMillis>,
    /// Ids of the group's pending records it owns.
    pub pending: ChunkMap<EntryId, ()>,
}

/// All consumers of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumers {
    by_name: BTreeMap<ConsumerName, ConsumerId>,
    by_id: BTreeMap<ConsumerId, Consumer>,
    next: u64,
}

/// What became of the wish for a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    Yes,
    No,
}

impl Consumers {
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn id(&self, name: &ConsumerName) -> Option<ConsumerId> {
        self.by_name.get(name).copied()
    }

    pub fn find(&self, name: &ConsumerName) -> Option<&Consumer> {
        self.id(name).map(|id| self.get(id))
    }

    /// The consumer with a number that pending records hold.
    pub fn get(&self, id: ConsumerId) -> &Consumer {
        self.by_id.get(&id).expect("a consumer's records go with it")
    }

    pub fn get_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.by_id.get_mut(&id).expect("a consumer's records go with it")
    }

    /// The consumer of this name, made if there is none.
    pub fn find_or_create(&mut self, name: &ConsumerName, now: UnixMillis) -> (ConsumerId, Created) {
        if let Some(id) = self.id(name) {
            return (id, Created::No);
        }
        let id = ConsumerId(self.next);
        let name = name.detached();
        self.insert(id, Consumer { name, seen_time: now, active_time: None, pending: ChunkMap::default() });
        (id, Created::Yes)
    }

    /// Adds a consumer under a number not in use.
    pub fn insert(&mut self, id: ConsumerId, consumer: Consumer) {
        self.next = self.next.max(id.0.saturating_add(1));
        self.by_name.insert(consumer.name.clone(), id);
        self.by_id.insert(id, consumer);
    }

    /// Removes a consumer; its pending records are the caller's to remove.
    pub fn remove(&mut self, name: &ConsumerName) -> Option<Consumer> {
        self.by_name.remove(name).and_then(|id| self.by_id.remove(&id))
    }

    /// The number the next consumer will get.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn restore_next(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// In name order.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.by_name.values().map(|id| (*id, self.get(*id)))
    }

    pub fn contains(&self, id: ConsumerId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub fn memory_bytes(&self) -> usize {
        let one = |consumer: &Consumer| {
            2 * consumer.name.as_bytes().len()
                + size_of::<Consumer>()
                + size_of::<(ConsumerName, ConsumerId)>()
                + consumer.pending.len() * size_of::<EntryId>()
        };
        self.by_id.values().map(one).sum()
    }

    pub fn is_sound(&self) -> bool {
        let named = self.by_name.iter().all(|(name, id)| self.by_id.get(id).is_some_and(|c| c.name == *name));
        let numbered = self.by_id.keys().all(|id| id.0 < self.next);
        let lists = self.by_id.values().all(|consumer| consumer.pending.is_sound());
        named && numbered && lists && self.by_name.len() == self.by_id.len()
    }
}
