//! Blocked readers of one shard, in the order they came. Pure: time, the machine's view and whom to tell
//! belong to `waiting_room`.
//!
//! - A reader of entries (XREAD) wakes whenever one of its streams has an entry after its id; all such
//!   readers wake together.
//! - Readers of a group (XREADGROUP) wake first come, first served, and only as many as there is something
//!   for: whoever wakes holds a *grant* of as many entries as it may take, until it is served
//!   ([`Waiters::cancel`]), found nothing ([`Waiters::rearm`]) or is overdue ([`Waiters::expire`]). What is
//!   granted is not promised to the next, so nobody wakes for what another is about to take.
//! - Readers with CLAIM also wake when pending entries have been idle for long enough ([`Waiters::look_again`]):
//!   nothing but time tells so.
//! - A group that is gone wakes all that wait for it: running the command again tells them.
//!
//! Invariant, after each call: no reader waits although its condition holds and grants leave it something, unless
//! it or one before it could take what is granted to another.
//! A wake is never a promise; the reader runs its command again and comes back if another was faster. It
//! keeps its place meanwhile: places are given by [`WaiterId`], which only goes up.

use std::collections::{BTreeMap, BTreeSet};

use rivermark_stream::Effect;
use rivermark_types::{DatabaseIndex, EntryId, GroupName, StreamKey, UnixMillis};
use tokio::time::Instant;

pub use super::endpoint::WaiterId;
use super::endpoint::{GroupWait, WaitCondition};
use super::group_queue::Chosen;
use super::wait_queues::Queues;

/// What waiters need to know of a shard's machine.
pub trait MachineView {
    /// Whether the stream has a live entry with a greater id.
    fn has_entries_after(&self, key: &StreamKey, after: EntryId) -> bool;

    /// How many live entries the group was never given and, with `claim_min_idle_ms`, how many pending ones are
    /// idle for so long; `None` if key or group is missing. Counting may stop at a bound.
    fn deliverable(&self, key: &StreamKey, group: &GroupName, claim_min_idle_ms: Option<u64>) -> Option<u64>;

    /// When the passing of time may make [`Self::deliverable`] more for this CLAIM; later than the present.
    fn look_again_at(&self, key: &StreamKey, group: &GroupName, claim_min_idle_ms: u64)
    -> Option<UnixMillis>;
}

/// The blocked readers of one shard.
#[derive(Debug, Default)]
pub struct Waiters {
    last_id: u64,
    waiters: BTreeMap<WaiterId, Waiter>,
    queues: Queues,
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
                if self.queues.contains(key) {
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
            let ready = self.queues.readers_of_entries(&key, |after| machine.has_entries_after(&key, after));
            for id in ready {
                self.wake(id, State::Woken);
                woken.push(id);
            }
            for group in self.queues.groups_of(&key) {
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

    /// Answers who wakes because time passed.
    pub fn look_again(
        &mut self,
        now: UnixMillis,
        machine: &impl MachineView,
        grant_until: Instant,
    ) -> Vec<WaiterId> {
        let mut woken = Vec::new();
        for (key, group) in self.queues.due(now) {
            self.grant(&key, &group, machine, grant_until, &mut woken);
        }
        woken
    }

    /// When to call [`Self::look_again`].
    pub fn next_look(&self) -> Option<UnixMillis> {
        self.queues.next_look()
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
        self.queues.count(database)
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

    /// Wakes readers of one group in order, as long as grants leave something, and notes when to look again for
    /// the others.
    fn grant(
        &mut self,
        key: &StreamKey,
        group: &GroupName,
        machine: &impl MachineView,
        until: Instant,
        woken: &mut Vec<WaiterId>,
    ) {
        let Some(queue) = self.queues.group(key, group) else { return };
        match queue.choose(|claim| machine.deliverable(key, group, claim)) {
            Chosen::Everyone(ids) => {
                for id in ids {
                    self.wake(id, State::Woken);
                    woken.push(id);
                }
            }
            Chosen::Granted(chosen) => {
                for (id, grant) in chosen {
                    self.queues.hold(id, key, group, grant);
                    self.overdue.insert((until, id));
                    self.wake(id, State::Granted(key.clone(), until));
                    woken.push(id);
                }
            }
        }
        self.queues.schedule(key, group, |claim| machine.look_again_at(key, group, claim));
    }

    /// Takes a reader out of all queues.
    fn wake(&mut self, id: WaiterId, state: State) {
        self.dequeue(id);
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.state = state;
        }
    }

    fn enqueue(&mut self, id: WaiterId) {
        self.queues.insert(id, &self.waiters[&id].condition);
    }

    fn dequeue(&mut self, id: WaiterId) {
        if let Some(waiter) = self.waiters.get(&id) {
            self.queues.remove(id, &waiter.condition);
        }
    }

    /// Takes back a reader's grant, if it holds one.
    fn release(&mut self, id: WaiterId) {
        let Some(waiter) = self.waiters.get_mut(&id) else { return };
        let State::Granted(key, until) = &waiter.state else { return };
        let WaitCondition::Group(wait) = &waiter.condition else { return };
        self.overdue.remove(&(*until, id));
        self.queues.release(id, key, &wait.group);
        waiter.state = State::Woken;
    }
}
