//! All keys of the shard: their streams, deadlines, versions and counts.
//!
//! Invariants: `deadlines` holds exactly the keys whose stream has one; `counts` agree with `streams`; no
//! stream's version is above `version`. So deadlines and counts change only here.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rivermark_types::limits::DATABASES;
use rivermark_types::{DatabaseIndex, KeyPosition, StreamKey, UnixMillis};

use crate::chunk_map::ChunkMap;
use crate::command::MissingKey;
use crate::stream::Stream;

/// Keys of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub keys: u64,
    pub expiring: u64,
}

/// All keys of the shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyspace {
    streams: ChunkMap<StreamKey, Arc<Stream>>,
    deadlines: BTreeSet<(UnixMillis, StreamKey)>,
    counts: [Counts; DATABASES as usize],
    /// The version given out last.
    version: u64,
}

/// A stream about to change.
pub(crate) struct StreamMut<'a> {
    stream: &'a mut Stream,
    version: &'a mut u64,
}

impl StreamMut<'_> {
    /// Gives the key a new version, so that WATCH notices.
    pub fn touch(&mut self) {
        *self.version += 1;
        self.stream.version = *self.version;
    }
}

impl Deref for StreamMut<'_> {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        self.stream
    }
}

impl DerefMut for StreamMut<'_> {
    fn deref_mut(&mut self) -> &mut Stream {
        self.stream
    }
}

impl Keyspace {
    pub fn get(&self, key: &StreamKey) -> Option<&Stream> {
        self.streams.get(key).map(|stream| &**stream)
    }

    pub fn get_mut(&mut self, key: &StreamKey) -> Option<StreamMut<'_>> {
        let shared = self.streams.get_mut(key)?;
        // A snapshot that holds the stream needs no index: it moves along rather than be copied.
        let indexes = (Arc::strong_count(shared) > 1).then(|| shared.entries.take_indexes());
        let stream = Arc::make_mut(shared);
        if let Some(indexes) = indexes {
            stream.entries.put_indexes(indexes);
        }
        Some(StreamMut { stream, version: &mut self.version })
    }

    /// Lets `act` change the stream of a key, looked up only once if it is there; `None` if it is missing and
    /// stays so.
    pub fn change<T>(
        &mut self,
        key: &StreamKey,
        missing_key: MissingKey,
        act: impl FnOnce(StreamMut<'_>) -> T,
    ) -> Option<T> {
        if let Some(stream) = self.get_mut(key) {
            return Some(act(stream));
        }
        (missing_key == MissingKey::Create).then(|| act(self.get_or_create(key)))
    }

    /// The stream of a key; an empty one, under a version of its own, if the key was missing.
    pub fn get_or_create(&mut self, key: &StreamKey) -> StreamMut<'_> {
        if !self.streams.contains_key(key) {
            self.version += 1;
            let stream = Stream { version: self.version, ..Stream::default() };
            self.restore(key.detached(), stream);
        }
        self.get_mut(key).expect("the key was just made")
    }

    /// Adds a key as a snapshot holds it; false if it is there already.
    pub fn restore(&mut self, key: StreamKey, stream: Stream) -> bool {
        if self.streams.contains_key(&key) {
            return false;
        }
        let counts = self.counts_mut(&key);
        counts.keys += 1;
        if let Some(deadline) = stream.deadline {
            counts.expiring += 1;
            self.deadlines.insert((deadline, key.clone()));
        }
        self.version = self.version.max(stream.version);
        self.streams.insert(key, Arc::new(stream));
        true
    }

    /// Removes a key; false if it was missing.
    pub fn remove(&mut self, key: &StreamKey) -> bool {
        self.detach(key).is_some()
    }

    /// Removes a key and returns its stream.
    pub fn take(&mut self, key: &StreamKey) -> Option<Stream> {
        self.detach(key).map(Arc::unwrap_or_clone)
    }

    /// Puts a stream at a key, in the place of any other, under a version of its own.
    pub fn put(&mut self, key: &StreamKey, mut stream: Stream) {
        self.remove(key);
        self.version += 1;
        stream.version = self.version;
        self.restore(key.detached(), stream);
    }

    fn detach(&mut self, key: &StreamKey) -> Option<Arc<Stream>> {
        let stream = self.streams.remove(key)?;
        let counts = self.counts_mut(key);
        counts.keys -= 1;
        if let Some(deadline) = stream.deadline {
            counts.expiring -= 1;
            self.deadlines.remove(&(deadline, key.clone()));
        }
        Some(stream)
    }

    /// Sets or clears a key's deadline; nothing if the key is missing.
    pub fn set_deadline(&mut self, key: &StreamKey, deadline: Option<UnixMillis>) {
        let Some(mut stream) = self.get_mut(key) else { return };
        let before = std::mem::replace(&mut stream.deadline, deadline);
        stream.touch();
        if let Some(before) = before {
            self.deadlines.remove(&(before, key.clone()));
            self.counts_mut(key).expiring -= 1;
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, key.detached()));
            self.counts_mut(key).expiring += 1;
        }
    }

    /// Removes one key whose deadline is at or before `now`.
    pub fn pop_expired(&mut self, now: UnixMillis) -> Option<StreamKey> {
        let (deadline, key) = self.deadlines.first()?;
        if *deadline > now {
            return None;
        }
        let key = key.clone();
        self.remove(&key);
        Some(key)
    }

    pub fn next_deadline(&self) -> Option<UnixMillis> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Removes all keys of a database.
    pub fn flush(&mut self, database: DatabaseIndex) {
        let of_database = |(key, _): &&(StreamKey, Arc<Stream>)| key.database() == database;
        let keys: Vec<StreamKey> =
            self.streams.iter().filter(of_database).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.remove(&key);
        }
    }

    /// Removes all keys. Versions go on, so that WATCH notices keys made anew.
    pub fn flush_all(&mut self) {
        *self = Self { version: self.version, ..Self::default() };
    }

    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Counts of a database as of `now`, keys expired by then left out.
    pub fn counts(&self, database: DatabaseIndex, now: UnixMillis) -> Counts {
        let Counts { keys, expiring } = self.counts[usize::from(database.get())];
        let expired = self
            .deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now)
            .filter(|(_, key)| key.database() == database)
            .count() as u64;
        Counts { keys: keys - expired, expiring: expiring - expired }
    }

    /// Keys and streams in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamKey, &Stream)> {
        self.streams.iter().map(|(key, stream)| (key, &**stream))
    }

    /// Calls `visit` for keys from a position on, in order, until it answers false.
    pub fn visit_from(&self, from: KeyPosition, mut visit: impl FnMut(&StreamKey, &Stream) -> bool) {
        let start = StreamKey::lower_bound(from);
        for (key, stream) in self.streams.range_from(&start) {
            if !visit(key, stream) {
                break;
            }
        }
    }

    /// The version given out last.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn restore_version(&mut self, version: u64) {
        self.version = self.version.max(version);
    }

    /// The deadline index, in order.
    pub fn deadlines(&self) -> impl ExactSizeIterator<Item = &(UnixMillis, StreamKey)> {
        self.deadlines.iter()
    }

    /// The streams alone, sharing everything: what a snapshot takes along.
    pub fn streams(&self) -> &ChunkMap<StreamKey, Arc<Stream>> {
        &self.streams
    }

    /// Whether `counts` agree with the streams; for [`crate::invariants`].
    pub fn counts_are_right(&self) -> bool {
        let mut counts = [Counts::default(); DATABASES as usize];
        for (key, stream) in self.iter() {
            let one = &mut counts[usize::from(key.database().get())];
            one.keys += 1;
            one.expiring += u64::from(stream.deadline.is_some());
        }
        counts == self.counts
    }

    pub fn memory_bytes(&self) -> usize {
        let stream_bytes = |stream: &Stream| stream.memory_bytes() + stream.entries.index_bytes();
        let key_bytes = |key: &StreamKey| key.name().len() + size_of::<(StreamKey, Arc<Stream>)>();
        let streams: usize = self.iter().map(|(key, stream)| key_bytes(key) + stream_bytes(stream)).sum();
        streams + self.deadlines.len() * size_of::<(UnixMillis, StreamKey)>()
    }

    fn counts_mut(&mut self, key: &StreamKey) -> &mut Counts {
        &mut self.counts[usize::from(key.database().get())]
    }
}
