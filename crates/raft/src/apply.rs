//! The apply loop: committed log entries into the machine, outcomes to whoever proposed them, effects to
//! the host.
//!
//! Invariants:
//! * Entries are applied in log order, each once, on every replica alike; a payload that cannot be decoded
//!   ends the replica rather than being skipped.
//! * `applied` never runs ahead of the machine: who saw an index there finds it in the machine.
//! * Effects reach the sink after the machine shows them, and only while this node leads the shard or
//!   proposed the entry. `leads` is set before anyone is told of the leadership, so a waiter that
//!   registers as leader's host and then looks at the machine misses nothing.
//!
//! What the machine holds is not durable by itself: it is rebuilt from the latest snapshot and the log.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, alias};
use parking_lot::RwLock;
use rivermark_cluster::Topology;
use rivermark_store::SnapshotStore;
use rivermark_types::{NodeId, ShardId, UnixMillis};
use tokio::sync::watch;

use crate::checkpoint::Checkpoints;
use crate::leadership::Leadership;
use crate::machine::{Decoded, Machine};
use crate::options::EffectSink;
use crate::snapshot::{self, SnapshotBuilder, SnapshotData};
use crate::type_config::{Applied, Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};

/// A shard's machine, shared by apply and by readers.
pub(crate) struct MachineCell {
    machine: RwLock<Machine>,
    /// One past the index of the last entry applied.
    applied_next: watch::Sender<u64>,
    /// The greatest stamp applied.
    stamp: AtomicU64,
    /// Whether this node leads the shard.
    leads: AtomicBool,
    /// Images at checkpoints, while somebody compares replicas.
    pub(crate) checkpoints: Checkpoints,
}

impl MachineCell {
    pub(crate) fn new(shard: ShardId) -> Self {
        Self {
            machine: RwLock::new(Machine::new(shard)),
            applied_next: watch::Sender::new(0),
            stamp: AtomicU64::new(0),
            leads: AtomicBool::new(false),
            checkpoints: Checkpoints::default(),
        }
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        read(&self.machine.read())
    }

    /// The greatest stamp applied.
    pub(crate) fn stamp(&self) -> UnixMillis {
        UnixMillis::new(self.stamp.load(Ordering::Acquire))
    }

    /// Follows one past the last applied index.
    pub(crate) fn applied_next(&self) -> watch::Receiver<u64> {
        self.applied_next.subscribe()
    }

    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    /// Whether that changed anything.
    pub(crate) fn set_leads(&self, leads: bool) -> bool {
        self.leads.swap(leads, Ordering::AcqRel) != leads
    }
}

/// Told each change of a shard's leadership or committed membership.
pub(crate) type OnLeadership = Arc<dyn Fn(ShardId, &Leadership, &BTreeSet<NodeId>) + Send + Sync>;

/// Who is told what was applied.
#[derive(Clone)]
pub(crate) struct Audience {
    pub(crate) effects: Arc<dyn EffectSink>,
    /// Told each topology of the metadata shard.
    pub(crate) topology: Arc<dyn Fn(Arc<Topology>) + Send + Sync>,
    pub(crate) leadership: OnLeadership,
}

/// The engine's view of a shard's machine and snapshots.
pub(crate) struct StateMachine {
    shard: ShardId,
    cell: Arc<MachineCell>,
    snapshots: SnapshotStore,
    audience: Audience,
    last_applied: Option<LogId>,
    membership: StoredMembership,
}

impl StateMachine {
    pub(crate) fn new(
        shard: ShardId,
        cell: Arc<MachineCell>,
        snapshots: SnapshotStore,
        audience: Audience,
    ) -> Self {
        let membership = StoredMembership::default();
        Self { shard, cell, snapshots, audience, last_applied: None, membership }
    }

    fn apply_entry(&mut self, entry: Entry, responder: Option<ApplyResponder<TypeConfig>>) -> io::Result<()> {
        let (applied, effects) = match entry.payload {
            EntryPayload::Blank => (Applied::Nothing, Vec::new()),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
                (Applied::Nothing, Vec::new())
            }
            EntryPayload::Normal(payload) => {
                let decoded = Decoded::from_payload(self.shard, &payload.0)?;
                let result = self.cell.machine.write().apply(&decoded);
                if decoded.is_checkpoint() {
                    self.cell.checkpoints.pass(entry.log_id.index, || self.cell.read(Machine::image));
                }
                if let Some(stamp) = decoded.stamp() {
                    self.cell.stamp.fetch_max(stamp.get(), Ordering::AcqRel);
                }
                result
            }
        };
        self.last_applied = Some(entry.log_id);
        self.cell.applied_next.send_replace(entry.log_id.index + 1);
        if matches!(applied, Applied::Metadata(_)) {
            self.publish_topology();
        }
        if !effects.is_empty() && (responder.is_some() || self.cell.leads()) {
            self.audience.effects.effects(self.shard, effects);
        }
        if let Some(responder) = responder {
            responder.send(applied);
        }
        Ok(())
    }

    fn publish_topology(&self) {
        if let Some(topology) = self.cell.read(Machine::topology) {
            (self.audience.topology)(topology);
        }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let log_id = entry.log_id;
            self.apply_entry(entry, responder).inspect_err(|error| {
                tracing::error!(shard = %self.shard, %log_id, %error, "a committed entry cannot be applied");
            })?;
            // A long catch-up shares its thread.
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let image = self.cell.read(Machine::image);
        SnapshotBuilder::new(self.shard, self.snapshots.clone(), image, self.meta())
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: SnapshotData) -> io::Result<()> {
        let machine = snapshot::install(self.shard, data).await?;
        let stamp = machine.stamp();
        *self.cell.machine.write() = machine;
        self.cell.stamp.fetch_max(stamp.get(), Ordering::AcqRel);
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.cell.applied_next.send_replace(meta.last_log_id.map_or(0, |id| id.index + 1));
        self.publish_topology();
        tracing::info!(shard = %self.shard, last = ?meta.last_log_id, "snapshot installed");
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<alias::SnapshotOf<TypeConfig, SnapshotData>>> {
        snapshot::latest(self.shard, self.snapshots.clone()).await
    }
}
