//! The queues blocked readers of a shard stand in: for each key those who wait for entries, and those of each
//! group.

use std::collections::{BTreeMap, BTreeSet};

use rivermark_types::{DatabaseIndex, EntryId, GroupName, StreamKey, UnixMillis};

use super::endpoint::{WaitCondition, WaiterId};
use super::group_queue::{Grant, GroupQueue};

/// All queues. A key or group is here only while somebody waits for it or holds a grant.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_key: BTreeMap<StreamKey, KeyQueues>,
    /// Every group queue's `look_at`.
    looks: BTreeSet<(UnixMillis, StreamKey, GroupName)>,
}

/// Those who wait for one key, in order.
#[derive(Debug, Default)]
struct KeyQueues {
    entries: BTreeMap<WaiterId, EntryId>,
    groups: BTreeMap<GroupName, GroupQueue>,
}

impl Queues {
    /// Queues a reader at everything its condition names, at the place its id gives it.
    pub fn insert(&mut self, id: WaiterId, condition: &WaitCondition) {
        match condition {
            WaitCondition::Entries(streams) => {
                for (key, after) in streams {
                    let queue = &mut self.by_key.entry(key.clone()).or_default().entries;
                    // A stream named twice waits for the lower id.
                    let waits_after = queue.entry(id).or_insert(*after);
                    *waits_after = (*waits_after).min(*after);
                }
            }
            WaitCondition::Group(wait) => {
                let count = wait.count.unwrap_or(u64::MAX);
                for key in &wait.keys {
                    self.group_mut(key, &wait.group).insert(id, wait.claim_min_idle_ms, count);
                }
            }
        }
    }

    /// Takes a reader out of all queues. What it was granted stays kept.
    pub fn remove(&mut self, id: WaiterId, condition: &WaitCondition) {
        match condition {
            WaitCondition::Entries(streams) => {
                for (key, _) in streams {
                    if let Some(queues) = self.by_key.get_mut(key) {
                        queues.entries.remove(&id);
                    }
                    self.forget_if_empty(key);
                }
            }
            WaitCondition::Group(wait) => {
                for key in &wait.keys {
                    if self.group(key, &wait.group).is_some() {
                        self.group_mut(key, &wait.group).remove(id, wait.claim_min_idle_ms);
                    }
                    self.forget_if_empty(key);
                }
            }
        }
    }

    /// Keeps entries of a group for a reader.
    pub fn hold(&mut self, id: WaiterId, key: &StreamKey, group: &GroupName, grant: Grant) {
        self.group_mut(key, group).hold(id, grant);
    }

    /// Keeps them no longer.
    pub fn release(&mut self, id: WaiterId, key: &StreamKey, group: &GroupName) {
        if self.group(key, group).is_some() {
            self.group_mut(key, group).release(id);
        }
        self.forget_if_empty(key);
    }

    /// Whether anybody waits for the key.
    pub fn contains(&self, key: &StreamKey) -> bool {
        self.by_key.contains_key(key)
    }

    /// The keys with readers.
    pub fn keys(&self) -> impl Iterator<Item = &StreamKey> {
        self.by_key.keys()
    }

    /// The queue of a group.
    pub fn group(&self, key: &StreamKey, group: &GroupName) -> Option<&GroupQueue> {
        self.by_key.get(key)?.groups.get(group)
    }

    /// The groups with readers of the key.
    pub fn groups_of(&self, key: &StreamKey) -> Vec<GroupName> {
        self.by_key.get(key).map(|queues| queues.groups.keys().cloned().collect()).unwrap_or_default()
    }

    /// Those who wait for entries of the key after an id for which `is_there` holds.
    pub fn readers_of_entries(&self, key: &StreamKey, is_there: impl Fn(EntryId) -> bool) -> Vec<WaiterId> {
        let readers = self.by_key.get(key).into_iter().flat_map(|queues| &queues.entries);
        readers.filter(|(_, after)| is_there(**after)).map(|(id, _)| *id).collect()
    }

    /// Notes when to look at a group's queue again: at the soonest of what `look_at` says of a CLAIM that waits.
    pub fn schedule(
        &mut self,
        key: &StreamKey,
        group: &GroupName,
        look_at: impl Fn(u64) -> Option<UnixMillis>,
    ) {
        let Some(queue) = self.by_key.get_mut(key).and_then(|queues| queues.groups.get_mut(group)) else {
            return;
        };
        let look_at = queue.claims().filter_map(look_at).min();
        let before = std::mem::replace(&mut queue.look_at, look_at);
        if before == look_at {
            return;
        }
        if let Some(before) = before {
            self.looks.remove(&(before, key.clone(), group.clone()));
        }
        if let Some(look_at) = look_at {
            self.looks.insert((look_at, key.clone(), group.clone()));
        }
    }

    /// The queues to look at by `now`.
    pub fn due(&self, now: UnixMillis) -> Vec<(StreamKey, GroupName)> {
        let due = self.looks.iter().take_while(|(at, ..)| *at <= now);
        due.map(|(_, key, group)| (key.clone(), group.clone())).collect()
    }

    /// When the next queue is due.
    pub fn next_look(&self) -> Option<UnixMillis> {
        self.looks.first().map(|(at, ..)| *at)
    }

    /// Keys with readers, and those among them with readers of a group.
    pub fn count(&self, database: Option<DatabaseIndex>) -> (u64, u64) {
        let of_database = |key: &StreamKey| database.is_none_or(|database| key.database() == database);
        let keys = self.by_key.iter().filter(|(key, _)| of_database(key));
        keys.fold((0, 0), |(all, groups), (_, queues)| {
            (all + 1, groups + u64::from(!queues.groups.is_empty()))
        })
    }

    fn group_mut(&mut self, key: &StreamKey, group: &GroupName) -> &mut GroupQueue {
        self.by_key.entry(key.clone()).or_default().groups.entry(group.clone()).or_default()
    }

    fn forget_if_empty(&mut self, key: &StreamKey) {
        let Self { by_key, looks } = self;
        let Some(of_key) = by_key.get_mut(key) else { return };
        of_key.groups.retain(|group, queue| {
            if let Some(look_at) = queue.look_at.filter(|_| queue.is_empty()) {
                looks.remove(&(look_at, key.clone(), group.clone()));
            }
            !queue.is_empty()
        });
        if of_key.groups.is_empty() && of_key.entries.is_empty() {
            by_key.remove(key);
        }
    }
}
