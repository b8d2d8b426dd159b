//! What the cluster looks like: the view every node routes by and reconciles towards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rivermark_types::{NodeId, SLOT_COUNT, ShardId, Slot};

use crate::settings::ClusterSettings;
use crate::slots::{SlotRange, SlotRanges};
use crate::users::Users;

/// A process of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// From 1; never reused.
    pub id: NodeId,
    /// `host:port` other nodes dial.
    pub rpc_address: String,
    /// `host:port` clients dial for plain text; empty if the node takes none.
    pub resp_address: String,
    /// `host:port` clients dial for TLS; empty if the node takes none. Not empty together with
    /// [`Self::resp_address`].
    pub resp_tls_address: String,
    /// `host:port` of health, metrics and console; empty if the node serves none.
    pub http_address: String,
    /// Whether the node takes work.
    pub state: NodeState,
}

/// What a node is for at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// Takes replicas and leadership.
    #[default]
    Active,
    /// On its way out: gets no new replica, and leads only what no other can.
    Draining,
}

/// A Raft group: where its replicas should be and the slots it owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// [`ShardId::METADATA`] or a stream shard, from 1.
    pub id: ShardId,
    /// Distinct, at least one; the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    /// None for the metadata shard.
    pub slots: SlotRanges,
}

/// The cluster at one epoch.
///
/// Invariants ([`crate::invariants::check`]): before Bootstrap everything is empty and the epoch zero;
/// afterwards every slot is owned by exactly one stream shard, every replica is on a known node, and no
/// known node is a removed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    pub(crate) epoch: u64,
    pub(crate) cluster_id: Option<u128>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) removed_nodes: BTreeSet<NodeId>,
    pub(crate) shards: BTreeMap<ShardId, Shard>,
    pub(crate) settings: ClusterSettings,
    /// Shared between topologies that agree on them.
    pub(crate) users: Arc<Users>,
    pub(crate) owners: SlotOwners,
}

impl Default for Topology {
    /// Of a cluster that is not bootstrapped.
    fn default() -> Self {
        Self {
            epoch: 0,
            cluster_id: None,
            nodes: BTreeMap::new(),
            removed_nodes: BTreeSet::new(),
            shards: BTreeMap::new(),
            settings: ClusterSettings::default(),
            users: Arc::default(),
            owners: SlotOwners::none(),
        }
    }
}

impl Topology {
    /// Rises by one with every visible change. Zero before Bootstrap.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Chosen at Bootstrap, never changed. `None` before.
    pub fn cluster_id(&self) -> Option<u128> {
        self.cluster_id
    }

    /// All nodes by id.
    pub fn nodes(&self) -> &BTreeMap<NodeId, Node> {
        &self.nodes
    }

    /// The node with this id.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Whether the id belonged to a node that was removed: such a node must not come back.
    pub fn is_removed(&self, id: NodeId) -> bool {
        self.removed_nodes.contains(&id)
    }

    /// An id that no node has or had.
    pub fn unused_node_id(&self) -> NodeId {
        let known = self.nodes.keys().next_back();
        let removed = self.removed_nodes.iter().next_back();
        NodeId::new(known.max(removed).map_or(1, |id| id.get() + 1))
    }

    /// All shards by id, the metadata shard included.
    pub fn shards(&self) -> &BTreeMap<ShardId, Shard> {
        &self.shards
    }

    /// The shard with this id.
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.shards.get(&id)
    }

    /// The shards that hold streams, by id.
    pub fn stream_shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.values().filter(|shard| shard.id != ShardId::METADATA)
    }

    /// The nodes of a shard's replicas, preferred leader first; empty for an unknown shard.
    pub fn replicas(&self, id: ShardId) -> &[NodeId] {
        self.shards.get(&id).map_or(&[], |shard| &shard.replicas)
    }

    /// The shards with a replica on this node, by id.
    pub fn shards_on(&self, node: NodeId) -> impl Iterator<Item = &Shard> {
        self.shards.values().filter(move |shard| shard.replicas.contains(&node))
    }

    /// The shard that owns a slot. `None` only before Bootstrap.
    pub fn shard_of(&self, slot: Slot) -> Option<ShardId> {
        self.owners.get(slot)
    }

    /// The settings in force.
    pub fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// The users.
    pub fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// Gives slots to a stream shard, taking them from their owners.
    pub(crate) fn set_owner(&mut self, slots: &SlotRanges, owner: ShardId) {
        self.owners.set(slots, owner);
        for shard in self.shards.values_mut() {
            shard.slots = self.owners.of(shard.id);
        }
    }
}

/// The owner of every slot, for constant-time lookup. Shared between topologies that agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotOwners(Arc<[ShardId]>);

impl SlotOwners {
    /// Owns no streams, so it marks slots without owner.
    const NOBODY: ShardId = ShardId::METADATA;

    pub(crate) fn none() -> Self {
        Self(vec![Self::NOBODY; usize::from(SLOT_COUNT)].into())
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<ShardId> {
        Some(self.0[usize::from(slot.get())]).filter(|owner| *owner != Self::NOBODY)
    }

    pub(crate) fn set(&mut self, slots: &SlotRanges, owner: ShardId) {
        let table = Arc::make_mut(&mut self.0);
        for range in slots.as_slice() {
            table[slot_indices(*range)].fill(owner);
        }
    }

    /// The slots of a stream shard.
    fn of(&self, shard: ShardId) -> SlotRanges {
        let all = (0..SLOT_COUNT).filter_map(Slot::new);
        SlotRanges::from_ascending(all.filter(|slot| self.get(*slot) == Some(shard)))
    }
}

fn slot_indices(range: SlotRange) -> std::ops::RangeInclusive<usize> {
    usize::from(range.first().get())..=usize::from(range.last().get())
}
