//! The leader half: what routers ask of the replicas on this node.
//!
//! Blocked readers of a shard stand in a [`WaitingRoom`] while this node leads it. Registration looks at
//! the machine after the reader is queued, and apply's effects come after the machine shows them, so
//! whatever makes a condition true is seen by one of the two. When leadership goes, everyone in the room
//! is sent to the new leader.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use rivermark_raft::{EffectSink, EncodedPart, Leadership, ProposeError, RaftNode, ReadError, Replica};
use rivermark_stream::{Effect, Machine, Query, Readiness};
use rivermark_types::limits::GRANT_MS_MAX;
use rivermark_types::{EntryId, GroupName, NodeId, ShardId, StreamKey, UnixMillis};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::counters::Counters;
use super::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, WaitCondition, WaitControl, WaitEvent,
};
use super::waiters::{MachineView, WaiterId, Waiters};

const GRANT: Duration = Duration::from_millis(GRANT_MS_MAX);

/// This node as a leader of shards.
pub struct ShardHost {
    /// Set once the node has started; it needs the host as its effect sink first.
    node: OnceLock<Weak<RaftNode>>,
    rooms: RwLock<BTreeMap<ShardId, Arc<WaitingRoom>>>,
    counters: Arc<Counters>,
}

impl ShardHost {
    /// A host that leads nothing until [`Self::attach`].
    pub fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { node: OnceLock::new(), rooms: RwLock::default(), counters })
    }

    /// Gives the host the node whose replicas it serves.
    ///
    /// # Panics
    /// If it has one already.
    pub fn attach(&self, node: &Arc<RaftNode>) {
        assert!(self.node.set(Arc::downgrade(node)).is_ok(), "a host serves one node");
    }

    /// Keys with blocked readers at this node's leaders, and those among them with readers of a group.
    pub fn blocking_keys(&self) -> (u64, u64) {
        self.rooms.read().values().fold((0, 0), |(all, groups), room| {
            let (room_all, room_groups) = room.state.lock().waiters.blocking_keys(None);
            (all + room_all, groups + room_groups)
        })
    }

    fn replica(&self, shard: ShardId) -> Result<Arc<Replica>, Refusal> {
        let node = self.node.get().ok_or(Refusal::NotLeader { leader: None })?;
        let node = node.upgrade().ok_or(Refusal::ShuttingDown)?;
        node.replica(shard).ok_or_else(|| Refusal::NotLeader { leader: node.leader_of(shard) })
    }

    /// The room of a replica; a replica that was removed and came back gets another.
    fn room(&self, replica: &Arc<Replica>) -> Arc<WaitingRoom> {
        let of_replica = |room: &&Arc<WaitingRoom>| room.replica.as_ptr() == Arc::as_ptr(replica);
        if let Some(room) = self.rooms.read().get(&replica.shard()).filter(of_replica) {
            return Arc::clone(room);
        }
        let mut rooms = self.rooms.write();
        if let Some(room) = rooms.get(&replica.shard()).filter(of_replica) {
            return Arc::clone(room);
        }
        let room = WaitingRoom::open(replica, Arc::clone(&self.counters));
        rooms.insert(replica.shard(), Arc::clone(&room));
        room
    }
}

impl LeaderEndpoint for ShardHost {
    fn propose(&self, shard: ShardId, part: Bytes, count: u32) -> BoxFuture<'static, ProposeAnswer> {
        let answer = self.replica(shard).map(|replica| replica.submit(EncodedPart { bytes: part, count }));
        Box::pin(async move {
            match answer?.await {
                Ok(Ok(outcome)) => Ok(outcome),
                Ok(Err(error)) => Err(error.into()),
                // The proposer is gone and took the answer with it.
                Err(_) => Err(Refusal::OutcomeUnknown),
            }
        })
    }

    fn query(&self, shard: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer> {
        let replica = self.replica(shard);
        Box::pin(async move {
            let replica = replica?;
            replica.read_barrier().await?;
            let now = replica.now();
            let mut outcomes = Vec::with_capacity(queries.len());
            for query in queries.iter() {
                // The machine is let go of after each: writes must not wait for a train of long reads.
                outcomes.push(replica.with_machine(|machine| machine.query(now, query)));
                tokio::task::consume_budget().await;
            }
            Ok(outcomes)
        })
    }

    fn park(
        &self,
        shard: ShardId,
        condition: WaitCondition,
        tag: u64,
        events: mpsc::UnboundedSender<Notice>,
    ) -> Place {
        match self.replica(shard) {
            Ok(replica) => self.room(&replica).enter(&replica, condition, tag, events),
            Err(refusal) => {
                let leader = match refusal {
                    Refusal::NotLeader { leader } => leader,
                    _ => None,
                };
                let _ = events.send((tag, WaitEvent::Moved { leader }));
                Place::none()
            }
        }
    }

    fn find_leader(&self, shard: ShardId) -> BoxFuture<'static, Option<NodeId>> {
        let leader = self.node.get().and_then(Weak::upgrade).and_then(|node| node.leader_of(shard));
        Box::pin(std::future::ready(leader))
    }
}

impl EffectSink for ShardHost {
    fn effects(&self, shard: ShardId, effects: Vec<Effect>) {
        if let Some(room) = self.rooms.read().get(&shard) {
            room.affected_by(&effects);
        }
    }

    fn leadership_lost(&self, shard: ShardId) {
        if let Some(room) = self.rooms.read().get(&shard) {
            room.send_away();
        }
    }
}

impl From<ProposeError> for Refusal {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader { leader } => Self::NotLeader { leader },
            ProposeError::Overloaded => Self::Overloaded,
            ProposeError::ShuttingDown => Self::ShuttingDown,
            ProposeError::OutcomeUnknown => Self::OutcomeUnknown,
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotLeader { leader } => Self::NotLeader { leader },
            ReadError::Timeout => Self::NotLeader { leader: None },
            ReadError::ShuttingDown => Self::ShuttingDown,
        }
    }
}

/// The blocked readers of one shard led here.
///
/// The machine's lock is always taken before the room's: apply holds neither when it brings effects.
struct WaitingRoom {
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
    fn open(replica: &Arc<Replica>, counters: Arc<Counters>) -> Arc<Self> {
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

    fn enter(
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

    fn affected_by(&self, effects: &[Effect]) {
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
            let overdue = self.state.lock().waiters.next_overdue();
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
                () = sleep_until(overdue) => {}
            }
            self.look();
        }
    }

    fn look(&self) {
        let is_wanted = {
            let state = self.state.lock();
            state.waiters.is_dirty() || state.waiters.next_overdue().is_some_and(|at| at <= Instant::now())
        };
        if !is_wanted {
            return;
        }
        let Some(replica) = self.replica.upgrade() else { return };
        self.with_view(&replica, |state, view| {
            let mut woken = state.waiters.evaluate(view, grant_until());
            woken.extend(state.waiters.expire(Instant::now(), view, grant_until()));
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

    fn send_away(&self) {
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

    fn deliverable(&self, key: &StreamKey, group: &GroupName, _enough: u64) -> Option<u64> {
        let condition = rivermark_stream::WaitCondition::Group { key: key.clone(), group: group.clone() };
        match self.machine.readiness(self.now, &condition) {
            Readiness::Wait => Some(0),
            // Ready with nothing to be had: key or group is gone.
            Readiness::Ready { available: 0 } => None,
            Readiness::Ready { available } => Some(available),
        }
    }
}
