//! A machine's state at one moment, and its records in order.

use std::sync::Arc;

use rivermark_types::{StreamKey, UnixMillis};

use super::chunks::Chunks;
use super::record::{Record, Start};
use crate::chunk_map::ChunkMap;
use crate::command::Settings;
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

    fn has_later_settings(&self) -> bool {
        let Settings { block_entries_max, block_bytes_max, .. } = self.start.settings;
        self.start.settings != Settings { block_entries_max, block_bytes_max, ..Settings::default() }
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> + Send {
        let streams = self.streams.iter().flat_map(|(key, stream)| stream_records(key, stream));
        let sessions = self.sessions.iter().flat_map(|(id, session)| {
            let outcomes = session.outcomes.iter().map(Record::Outcome);
            std::iter::once(Record::Session(id, session)).chain(outcomes)
        });
        let settings = self.has_later_settings().then_some(Record::Settings(&self.start.settings));
        std::iter::once(Record::Start(&self.start)).chain(settings).chain(streams).chain(sessions)
    }
}

pub(super) fn stream_records<'a>(
    key: &'a StreamKey,
    stream: &'a Stream,
) -> impl Iterator<Item = Record<'a>> + Send {
    let groups = stream.groups.iter().flat_map(|(name, group)| {
        let consumers = group.consumers.iter().map(|(id, consumer)| Record::Consumer(id, consumer));
        let pending = group.pending.iter().filter_map(|(id, record)| {
            record.consumer().map(|consumer| Record::Pending(*id, consumer, record))
        });
        let unowned = group.pending.by_turn().take_while(|(_, record)| record.consumer().is_none());
        let unowned = unowned.map(|(id, record)| Record::Unowned(id, record));
        std::iter::once(Record::Group(name, group)).chain(consumers).chain(pending).chain(unowned)
    });
    let blocks = stream.entries.blocks().map(Record::Block);
    let idempotence = stream.idempotence.iter().flat_map(|idempotence| {
        let pairs = idempotence.pairs().map(|(producer, id, entry)| Record::Pair(producer, id, entry));
        std::iter::once(Record::Idempotence(idempotence)).chain(pairs)
    });
    std::iter::once(Record::Stream(key, stream)).chain(idempotence).chain(blocks).chain(groups)
}
