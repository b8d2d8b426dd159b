//! Who leads a shard, as far as this node knows, and whom to ask next when that was wrong.
//!
//! Knowledge has three sources: the leadership of a local replica, the hints in refusals, and success. It
//! is never more than a guess: every endpoint checks for itself, so a wrong guess costs a round trip.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use rivermark_types::{NodeId, ShardId};
use tokio::sync::watch;

use super::counters::Counters;
use super::endpoint::LeaderEndpoint;

const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// What the router half knows of the cluster. Closures, so that simulation and tests bring their own.
pub struct Directory {
    /// The replicas of a shard, the preferred leader first.
    pub replicas: Box<dyn Fn(ShardId) -> Vec<NodeId> + Send + Sync>,
    /// The best guess who leads a shard.
    pub leader: Box<dyn Fn(ShardId) -> Option<NodeId> + Send + Sync>,
    /// The leaders of a shard as this node sees or hears of them come and go; `None` if it does not.
    pub leaders: Box<dyn Fn(ShardId) -> Option<BoxStream<'static, Option<NodeId>>> + Send + Sync>,
    /// The way to a node; `None` if the topology does not know it.
    pub endpoint: Box<dyn Fn(NodeId) -> Option<Arc<dyn LeaderEndpoint>> + Send + Sync>,
}

/// The believed leader of one shard, shared by everything this node asks of the shard.
pub struct LeaderTracker {
    shard: ShardId,
    directory: Arc<Directory>,
    believed: watch::Sender<Option<NodeId>>,
    counters: Arc<Counters>,
}

impl LeaderTracker {
    /// Starts with the directory's guess.
    pub fn new(shard: ShardId, directory: Arc<Directory>, counters: Arc<Counters>) -> Self {
        let believed = watch::Sender::new((directory.leader)(shard));
        Self { shard, directory, believed, counters }
    }

    pub(super) fn shard(&self) -> ShardId {
        self.shard
    }

    /// Follows changes of the belief.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<NodeId>> {
        self.believed.subscribe()
    }

    pub(super) fn endpoint(&self, node: NodeId) -> Option<Arc<dyn LeaderEndpoint>> {
        (self.directory.endpoint)(node)
    }

    pub(super) fn local_leaders(&self) -> Option<BoxStream<'static, Option<NodeId>>> {
        (self.directory.leaders)(self.shard)
    }

    /// `node` led a moment ago, by its own word or a local replica's.
    pub(super) fn learned(&self, node: NodeId) {
        let changed = self.believed.send_if_modified(|believed| {
            let changed = *believed != Some(node);
            *believed = Some(node);
            changed
        });
        if changed {
            self.counters.leader_changes.increase();
        }
    }

    /// `node` refused. What it hinted at is for the asker to try: only success makes a belief, or two nodes
    /// with outdated hints would send everyone back and forth.
    fn doubted(&self, node: NodeId) {
        self.believed.send_if_modified(|believed| {
            let wrong = *believed == Some(node);
            if wrong {
                *believed = None;
            }
            wrong
        });
    }

    /// `silent` has not answered for long: asks the shard's other replicas who leads, and believes the
    /// first that names another.
    pub(super) fn suspect(self: &Arc<Self>, silent: NodeId) -> BoxFuture<'static, ()> {
        let tracker = Arc::clone(self);
        Box::pin(async move {
            let others =
                (tracker.directory.replicas)(tracker.shard).into_iter().filter(|node| *node != silent);
            let mut asked: FuturesUnordered<_> = others
                .filter_map(|node| tracker.endpoint(node))
                .map(|endpoint| endpoint.find_leader(tracker.shard))
                .collect();
            while let Some(answer) = asked.next().await {
                if let Some(leader) = answer.filter(|leader| *leader != silent) {
                    return tracker.learned(leader);
                }
            }
        })
    }
}

/// One asker's search for the leader.
#[derive(Debug)]
pub(super) struct Seeker {
    target: NodeId,
    /// Nodes asked since the last pause or success.
    hops: usize,
    backoff: Duration,
    /// Refusals of the target that named nobody.
    nameless: u32,
}

impl Seeker {
    pub(super) fn new(tracker: &LeaderTracker) -> Self {
        let believed = *tracker.believed.borrow();
        let target = believed
            .or_else(|| (tracker.directory.leader)(tracker.shard))
            .or_else(|| (tracker.directory.replicas)(tracker.shard).first().copied());
        Self { target: target.unwrap_or_default(), hops: 0, backoff: BACKOFF_MIN, nameless: 0 }
    }

    /// The node to ask.
    pub(super) fn target(&self) -> NodeId {
        self.target
    }

    pub(super) fn succeeded(&mut self, tracker: &LeaderTracker) {
        self.reset();
        tracker.learned(self.target);
    }

    /// Better knowledge came from elsewhere.
    pub(super) fn follow(&mut self, leader: NodeId) {
        self.reset();
        self.target = leader;
    }

    /// The target does not lead. Answers how long to wait before asking the next one.
    pub(super) fn refused(&mut self, tracker: &LeaderTracker, hint: Option<NodeId>) -> Option<Duration> {
        if hint == Some(self.target) {
            return Some(self.pause());
        }
        tracker.doubted(self.target);
        let named = hint
            .or_else(|| (tracker.directory.leader)(tracker.shard))
            .filter(|leader| *leader != self.target && *leader != NodeId::default());
        match named {
            Some(leader) => self.hop(tracker, leader),
            None => {
                // Most likely a new leader no quorum has answered yet: ask it again, but not for ever.
                self.nameless += 1;
                if self.nameless.is_multiple_of(2) {
                    self.target = self.next_replica(tracker);
                }
                Some(self.pause())
            }
        }
    }

    /// The target cannot be reached or told nothing of value. Answers how long to wait before asking the
    /// next one.
    pub(super) fn unreachable(&mut self, tracker: &LeaderTracker) -> Option<Duration> {
        tracker.doubted(self.target);
        let guess = (tracker.directory.leader)(tracker.shard).filter(|leader| *leader != self.target);
        let next = guess.unwrap_or_else(|| self.next_replica(tracker));
        self.hop(tracker, next)
    }

    /// The target leads but cannot take it now.
    pub(super) fn busy(&mut self) -> Option<Duration> {
        Some(self.pause())
    }

    fn hop(&mut self, tracker: &LeaderTracker, next: NodeId) -> Option<Duration> {
        self.target = next;
        self.nameless = 0;
        self.hops += 1;
        (self.hops > (tracker.directory.replicas)(tracker.shard).len()).then(|| self.pause())
    }

    fn next_replica(&self, tracker: &LeaderTracker) -> NodeId {
        let replicas = (tracker.directory.replicas)(tracker.shard);
        let at = replicas.iter().position(|node| *node == self.target);
        let next = at.map_or(0, |at| (at + 1) % replicas.len());
        replicas.get(next).copied().unwrap_or(self.target)
    }

    fn pause(&mut self) -> Duration {
        self.hops = 0;
        let pause = self.backoff;
        self.backoff = (pause * 2).min(BACKOFF_MAX);
        pause
    }

    fn reset(&mut self) {
        self.hops = 0;
        self.nameless = 0;
        self.backoff = BACKOFF_MIN;
    }
}
