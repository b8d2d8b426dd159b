//! Blocked readers of one shard, in the order they came. Pure: time, the machine's view and whom to tell
//! belong to `host`.
//!
//! - A reader of entries (XREAD) wakes whenever one of its streams has an entry after its id; all such
//!   readers wake together.
//! - Readers of a group (XREADGROUP) wake first come, first served, and only as many as there is something
//!   for: whoever wakes holds a *grant* of as many entries as it may take, until it is served
//!   ([`Waiters::cancel`]), found nothing ([`Waiters::rearm`]) or is overdue ([`Waiters::expire`]). What is
//!   granted is not promised to the next, so nobody wakes for what another is about to take.
//! - A group that is gone wakes all that wait for it: running the command again tells them.
//!
//! Invariant, after each call: no reader waits although its condition holds and grants leave it something.
//! A wake is never a promise; the reader runs its command again and comes back if another was faster. It
//! keeps its place meanwhile: places are given by [`WaiterId`], which only goes up.

use std::collections::{BTreeMap, BTreeSet};

use rivermark_stream::Effect;
use rivermark_types::{DatabaseIndex, EntryId, GroupName, StreamKey};
use tokio::time::Instant;

pub use super::endpoint::WaiterId;
use super::endpoint::{GroupWait, WaitCondition};

/// What waiters need to know of a shard's machine.
pub trait MachineView {
    /// Whether the stream has a live entry with a greater id.
    fn has_entries_after(&self, key: &StreamKey, after: EntryId) -> bool;

    /// How many live entries the group was never given, counted up to `enough`; `None` if key or group is
    /// missing.
    fn deliverable(&self, key: &StreamKey, group: &GroupName, enough: u64) -> Option<u64>;
}

/// The blocked readers of one shard.
#[derive(Debug, Default)]
pub struct Waiters {
    last_id: u64,
    waiters: BTreeMap<WaiterId, Waiter>,
    queues: BTreeMap<StreamKey, KeyQueues>,
    /// Keys with an effect since the last [`Self::evaluate`].
    dirty: BTreeSet<StreamKey>,
    /// When grants run out.
    overdue: BTreeSet<(Instant, WaiterId)>,
}

#[derive(Debug)]
struct Waiter {
    condition: WaitCondition,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Told, and owes nothing.
    Woken,
    /// Told, and entries of this stream are kept for it until then.
    Granted(StreamKey, Instant),
}

/// Those who wait for one key, in order.
#[derive(Debug, Default)]
struct KeyQueues {
    entries: BTreeMap<WaiterId, EntryId>,
    groups: BTreeMap<GroupName, GroupQueue>,
}

#[derive(Debug, Default)]
struct GroupQueue {
    /// COUNT each, `u64::MAX` without.
    waiting: BTreeMap<WaiterId, u64>,
    granted: BTreeMap<WaiterId, u64>,
}

impl Waiters {
    /// Queues a reader behind all others. Answers its name and everyone who wakes by it, itself perhaps.
    pub fn register(
        &mut self,
        condition: WaitCondition,
        machine: &impl MachineView,
        grant_until: Instant,
    ) -> (WaiterId, Vec<WaiterId>) {
        self.last_id += 1;
        let id = WaiterId(self.last_id);
        self.waiters.insert(id, Waiter { condition, state: State::Waiting });
        self.enqueue(id);
        (id, self.look(id, machine, grant_until))
    }

    /// A woken reader found nothing: it waits on at its old place, and what it held is free. Answers who
    /// wakes.
    pub fn rearm(&mut self, id: WaiterId, machine: &impl MachineView, grant_until: Instant) -> Vec<WaiterId> {
        match self.waiters.get(&id) {
            None => return Vec::new(),
            Some(waiter) if waiter.state == State::Waiting => return Vec::new(),
            Some(_) => {}
        }
        self.release(id);
        self.waiters.get_mut(&id).expect("looked up above").state = State::Waiting;
        self.enqueue(id);
        self.look(id, machine, grant_until)
    }

    /// The reader is served or gone. Answers who wakes by what it held.
    pub fn cancel(
        &mut self,
        id: WaiterId,
        machine: &impl MachineView,
        grant_until: Instant,
    ) -> Vec<WaiterId> {
        self.release(id);
        self.dequeue(id);
        let Some(Waiter { condition: WaitCondition::Group(wait), .. }) = self.waiters.remove(&id) else {
            return Vec::new();
        };
        self.look_at_group(&wait, machine, grant_until)
    }

    /// Notes what apply did. Cheap for keys nobody waits for.
    pub fn affected_by(&mut self, effect: &Effect) {
        match effect {
            Effect::EntriesAdded(key)
            | Effect::KeyRemoved(key)
            | Effect::GroupRemoved(key, _)
            | Effect::GroupMoved(key, _) => {
                if self.queues.contains_key(key) {
                    self.dirty.insert(key.clone());
                }
            }
            Effect::Flushed(database) => {
                let flushed = |key: &&StreamKey| database.is_none_or(|database| key.database() == database);
                self.dirty.extend(self.queues.keys().filter(flushed).cloned());
            }
        }
    }

    /// Whether [`Self::evaluate`] has something to look at.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Answers who wakes by the effects noted.
    pub fn evaluate(&mut self, machine: &impl MachineView, grant_until: Instant) -> Vec<WaiterId> {
        let mut woken = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let Some(queues) = self.queues.get(&key) else { continue };
            let groups: Vec<GroupName> = queues.groups.keys().cloned().collect();
            let ready = queues.entries.iter().filter(|(_, after)| machine.has_entries_after(&key, **after));
            for id in ready.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.wake(id, State::Woken);
                woken.push(id);
            }
            for group in groups {
                self.grant(&key, &group, machine, grant_until, &mut woken);
            }
        }
        woken
    }

    /// Frees what overdue readers hold. Answers who wakes by it.
    pub fn expire(
        &mut self,
        now: Instant,
        machine: &impl MachineView,
        grant_until: Instant,
    ) -> Vec<WaiterId> {
        let mut woken = Vec::new();
        while let Some((until, id)) = self.overdue.first().copied().filter(|(until, _)| *until <= now) {
            self.overdue.remove(&(until, id));
            let Some(Waiter { condition: WaitCondition::Group(wait), .. }) = self.waiters.get(&id) else {
                continue;
            };
            let wait = wait.clone();
            self.release(id);
            woken.extend(self.look_at_group(&wait, machine, grant_until));
        }
        woken
    }

    /// When the next grant runs out.
    pub fn next_overdue(&self) -> Option<Instant> {
        self.overdue.first().map(|(until, _)| *until)
    }

    /// Empties everything and answers who was there. Names are not used again.
    pub fn clear(&mut self) -> Vec<WaiterId> {
        let all = self.waiters.keys().copied().collect();
        *self = Self { last_id: self.last_id, ..Self::default() };
        all
    }

    /// How many readers there are, the woken included.
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Keys with readers, and those among them with readers of a group (INFO clients).
    pub fn blocking_keys(&self, database: Option<DatabaseIndex>) -> (u64, u64) {
        let of_database = |key: &StreamKey| database.is_none_or(|database| key.database() == database);
        let keys = self.queues.iter().filter(|(key, _)| of_database(key));
        keys.fold((0, 0), |(all, groups), (_, queues)| {
            (all + 1, groups + u64::from(!queues.groups.is_empty()))
        })
    }

    /// Wakes whoever may wake by what changed about `id`, which waits.
    fn look(&mut self, id: WaiterId, machine: &impl MachineView, grant_until: Instant) -> Vec<WaiterId> {
        match &self.waiters[&id].condition {
            WaitCondition::Entries(streams) => {
                if streams.iter().any(|(key, after)| machine.has_entries_after(key, *after)) {
                    self.wake(id, State::Woken);
                    return vec![id];
                }
                Vec::new()
            }
            WaitCondition::Group(wait) => {
                let wait = wait.clone();
                self.look_at_group(&wait, machine, grant_until)
            }
        }
    }

    fn look_at_group(
        &mut self,
        wait: &GroupWait,
        machine: &impl MachineView,
        grant_until: Instant,
    ) -> Vec<WaiterId> {
        let mut woken = Vec::new();
        for key in &wait.keys {
            self.grant(key, &wait.group, machine, grant_until, &mut woken);
        }
        woken
    }

    /// Wakes readers of one group in order, as long as grants leave something.
    fn grant(
        &mut self,
        key: &StreamKey,
        group: &GroupName,
        machine: &impl MachineView,
        until: Instant,
        woken: &mut Vec<WaiterId>,
    ) {
        let Some(queue) = self.queues.get(key).and_then(|queues| queues.groups.get(group)) else { return };
        if queue.waiting.is_empty() {
            return;
        }
        let held = queue.granted.values().fold(0u64, |held, count| held.saturating_add(*count));
        // The last to wake needs one entry beyond what all before it may take.
        let mut enough = held;
        let mut last = 0;
        for count in queue.waiting.values() {
            enough = enough.saturating_add(last);
            last = *count;
            if last == u64::MAX {
                break;
            }
        }
        // Whoever takes without bound leaves nothing: only whether the group is there matters then.
        let enough = if held == u64::MAX { 0 } else { enough.saturating_add(1) };
        let deliverable = machine.deliverable(key, group, enough);
        let mut taken = held;
        let mut chosen = Vec::new();
        for (id, count) in &queue.waiting {
            let state = match deliverable {
                None => State::Woken,
                Some(entries) if entries > taken => State::Granted(key.clone(), until),
                Some(_) => break,
            };
            taken = taken.saturating_add(*count);
            chosen.push((*id, *count, state));
        }
        for (id, count, state) in chosen {
            if matches!(state, State::Granted(..)) {
                self.overdue.insert((until, id));
                let queue = self.queues.entry(key.clone()).or_default();
                queue.groups.entry(group.clone()).or_default().granted.insert(id, count);
            }
            self.wake(id, state);
            woken.push(id);
        }
    }

    /// Takes a reader out of all queues.
    fn wake(&mut self, id: WaiterId, state: State) {
        self.dequeue(id);
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.state = state;
        }
    }

    fn enqueue(&mut self, id: WaiterId) {
        match &self.waiters[&id].condition {
            WaitCondition::Entries(streams) => {
                for (key, after) in streams {
                    let queue = &mut self.queues.entry(key.clone()).or_default().entries;
                    // A stream named twice waits for the lower id.
                    let waits_after = queue.entry(id).or_insert(*after);
                    *waits_after = (*waits_after).min(*after);
                }
            }
            WaitCondition::Group(wait) => {
                let count = wait.count.unwrap_or(u64::MAX);
                for key in &wait.keys {
                    let queues = self.queues.entry(key.clone()).or_default();
                    queues.groups.entry(wait.group.clone()).or_default().waiting.insert(id, count);
                }
            }
        }
    }

    fn dequeue(&mut self, id: WaiterId) {
        let Some(waiter) = self.waiters.get(&id) else { return };
        match &waiter.condition {
            WaitCondition::Entries(streams) => {
                for (key, _) in streams {
                    if let Some(queues) = self.queues.get_mut(key) {
                        queues.entries.remove(&id);
                    }
                    forget_if_empty(&mut self.queues, key);
                }
            }
            WaitCondition::Group(wait) => {
                for key in &wait.keys {
                    if let Some(queue) = queue_of(&mut self.queues, key, &wait.group) {
                        queue.waiting.remove(&id);
                    }
                    forget_if_empty(&mut self.queues, key);
                }
            }
        }
    }

    /// Takes back a reader's grant, if it holds one.
    fn release(&mut self, id: WaiterId) {
        let Some(waiter) = self.waiters.get_mut(&id) else { return };
        let State::Granted(key, until) = &waiter.state else { return };
        let WaitCondition::Group(wait) = &waiter.condition else { return };
        self.overdue.remove(&(*until, id));
        if let Some(queue) = queue_of(&mut self.queues, key, &wait.group) {
            queue.granted.remove(&id);
        }
        forget_if_empty(&mut self.queues, key);
        waiter.state = State::Woken;
    }
}

fn queue_of<'a>(
    queues: &'a mut BTreeMap<StreamKey, KeyQueues>,
    key: &StreamKey,
    group: &GroupName,
) -> Option<&'a mut GroupQueue> {
    queues.get_mut(key)?.groups.get_mut(group)
}

fn forget_if_empty(queues: &mut BTreeMap<StreamKey, KeyQueues>, key: &StreamKey) {
    let Some(of_key) = queues.get_mut(key) else { return };
    of_key.groups.retain(|_, queue| !queue.waiting.is_empty() || !queue.granted.is_empty());
    if of_key.groups.is_empty() && of_key.entries.is_empty() {
        queues.remove(key);
    }
}
