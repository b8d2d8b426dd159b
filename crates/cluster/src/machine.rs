//! The metadata shard's state and its transitions.
//!
//! [`Machine::apply`] never fails: it changes the topology and raises the epoch, or finds nothing to
//! change, or refuses; the same on every replica. A command is checked completely before anything is
//! touched. Readers hold an [`Arc`] of a topology that never changes under them.
//!
//! The machine does not know which nodes are alive or who leads: that is observation, not decision.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rivermark_types::limits::{NODES_MAX, SHARD_REPLICAS_MAX, SHARDS_MAX};
use rivermark_types::{NodeId, ShardId};

use crate::address;
use crate::assignment::{assign_replicas, assign_slots};
use crate::codec::DecodeError;
use crate::command::{Bootstrap, Command, SetUser, UpdateNode};
use crate::encoding;
use crate::outcome::{Outcome, Rejection};
use crate::settings::Setting;
use crate::slots::SlotRanges;
use crate::topology::{Node, NodeState, Shard, Topology};
use crate::users::{DEFAULT_USER, UserRecord};

const DIGEST: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

/// Whether a command found something to change.
enum Change {
    Made,
    None,
}

/// The replicated machine of the metadata shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    topology: Arc<Topology>,
}

impl Machine {
    /// The machine of a cluster that is not bootstrapped.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cluster as of the last command applied.
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology)
    }

    /// Applies a committed command.
    pub fn apply(&mut self, command: &Command) -> Outcome {
        match self.transition(command) {
            Ok(Change::Made) => {
                let topology = Arc::make_mut(&mut self.topology);
                topology.epoch += 1;
                Outcome::Changed { epoch: topology.epoch }
            }
            Ok(Change::None) => Outcome::Unchanged { epoch: self.topology.epoch },
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    /// The whole state as bytes. Equal machines give equal bytes.
    pub fn snapshot(&self) -> Bytes {
        encoding::snapshot::encode(&self.topology)
    }

    /// The machine a snapshot was taken of.
    ///
    /// # Errors
    /// The bytes are no snapshot, are of a newer format, or state what no machine can.
    pub fn restore(snapshot: &[u8]) -> Result<Self, DecodeError> {
        let topology = encoding::snapshot::decode(snapshot)?;
        Ok(Self { topology: Arc::new(topology) })
    }

    /// A checksum of the whole state: replicas that applied the same log agree on it.
    pub fn digest(&self) -> u64 {
        Self::digest_of(&self.snapshot())
    }

    /// [`Self::digest`] of the machine that gave this snapshot.
    pub fn digest_of(snapshot: &[u8]) -> u64 {
        DIGEST.checksum(snapshot)
    }

    fn transition(&mut self, command: &Command) -> Result<Change, Rejection> {
        if let Command::Bootstrap(bootstrap) = command {
            return self.bootstrap(bootstrap);
        }
        if self.topology.cluster_id.is_none() {
            return Err(Rejection::NotBootstrapped);
        }
        match command {
            Command::Bootstrap(_) => unreachable!("handled above"),
            Command::AddNode(node) => self.add_node(node),
            Command::UpdateNode(update) => self.update_node(update),
            Command::SetNodeState { node, state } => self.set_node_state(*node, *state),
            Command::RemoveNode(node) => self.remove_node(*node),
            Command::SetReplicas { shard, replicas } => self.set_replicas(*shard, replicas),
            Command::SetSlots { shard, slots } => self.set_slots(*shard, slots),
            Command::SetSettings(values) => self.set_settings(values),
            Command::SetUser(set) => self.set_user(set),
            Command::RemoveUsers(names) => self.remove_users(names),
        }
    }

    fn bootstrap(&mut self, bootstrap: &Bootstrap) -> Result<Change, Rejection> {
        match self.topology.cluster_id {
            Some(cluster_id) if cluster_id == bootstrap.cluster_id => return Ok(Change::None),
            Some(cluster_id) => return Err(Rejection::AlreadyBootstrapped { cluster_id }),
            None => {}
        }
        self.topology = Arc::new(initial_topology(bootstrap)?);
        Ok(Change::Made)
    }

    fn add_node(&mut self, node: &Node) -> Result<Change, Rejection> {
        check_node(node)?;
        if self.topology.is_removed(node.id) {
            return Err(Rejection::NodeRemoved { node: node.id });
        }
        match self.topology.node(node.id) {
            Some(known) if known == node => return Ok(Change::None),
            Some(_) => return Err(Rejection::NodeExists { node: node.id }),
            None if self.topology.nodes.len() >= NODES_MAX => return Err(Rejection::NodeCount),
            None => {}
        }
        self.change().nodes.insert(node.id, node.clone());
        Ok(Change::Made)
    }

    fn update_node(&mut self, update: &UpdateNode) -> Result<Change, Rejection> {
        let known = self.known_node(update.node)?;
        let updated = Node {
            id: known.id,
            rpc_address: update.rpc_address.clone(),
            resp_address: update.resp_address.clone(),
            resp_tls_address: update.resp_tls_address.clone(),
            http_address: update.http_address.clone(),
            state: known.state,
        };
        check_node(&updated)?;
        self.replace_node(updated)
    }

    fn set_node_state(&mut self, node: NodeId, state: NodeState) -> Result<Change, Rejection> {
        let updated = Node { state, ..self.known_node(node)?.clone() };
        self.replace_node(updated)
    }

    fn remove_node(&mut self, node: NodeId) -> Result<Change, Rejection> {
        if self.topology.is_removed(node) {
            return Ok(Change::None);
        }
        self.known_node(node)?;
        if let Some(shard) = self.topology.shards_on(node).next() {
            return Err(Rejection::NodeHoldsReplica { node, shard: shard.id });
        }
        let topology = self.change();
        topology.nodes.remove(&node);
        topology.removed_nodes.insert(node);
        Ok(Change::Made)
    }

    fn set_replicas(&mut self, shard: ShardId, replicas: &[NodeId]) -> Result<Change, Rejection> {
        let known = self.topology.shard(shard).ok_or(Rejection::ShardUnknown { shard })?;
        if !(1..=SHARD_REPLICAS_MAX).contains(&replicas.len()) {
            return Err(Rejection::ReplicaCount);
        }
        let mut seen = BTreeSet::new();
        for &node in replicas {
            let state = self.known_node(node)?.state;
            if !seen.insert(node) {
                return Err(Rejection::DuplicateReplica { node });
            }
            if state == NodeState::Draining && !known.replicas.contains(&node) {
                return Err(Rejection::NodeDraining { node });
            }
        }
        if known.replicas == replicas {
            return Ok(Change::None);
        }
        let shard = self.change().shards.get_mut(&shard).expect("looked up above");
        shard.replicas = replicas.to_vec();
        Ok(Change::Made)
    }

    fn set_slots(&mut self, shard: ShardId, slots: &SlotRanges) -> Result<Change, Rejection> {
        if shard == ShardId::METADATA {
            return Err(Rejection::MetadataOwnsNoSlots);
        }
        if self.topology.shard(shard).is_none() {
            return Err(Rejection::ShardUnknown { shard });
        }
        if slots.is_empty() {
            return Err(Rejection::NoSlots);
        }
        if slots.iter().all(|slot| self.topology.shard_of(slot) == Some(shard)) {
            return Ok(Change::None);
        }
        self.change().set_owner(slots, shard);
        Ok(Change::Made)
    }

    fn set_settings(
        &mut self,
        values: &std::collections::BTreeMap<Setting, u64>,
    ) -> Result<Change, Rejection> {
        let mut settings = self.topology.settings.clone();
        for (&setting, &value) in values {
            if setting.check(value).is_err() {
                return Err(Rejection::SettingOutOfBounds { name: setting.spec().name.to_owned(), value });
            }
            settings.set(setting, value);
        }
        if settings == self.topology.settings {
            return Ok(Change::None);
        }
        self.change().settings = settings;
        Ok(Change::Made)
    }

    fn set_user(&mut self, set: &SetUser) -> Result<Change, Rejection> {
        let known = self.topology.users.get(&set.name);
        if known.is_some_and(|known| known.user == set.user) {
            return Ok(Change::None);
        }
        if known.map_or(0, |known| known.revision) != set.replaces {
            return Err(Rejection::UserChanged);
        }
        let epoch = self.topology.epoch + 1;
        let created = known.map_or(epoch, |known| known.created);
        if !set.user.fits(&set.name) {
            return Err(Rejection::UserTooLarge);
        }
        let record = UserRecord { user: set.user.clone(), created, revision: epoch };
        let mut users = (*self.topology.users).clone();
        users.records.insert(Bytes::copy_from_slice(&set.name), Arc::new(record));
        if !users.fit() {
            return Err(Rejection::UsersTooLarge);
        }
        users.version = epoch;
        self.change().users = Arc::new(users);
        Ok(Change::Made)
    }

    fn remove_users(&mut self, names: &BTreeSet<Bytes>) -> Result<Change, Rejection> {
        if names.contains(DEFAULT_USER) {
            return Err(Rejection::DefaultUserStays);
        }
        let mut users = (*self.topology.users).clone();
        users.records.retain(|name, _| !names.contains(name));
        if users.records.len() == self.topology.users.records.len() {
            return Ok(Change::None);
        }
        users.version = self.topology.epoch + 1;
        self.change().users = Arc::new(users);
        Ok(Change::Made)
    }

    fn known_node(&self, node: NodeId) -> Result<&Node, Rejection> {
        match self.topology.node(node) {
            Some(known) => Ok(known),
            None if self.topology.is_removed(node) => Err(Rejection::NodeRemoved { node }),
            None => Err(Rejection::NodeUnknown { node }),
        }
    }

    fn replace_node(&mut self, node: Node) -> Result<Change, Rejection> {
        if self.topology.node(node.id) == Some(&node) {
            return Ok(Change::None);
        }
        self.change().nodes.insert(node.id, node);
        Ok(Change::Made)
    }

    /// The topology for writing; copied if a reader holds it.
    fn change(&mut self) -> &mut Topology {
        Arc::make_mut(&mut self.topology)
    }
}

/// What [`Command::Bootstrap`] makes, at epoch zero.
fn initial_topology(bootstrap: &Bootstrap) -> Result<Topology, Rejection> {
    let Bootstrap { cluster_id, nodes, shards, replication } = bootstrap;
    if !(1..=NODES_MAX).contains(&nodes.len()) {
        return Err(Rejection::NodeCount);
    }
    if !(1..=SHARDS_MAX).contains(&(*shards as usize)) {
        return Err(Rejection::ShardCount);
    }
    let replication = *replication as usize;
    if !(1..=SHARD_REPLICAS_MAX.min(nodes.len())).contains(&replication) {
        return Err(Rejection::ReplicaCount);
    }
    let mut topology = Topology { cluster_id: Some(*cluster_id), ..Topology::default() };
    for node in nodes {
        check_node(node)?;
        if topology.nodes.insert(node.id, node.clone()).is_some() {
            return Err(Rejection::NodeExists { node: node.id });
        }
    }
    let ids: BTreeSet<NodeId> = topology.nodes.keys().copied().collect();
    for number in 0..=*shards {
        let id = ShardId::new(number);
        let slots = match number.checked_sub(1) {
            None => SlotRanges::default(),
            Some(index) => assign_slots(index, *shards).into(),
        };
        topology.owners.set(&slots, id);
        let replicas = assign_replicas(&ids, id, replication);
        topology.shards.insert(id, Shard { id, replicas, slots });
    }
    Ok(topology)
}

fn check_node(node: &Node) -> Result<(), Rejection> {
    if node.id.get() == 0 {
        return Err(Rejection::NodeIdZero);
    }
    if has_good_addresses(node) { Ok(()) } else { Err(Rejection::BadAddress { node: node.id }) }
}

pub(crate) fn has_good_addresses(node: &Node) -> bool {
    let none_or_good = |text: &str| text.is_empty() || address::split(text).is_some();
    address::split(&node.rpc_address).is_some()
        && !(node.resp_address.is_empty() && node.resp_tls_address.is_empty())
        && [&node.resp_address, &node.resp_tls_address, &node.http_address]
            .into_iter()
            .all(|a| none_or_good(a))
}
