//! The leader half: what routers ask of the replicas on this node.
//!
//! Blocked readers of a shard stand in its [`WaitingRoom`] while this node leads it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use rivermark_raft::{EffectSink, EncodedPart, ProposeError, RaftNode, ReadError, Replica};
use rivermark_stream::{Effect, Query};
use rivermark_types::{NodeId, ShardId};
use tokio::sync::mpsc;

use super::counters::Counters;
use super::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, WaitCondition, WaitEvent,
};
use super::waiting_room::WaitingRoom;

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
            let (room_all, room_groups) = room.blocking_keys();
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
        let of_replica = |room: &&Arc<WaitingRoom>| room.is_of(replica);
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
