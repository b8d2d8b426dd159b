//! The machine to and from chunks of bytes.
//!
//! A snapshot is taken by copying pointers ([`Machine::snapshot`]) and written out while apply goes on. Its
//! bytes are a sequence of records (`record.rs`), the same for every replica with the same state, cut into
//! chunks of [`limits::SNAPSHOT_CHUNK_BYTES_MAX`] wherever that falls: no value, however large, makes a larger
//! chunk, and chunks mean nothing by themselves. The last record holds a hash of all others, which is
//! also the machine's digest; a restore that does not arrive at it is refused.
//!
//! Not here: files, transfers, and checksums of single chunks, which belong to whoever moves them.
//!
//! [`limits::SNAPSHOT_CHUNK_BYTES_MAX`]: rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX

mod record;
mod restore;

use std::sync::Arc;

use rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX;
use rivermark_types::{StreamKey, UnixMillis};

use crate::chunk_map::ChunkMap;
use crate::digest::Digest;
use crate::machine::Machine;
use crate::session::Sessions;
use crate::stream::Stream;
use record::{End, Record, Start};

pub use restore::{RestoreError, SnapshotRestore};

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
        Chunks {
            records: Some(Box::new(self.records())),
            count: 0,
            digest: Digest::default(),
            encoded: Vec::new(),
            waiting: Vec::new(),
        }
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

/// The chunks of a snapshot.
pub struct Chunks<'a> {
    records: Option<Box<dyn Iterator<Item = Record<'a>> + Send + 'a>>,
    count: u64,
    digest: Digest,
    encoded: Vec<u8>,
    /// Framed records, not yet cut.
    waiting: Vec<u8>,
}

impl Chunks<'_> {
    fn push(&mut self, record: &Record<'_>) {
        self.encoded.clear();
        record.encode(&mut self.encoded);
        self.count += 1;
        self.digest.update(&self.encoded);
        self.frame();
    }

    fn end(&mut self) {
        self.encoded.clear();
        let end = End { records: self.count, digest: self.digest.value() };
        Record::End(&end).encode(&mut self.encoded);
        self.frame();
    }

    fn frame(&mut self) {
        crate::varint::put_varint(&mut self.waiting, self.encoded.len() as u64);
        self.waiting.extend_from_slice(&self.encoded);
    }
}

impl Iterator for Chunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while self.waiting.len() < SNAPSHOT_CHUNK_BYTES_MAX {
            let Some(records) = &mut self.records else { break };
            match records.next() {
                Some(record) => self.push(&record),
                None => {
                    self.records = None;
                    self.end();
                }
            }
        }
        if self.waiting.is_empty() {
            return None;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(SNAPSHOT_CHUNK_BYTES_MAX));
        Some(std::mem::replace(&mut self.waiting, rest))
    }
}
