//! What a router half asks of the node that leads a shard, wherever that node is.
//!
//! Refusals tell apart what was certainly not applied from what may have been: only the former may be
//! reported to a client as not done.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rivermark_stream::batch::PartOutcome;
use rivermark_stream::{Outcome, Query};
use rivermark_types::{EntryId, GroupName, NodeId, ShardId, StreamKey};
use tokio::sync::mpsc;

/// A node as the possible leader of shards. Two implementors: the local host and the link to a peer.
pub trait LeaderEndpoint: Send + Sync + 'static {
    /// Hands an encoded part of `count` commands to the shard's proposer. The hand-over happens within the
    /// call: parts of one shard reach the log in call order, or not at all. Dropping the future gives up
    /// the answer, not the proposal.
    fn propose(&self, shard: ShardId, part: Bytes, count: u32) -> BoxFuture<'static, ProposeAnswer>;

    /// Answers all queries from one linearizable state of the shard.
    fn query(&self, shard: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer>;

    /// Parks a blocked reader at the shard's leader. What happens to it is sent to `events` under `tag`, a
    /// refusal too.
    fn park(
        &self,
        shard: ShardId,
        condition: WaitCondition,
        tag: u64,
        events: mpsc::UnboundedSender<Notice>,
    ) -> Place;

    /// Who leads the shard, as far as that node knows; `None` also if it cannot be asked.
    fn find_leader(&self, shard: ShardId) -> BoxFuture<'static, Option<NodeId>>;
}

/// What became of a proposed part.
pub type ProposeAnswer = Result<PartOutcome, Refusal>;

/// What became of queries: one outcome each.
pub type QueryAnswer = Result<Vec<Outcome>, Refusal>;

/// Why an endpoint did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node does not lead the shard, or not yet. Certainly not applied.
    NotLeader {
        /// Who does, if the node knows. `None` also from a new leader that no quorum has answered yet.
        leader: Option<NodeId>,
    },
    /// The node has too much to do. Certainly not applied.
    Overloaded,
    /// The node is going down. Certainly not applied.
    ShuttingDown,
    /// The node could not be reached, the request never left. Certainly not applied.
    Unreachable,
    /// The node took it and cannot tell: it may have been applied, or may be later.
    OutcomeUnknown,
    /// The link broke after the request left: it may have been applied, or may be later.
    LinkBroken,
}

impl Refusal {
    /// Whether the refused request may be applied all the same.
    pub fn leaves_doubt(self) -> bool {
        match self {
            Self::OutcomeUnknown | Self::LinkBroken => true,
            Self::NotLeader { .. } | Self::Overloaded | Self::ShuttingDown | Self::Unreachable => false,
        }
    }
}

/// What a blocked reader waits for in one shard. `$` is resolved to an id before, by the first attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// XREAD: any of the streams has an entry after its id.
    Entries(Vec<(StreamKey, EntryId)>),
    /// XREADGROUP: any of the streams has an entry the group was never given, or with CLAIM one pending for long
    /// enough, or the group is gone.
    Group(GroupWait),
}

/// What a blocked XREADGROUP waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupWait {
    /// The group, of every stream.
    pub group: GroupName,
    /// The streams.
    pub keys: Vec<StreamKey>,
    /// COUNT: how many entries the reader may take of each stream; `None` is all there are.
    pub count: Option<u64>,
    /// CLAIM: pending entries idle for so long are there for it too.
    pub claim_min_idle_ms: Option<u64>,
}

/// What happens to a registered wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEvent {
    /// The condition holds. The wait keeps its place until it is rearmed or dropped; a group's entries are
    /// kept for it meanwhile, for a short time.
    Woken,
    /// The wait is gone: the node does not lead the shard any more.
    Moved {
        /// Who does, if the node knows.
        leader: Option<NodeId>,
    },
    /// The wait is gone: the node cannot be reached.
    Unreachable,
}

/// An event and the tag its registration was made under, for those who hold many.
pub type Notice = (u64, WaitEvent);

/// Where a registered wait is steered from. Two implementors, as of [`LeaderEndpoint`].
pub trait WaitControl: Send + Sync + 'static {
    /// The woken reader found nothing: it waits on, at its old place.
    fn rearm(&self, waiter: WaiterId);
    /// The reader is served or gone. Also gives back what was kept for it.
    fn cancel(&self, waiter: WaiterId);
}

/// A wait's name at its [`WaitControl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// A place in a leader's queues. Dropping it gives it up.
pub struct Place(Option<(Arc<dyn WaitControl>, WaiterId)>);

impl Place {
    /// The place of `waiter`, steered through `control`.
    pub fn new(control: Arc<dyn WaitControl>, waiter: WaiterId) -> Self {
        Self(Some((control, waiter)))
    }

    /// No place: the reader was refused.
    pub fn none() -> Self {
        Self(None)
    }

    /// Waits on after a wake that led to nothing.
    pub fn rearm(&self) {
        if let Some((control, waiter)) = &self.0 {
            control.rearm(*waiter);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((control, waiter)) = &self.0 {
            control.cancel(*waiter);
        }
    }
}

/// One reader parked at one leader, with a channel of its own.
pub struct Registration {
    place: Place,
    events: mpsc::UnboundedReceiver<Notice>,
}

impl Registration {
    /// Parks a reader.
    pub fn new(endpoint: &dyn LeaderEndpoint, shard: ShardId, condition: WaitCondition) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        Self { place: endpoint.park(shard, condition, 0, sender), events }
    }

    /// The next event. Nothing follows an event other than [`WaitEvent::Woken`].
    pub async fn event(&mut self) -> WaitEvent {
        self.events.recv().await.map_or(WaitEvent::Unreachable, |(_, event)| event)
    }

    /// Waits on after a wake that led to nothing.
    pub fn rearm(&self) {
        self.place.rearm();
    }
}
