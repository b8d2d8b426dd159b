//! The consensus engine's own conformance suite for log storage.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{EntryPayload, Membership, OptionalSend, RaftSnapshotBuilder, StorageError};
use rivermark_fs::{OsFileSystem, SharedFileSystem, SimulatedFileSystem};
use rivermark_raft_log::{EncodedPayload, EntryCodec, LogStorage, Options, RaftLog, WriterMode};
use rivermark_types::ShardId;

use crate::harness::small;

openraft::declare_raft_types!(
    pub Types:
        D = String,
        R = (),
        Node = openraft::impls::EmptyNode,
);

struct Codec;

impl EntryCodec<Types> for Codec {
    fn encode(entry: &openraft::alias::EntryOf<Types>) -> Vec<Bytes> {
        let mut head = BytesMut::new();
        match &entry.payload {
            EntryPayload::Blank => head.put_u8(0),
            EntryPayload::Normal(text) => {
                head.put_u8(1);
                return vec![head.freeze(), Bytes::from(text.clone())];
            }
            EntryPayload::Membership(membership) => {
                head.put_u8(2);
                let nodes: BTreeSet<u64> = membership.nodes().map(|(id, _)| *id).collect();
                for ids in std::iter::once(&nodes).chain(membership.get_joint_config()) {
                    head.put_u64(ids.len() as u64);
                    ids.iter().for_each(|id| head.put_u64(*id));
                }
            }
        }
        vec![head.freeze()]
    }

    fn decode(
        id: LogIdOf<Types>,
        mut payload: EncodedPayload,
    ) -> io::Result<openraft::alias::EntryOf<Types>> {
        let decoded = match payload.get_u8() {
            0 => EntryPayload::Blank,
            1 => {
                let length = payload.remaining();
                EntryPayload::Normal(String::from_utf8_lossy(&payload.copy_to_bytes(length)).into_owned())
            }
            _ => {
                let mut sets = Vec::new();
                while payload.has_remaining() {
                    let count = payload.get_u64();
                    sets.push((0..count).map(|_| payload.get_u64()).collect::<BTreeSet<u64>>());
                }
                let nodes = sets.remove(0);
                EntryPayload::Membership(Membership::new_with_defaults(sets, nodes))
            }
        };
        Ok(RaftEntry::new(id, decoded))
    }
}

/// The least state machine the suite accepts: what was applied last, and the membership.
#[derive(Debug, Clone, Default)]
struct StateMachine {
    applied: Option<LogIdOf<Types>>,
    membership: StoredMembershipOf<Types>,
    snapshot: Option<SnapshotMetaOf<Types>>,
}

impl RaftSnapshotBuilder<Types> for Arc<parking_lot::Mutex<StateMachine>> {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, ()>, io::Error> {
        let mut machine = self.lock();
        let meta = SnapshotMetaOf::<Types> {
            last_log_id: machine.applied,
            last_membership: machine.membership.clone(),
        };
        machine.snapshot = Some(meta.clone());
        Ok(SnapshotOf::<Types, ()> { meta, snapshot: () })
    }
}

#[derive(Debug, Clone, Default)]
struct Machine(Arc<parking_lot::Mutex<StateMachine>>);

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = ();
    type SnapshotBuilder = Arc<parking_lot::Mutex<StateMachine>>;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>), io::Error> {
        let machine = self.0.lock();
        Ok((machine.applied, machine.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut machine = self.0.lock();
            machine.applied = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = entry.payload {
                machine.membership = StoredMembershipOf::<Types>::new(Some(entry.log_id), membership);
            }
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        Arc::clone(&self.0)
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMetaOf<Types>, _: ()) -> Result<(), io::Error> {
        let mut machine = self.0.lock();
        machine.applied = meta.last_log_id;
        machine.membership = meta.last_membership.clone();
        machine.snapshot = Some(meta.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<Types, ()>>, io::Error> {
        let meta = self.0.lock().snapshot.clone();
        Ok(meta.map(|meta| SnapshotOf::<Types, ()> { meta, snapshot: () }))
    }
}

enum Disk {
    Simulated,
    Real,
}

struct Builder(Disk);

impl StoreBuilder<Types, LogStorage<Types, Codec>, Machine, Option<tempfile::TempDir>> for Builder {
    async fn build(
        &self,
    ) -> Result<(Option<tempfile::TempDir>, LogStorage<Types, Codec>, Machine), StorageError<Types>> {
        let (guard, fs, directory, options): (_, SharedFileSystem, _, _) = match self.0 {
            Disk::Simulated => {
                (None, Arc::new(SimulatedFileSystem::new()), "/log".into(), small(WriterMode::Inline))
            }
            Disk::Real => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let path = folder.path().join("log");
                let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
                (Some(folder), Arc::new(OsFileSystem), path, options)
            }
        };
        let (log, _) = RaftLog::open(fs, directory, options).expect("the log opens");
        Ok((guard, LogStorage::new(log.shard(ShardId::new(3))), Machine::default()))
    }
}

#[tokio::test]
async fn conforms_on_a_simulated_disk() {
    Suite::test_all(Builder(Disk::Simulated)).await.unwrap();
}

#[tokio::test]
async fn conforms_on_a_real_disk_with_its_own_thread() {
    Suite::test_all(Builder(Disk::Real)).await.unwrap();
}
