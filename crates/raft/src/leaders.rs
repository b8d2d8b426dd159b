//! Who leads which shard, as far as this node knows: of its own replicas at first hand, of others from
//! what their hosts say. Only ever a hint: a node that is asked and does not lead says so.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rivermark_types::{NodeId, ShardId, Term};
use tokio::sync::watch;

use crate::leadership::Leadership;

/// A leader and the term it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownLeader {
    pub(crate) term: Term,
    pub(crate) leader: NodeId,
}

type Known = BTreeMap<ShardId, KnownLeader>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Leaders {
    /// Of shards hosted here: passed on to others.
    first_hand: watch::Sender<Known>,
    /// From other nodes.
    hearsay: Mutex<Known>,
    /// The leader of the greatest term heard of; first hand wins ties.
    latest: watch::Sender<BTreeMap<ShardId, NodeId>>,
}

impl Default for Leaders {
    fn default() -> Self {
        Self {
            first_hand: watch::Sender::new(Known::new()),
            hearsay: Mutex::default(),
            latest: watch::Sender::new(BTreeMap::new()),
        }
    }
}

impl Leaders {
    /// What a replica here knows.
    pub(crate) fn observed(&self, shard: ShardId, leadership: &Leadership) {
        let known = leadership.leader.map(|leader| KnownLeader { term: leadership.term, leader });
        self.first_hand.send_if_modified(|leaders| {
            let before = match known {
                Some(known) => leaders.insert(shard, known),
                None => leaders.remove(&shard),
            };
            before != known
        });
        self.settle(shard);
    }

    /// A replica here is gone.
    pub(crate) fn forget(&self, shard: ShardId) {
        self.first_hand.send_if_modified(|leaders| leaders.remove(&shard).is_some());
        self.settle(shard);
    }

    /// What another node says of its own replicas. Older terms are old news.
    pub(crate) fn heard(&self, told: impl Iterator<Item = (ShardId, KnownLeader)>) {
        for (shard, known) in told {
            {
                let mut hearsay = self.hearsay.lock();
                if hearsay.get(&shard).is_some_and(|old| old.term > known.term) {
                    continue;
                }
                hearsay.insert(shard, known);
            }
            self.settle(shard);
        }
    }

    fn settle(&self, shard: ShardId) {
        self.latest.send_if_modified(|latest| {
            let own = self.first_hand.borrow().get(&shard).copied();
            let told = self.hearsay.lock().get(&shard).copied();
            let known = match (own, told) {
                (Some(own), Some(told)) => Some(if told.term > own.term { told } else { own }),
                (own, told) => own.or(told),
            };
            let leader = known.map(|known| known.leader);
            let before = match leader {
                Some(leader) => latest.insert(shard, leader),
                None => latest.remove(&shard),
            };
            before != leader
        });
    }

    /// The leader of a shard as far as known.
    pub(crate) fn leader_of(&self, shard: ShardId) -> Option<NodeId> {
        self.latest.borrow().get(&shard).copied()
    }

    /// Follows all leaders known.
    pub(crate) fn latest(&self) -> watch::Receiver<BTreeMap<ShardId, NodeId>> {
        self.latest.subscribe()
    }

    /// Follows what replicas here know.
    pub(crate) fn first_hand(&self) -> watch::Receiver<Known> {
        self.first_hand.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(term: u64, leader: u64) -> KnownLeader {
        KnownLeader { term: Term::new(term), leader: NodeId::new(leader) }
    }

    #[test]
    fn the_greatest_term_wins_and_first_hand_wins_ties() {
        let (leaders, shard) = (Leaders::default(), ShardId::new(1));
        assert_eq!(leaders.leader_of(shard), None);
        leaders.heard([(shard, known(3, 2))].into_iter());
        leaders.heard([(shard, known(2, 1))].into_iter());
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(2)));
        let own = Leadership { term: Term::new(3), leader: Some(NodeId::new(3)), is_local_leader: true };
        leaders.observed(shard, &own);
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(3)));
        leaders.heard([(shard, known(4, 1))].into_iter());
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(1)));
        leaders.forget(shard);
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(1)));
    }
}
