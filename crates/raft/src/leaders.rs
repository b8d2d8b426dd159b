//! Who leads which shard, as far as this node knows: of its own replicas at first hand, of others from
//! what their hosts say. Only ever a hint: a node that is asked and does not lead says so.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use rivermark_types::{NodeId, ShardId, Term};
use tokio::sync::watch;

use crate::leadership::Leadership;

/// A leader and the term it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLeader {
    pub(crate) term: Term,
    pub(crate) leader: NodeId,
    /// The nodes of the committed membership, if the leader itself says so; else empty.
    pub(crate) members: BTreeSet<NodeId>,
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
    /// What a replica here knows, with the committed membership.
    pub(crate) fn observed(&self, shard: ShardId, leadership: &Leadership, members: &BTreeSet<NodeId>) {
        let members = if leadership.is_local_leader { members.clone() } else { BTreeSet::new() };
        let known = leadership.leader.map(|leader| KnownLeader { term: leadership.term, leader, members });
        self.first_hand.send_if_modified(|leaders| {
            let before = match known.clone() {
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
                let is_old = |old: &KnownLeader| {
                    old.term > known.term
                        || old.term == known.term && known.members.is_empty() && !old.members.is_empty()
                };
                if hearsay.get(&shard).is_some_and(is_old) {
                    continue;
                }
                hearsay.insert(shard, known);
            }
            self.settle(shard);
        }
    }

    fn settle(&self, shard: ShardId) {
        self.latest.send_if_modified(|latest| {
            let own = self.first_hand.borrow().get(&shard).cloned();
            let told = self.hearsay.lock().get(&shard).cloned();
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

    /// Whether the shard's leader, of this term or a later one, says that a node is no member.
    pub(crate) fn is_dismissed(&self, shard: ShardId, term: Term, node: NodeId) -> bool {
        self.hearsay.lock().get(&shard).is_some_and(|known| {
            known.term >= term && !known.members.is_empty() && !known.members.contains(&node)
        })
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
        KnownLeader { term: Term::new(term), leader: NodeId::new(leader), members: BTreeSet::new() }
    }

    #[test]
    fn the_greatest_term_wins_and_first_hand_wins_ties() {
        let (leaders, shard) = (Leaders::default(), ShardId::new(1));
        assert_eq!(leaders.leader_of(shard), None);
        leaders.heard([(shard, known(3, 2))].into_iter());
        leaders.heard([(shard, known(2, 1))].into_iter());
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(2)));
        let own = Leadership { term: Term::new(3), leader: Some(NodeId::new(3)), is_local_leader: true };
        leaders.observed(shard, &own, &BTreeSet::new());
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(3)));
        leaders.heard([(shard, known(4, 1))].into_iter());
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(1)));
        leaders.forget(shard);
        assert_eq!(leaders.leader_of(shard), Some(NodeId::new(1)));
    }

    #[test]
    fn only_the_leader_dismisses() {
        let (leaders, shard) = (Leaders::default(), ShardId::new(1));
        let dismissed = |term| leaders.is_dismissed(shard, Term::new(term), NodeId::new(3));
        leaders.heard([(shard, known(3, 1))].into_iter());
        assert!(!dismissed(3), "a follower does not know");
        let members = [NodeId::new(1), NodeId::new(2)].into();
        leaders.heard([(shard, KnownLeader { members, ..known(3, 1) })].into_iter());
        leaders.heard([(shard, known(3, 1))].into_iter());
        assert!(dismissed(3), "what a follower says afterwards takes nothing back");
        assert!(!dismissed(4), "an earlier leader does not count");
        let members = [NodeId::new(1), NodeId::new(3)].into();
        leaders.heard([(shard, KnownLeader { members, ..known(4, 1) })].into_iter());
        assert!(!dismissed(4));
    }
}
