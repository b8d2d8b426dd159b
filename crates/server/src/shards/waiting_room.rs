//! Where blocked readers of a shard wait while this node leads it.
//!
//! Registration looks at the machine after the reader is queued, and apply's effects come after the machine
//! shows them, so whatever makes a condition true is seen by one of the two. What time alone makes true
//! (CLAIM) is seen by the room's own task. When leadership goes, everyone in the room is sent to the new leader.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_raft::{Leadership, Replica};
use rivermark_stream::{Effect, Machine, Readiness};
use rivermark_types::limits::GRANT_MS_MAX;
use rivermark_types::{EntryId, GroupName, StreamKey, UnixMillis};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::counters::Counters;
use super::endpoint::{Notice, Place, WaitCondition, WaitControl, WaitEvent};
use super::waiters::{MachineView, WaiterId, Waiters};

const GRANT: Duration = Duration::from_millis(GRANT_MS_MAX);

/// Waiters look at the clock at least so often while they wait for an instant: it may have been set forward.
const CLOCK_TRUSTED: Duration = Duration::from_secs(1);

/// The blocked readers of one shard led here.
///
/// The machine's lock is always taken before the room's: apply holds neither when it brings effects.
pub(super) struct WaitingRoom {
    /// Gone once the replica is removed from this node; then nobody is here.
    replica: Weak<Replica>,
    leadership: watch::Receiver<Leadership>,
    state: Mutex<RoomState>,
    /// The room's task has something to look at.
    wanted: Notify,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct RoomState {
    waiters: Waiters,
    /// Whom to tell, and the tag they gave.
    listeners: HashMap<WaiterId, (u64, mpsc::UnboundedSender<Notice>)>,
}

impl WaitingRoom {
    /// An empty room. Its task ends with the replica.
    pub fn open(replica: &Arc<Replica>, counters: Arc<Counters>) -> Arc<Self> {
        let room = Arc::new(Self {
            replica: Arc::downgrade(replica),
            leadership: replica.leadership(),
            state: Mutex::default(),
            wanted: Notify::new(),
            counters,
        });
        tokio::spawn(Arc::clone(&room).run());
        room
    }

    /// Whether this is the room of this replica, rather than of one it replaced.
    pub fn is_of(&self, replica: &Arc<Replica>) -> bool {
        self.replica.as_ptr() == Arc::as_ptr(replica)
    }

    /// Keys with readers, and those among them with readers of a group.
    pub fn blocking_keys(&self) -> (u64, u64) {
        self.state.lock().waiters.blocking_keys(None)
    }

    /// Parks a reader, or sends it to the leader.
    pub fn enter(
        self: &Arc<Self>,
        replica: &Replica,
        condition: WaitCondition,
        tag: u64,
        events: mpsc::UnboundedSender<Notice>,
    ) -> Place {
        // Before the queue: whoever enters while this node leads misses no effect.
        let leadership = *self.leadership.borrow();
        if !leadership.is_local_leader {
            let _ = events.send((tag, WaitEvent::Moved { leader: leadership.leader }));
            return Place::none();
        }
        self.counters.waiters.increase();
        let waiter = self.with_view(replica, |state, view| {
            let (waiter, woken) = state.waiters.register(condition, view, grant_until());
            state.listeners.insert(waiter, (tag, events));
            (waiter, woken)
        });
        // Grants may have been made.
        self.wanted.notify_one();
        // After the queue: whoever enters when leadership is gone is not sent away by others.
        if !self.leadership.borrow().is_local_leader {
            self.send_away();
        }
        let control: Arc<dyn WaitControl> = Arc::clone(self) as Arc<dyn WaitControl>;
        Place::new(control, waiter)
    }

    /// Takes note of what apply did; the room's task looks into it.
    pub fn affected_by(&self, effects: &[Effect]) {
        let mut state = self.state.lock();
        if state.waiters.is_empty() {
            return;
        }
        effects.iter().for_each(|effect| state.waiters.affected_by(effect));
        if state.waiters.is_dirty() {
            self.wanted.notify_one();
        }
    }

    /// Evaluates what apply changed, frees overdue grants, and empties the room when leadership goes.
    async fn run(self: Arc<Self>) {
        let mut leadership = self.leadership.clone();
        let mut term = leadership.borrow_and_update().term;
        loop {
            let next = self.next_look();
            tokio::select! {
                () = self.wanted.notified() => {}
                changed = leadership.changed() => {
                    let now: Leadership = *leadership.borrow_and_update();
                    if !now.is_local_leader || now.term != term || changed.is_err() {
                        self.send_away();
                    }
                    term = now.term;
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep_until(next) => {}
            }
            self.look();
        }
    }

    /// When to look although nothing happened: a grant runs out, or an entry may have become claimable.
    fn next_look(&self) -> Option<Instant> {
        let (overdue, claimable) = {
            let waiters = &self.state.lock().waiters;
            (waiters.next_overdue(), waiters.next_look())
        };
        let claimable = claimable.zip(self.replica.upgrade()).map(|(at, replica)| {
            Instant::now() + Duration::from_millis(at.since_ms(replica.now())).min(CLOCK_TRUSTED)
        });
        overdue.into_iter().chain(claimable).min()
    }

    fn look(&self) {
        let Some(replica) = self.replica.upgrade() else { return };
        let is_wanted = {
            // Read before the room is locked: it may take the machine's lock.
            let now = replica.now();
            let waiters = &self.state.lock().waiters;
            waiters.is_dirty()
                || waiters.next_overdue().is_some_and(|at| at <= Instant::now())
                || waiters.next_look().is_some_and(|at| at <= now)
        };
        if !is_wanted {
            return;
        }
        self.with_view(&replica, |state, view| {
            let mut woken = state.waiters.evaluate(view, grant_until());
            woken.extend(state.waiters.expire(Instant::now(), view, grant_until()));
            woken.extend(state.waiters.look_again(view.now, view, grant_until()));
            ((), woken)
        });
    }

    /// Changes the queues in view of the machine and tells whoever wakes.
    fn with_view<T>(
        &self,
        replica: &Replica,
        change: impl FnOnce(&mut RoomState, &View<'_>) -> (T, Vec<WaiterId>),
    ) -> T {
        let now = replica.now();
        replica.with_machine(|machine| {
            let mut state = self.state.lock();
            let (result, woken) = change(&mut state, &View { machine, now });
            self.tell(&state, &woken);
            result
        })
    }

    fn tell(&self, state: &RoomState, woken: &[WaiterId]) {
        for waiter in woken {
            if let Some((tag, events)) = state.listeners.get(waiter) {
                self.counters.wakes.increase();
                let _ = events.send((*tag, WaitEvent::Woken));
            }
        }
    }

    /// Empties the room: this node does not lead.
    pub fn send_away(&self) {
        let leader = self.leadership.borrow().leader;
        let mut state = self.state.lock();
        state.waiters.clear();
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        self.counters.waiters.subtract(listeners.len() as u64);
        for (tag, events) in listeners.into_values() {
            let _ = events.send((tag, WaitEvent::Moved { leader }));
        }
    }
}

impl WaitControl for WaitingRoom {
    fn rearm(&self, waiter: WaiterId) {
        let Some(replica) = self.replica.upgrade() else { return };
        self.with_view(&replica, |state, view| ((), state.waiters.rearm(waiter, view, grant_until())));
        self.wanted.notify_one();
    }

    fn cancel(&self, waiter: WaiterId) {
        let Some(replica) = self.replica.upgrade() else { return };
        self.with_view(&replica, |state, view| {
            if state.listeners.remove(&waiter).is_some() {
                self.counters.waiters.decrease();
            }
            ((), state.waiters.cancel(waiter, view, grant_until()))
        });
        self.wanted.notify_one();
    }
}

fn grant_until() -> Instant {
    Instant::now() + GRANT
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A shard's machine at one moment.
struct View<'a> {
    machine: &'a Machine,
    now: UnixMillis,
}

impl MachineView for View<'_> {
    fn has_entries_after(&self, key: &StreamKey, after: EntryId) -> bool {
        let condition = rivermark_stream::WaitCondition::Entries { key: key.clone(), after };
        self.machine.readiness(self.now, &condition) != Readiness::Wait
    }

    fn deliverable(&self, key: &StreamKey, group: &GroupName, claim_min_idle_ms: Option<u64>) -> Option<u64> {
        match self.machine.readiness(self.now, &condition_of(key, group, claim_min_idle_ms)) {
            Readiness::Wait => Some(0),
            // Ready with nothing to be had: key or group is gone.
            Readiness::Ready { available: 0 } => None,
            Readiness::Ready { available } => Some(available),
        }
    }

    fn look_again_at(
        &self,
        key: &StreamKey,
        group: &GroupName,
        claim_min_idle_ms: u64,
    ) -> Option<UnixMillis> {
        self.machine.look_again_at(self.now, &condition_of(key, group, Some(claim_min_idle_ms)))
    }
}

fn condition_of(
    key: &StreamKey,
    group: &GroupName,
    claim_min_idle_ms: Option<u64>,
) -> rivermark_stream::WaitCondition {
    use rivermark_stream::WaitCondition::{Claim, Group};
    let (key, group) = (key.clone(), group.clone());
    match claim_min_idle_ms {
        None => Group { key, group },
        Some(min_idle_ms) => Claim { key, group, min_idle_ms },
    }
}
