//! A machine's state at one moment, and its records in order.

use std::sync::Arc;

use rivermark_types::{StreamKey, UnixMillis};

use super::chunks::Chunks;
use super::record::{Record, Start};
use crate::chunk_map::ChunkMap;
use crate::digest::Digest;
use crate::machine::Machine;
use crate::session::Sessions;
use crate::stream::Stream;

/// A machine's state at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    start: Start,
    streams: ChunkMap<StreamKey, Arc<Stream>>,
    sessions: Sessions,
}

impl Machine {
    /// The state as it is now, sharing memory with the machine until that changes.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            start: Start {
                settings: self.settings,
                last_stamp: self.last_stamp,
                version: self.keyspace.version(),
            },
            streams: self.keyspace.streams().clone(),
            sessions: self.sessions.clone(),
        }
    }

    /// A number that differs, but for chance, between machines of different state: streams and where
    /// their blocks end, groups, sessions, deadlines, settings, counters. Walks everything.
    pub fn digest(&self) -> u64 {
        self.snapshot().digest()
    }
}

impl Snapshot {
    /// The bytes, in chunks.
    pub fn chunks(&self) -> Chunks<'_> {
        Chunks::new(self.records())
    }

    /// As [`Machine::digest`].
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        let mut encoded = Vec::new();
        for record in self.records() {
            encoded.clear();
            record.encode(&mut encoded);
            digest.update(&encoded);
        }
        digest.value()
    }

    /// The greatest stamp applied before the snapshot.
    pub fn last_stamp(&self) -> UnixMillis {
        self.start.last_stamp
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> + Send {
        let streams = self.streams.iter().flat_map(|(key, stream)| stream_records(key, stream));
        let sessions = self.sessions.iter().flat_map(|(id, session)| {
            let outcomes = session.outcomes.iter().map(Record::Outcome);
            std::iter::once(Record::Session(id, session)).chain(outcomes)
        });
        std::iter::once(Record::Start(&self.start)).chain(streams).chain(sessions)
    }
}

fn stream_records<'a>(key: &'a StreamKey, stream: &'a Stream) -> impl Iterator<Item = Record<'a>> + Send {
    let groups = stream.groups.iter().flat_map(|(name, group)| {
        let consumers = group.consumers.iter().map(|(id, consumer)| Record::Consumer(id, consumer));
        let pending = group.pending.iter().map(|(id, record)| Record::Pending(*id, record));
        std::iter::once(Record::Group(name, group)).chain(consumers).chain(pending)
    });
    let blocks = stream.entries.blocks().map(Record::Block);
    std::iter::once(Record::Stream(key, stream)).chain(blocks).chain(groups)
}
