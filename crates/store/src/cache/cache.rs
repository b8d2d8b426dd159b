//! The cache's public face: checks and reads here, changes sent to the one writer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use rivermark_types::limits::{CACHE_KEY_BYTES_MAX, CACHE_VALUE_BYTES_MAX};

use super::error::CacheError;
use super::marker::{Marker, MarkerFile};
use super::trusted::{self, Database, is_user_key, unseal, user_key};
use super::writer::{Request, Writer};

use crate::error::StorageError;

/// Changes waiting for the writer beyond which callers wait.
const QUEUE_LENGTH: usize = 64;

/// The cache. Its methods block on the disk; share it in an `Arc`.
pub struct Cache {
    directory: PathBuf,
    origin: CacheOrigin,
    database: Database,
    /// `None` only while dropping.
    requests: Option<mpsc::SyncSender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// How the cache came to its content when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheOrigin {
    /// What the last process made durable.
    Kept,
    /// There was none.
    Created,
    /// What was there could not be trusted; the cache starts empty.
    Wiped {
        /// What was wrong with it.
        reason: String,
    },
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a key's value.
    Put {
        /// At most [`CACHE_KEY_BYTES_MAX`].
        key: Bytes,
        /// At most [`CACHE_VALUE_BYTES_MAX`].
        value: Bytes,
    },
    /// Removes a key, if it is there.
    Remove {
        /// The key.
        key: Bytes,
    },
}

/// The entries below a prefix, in order. Ends after the first error.
pub struct CacheScan<'a> {
    cache: &'a Cache,
    iterator: Option<sled::Iter>,
}

impl Cache {
    /// Opens the cache in `directory`, creating the folder and, where what is there cannot be trusted,
    /// an empty cache in its place.
    ///
    /// # Errors
    /// Another process has it open, or not even an empty cache can be created.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(directory).map_err(StorageError::at("create folder", directory))?;
        let mut marker = MarkerFile::open(directory)?;
        let found = marker.read()?;
        // If sled takes the process down while opening or verifying, the next start finds this and wipes.
        marker.write(Marker::Unproven)?;
        let wiped = |reason: &str| CacheOrigin::Wiped { reason: reason.to_owned() };
        let kept = match found {
            Some(Marker::Sound { batch }) => {
                Database::open_sound(directory, batch).map_err(|reason| wiped(&reason))
            }
            Some(Marker::Unproven) => Err(wiped("an earlier process did not prove it sound")),
            None if trusted::exists(directory) => Err(wiped("its marker file is missing or damaged")),
            None => Err(CacheOrigin::Created),
        };
        let (database, origin) = match kept {
            Ok(database) => (database, CacheOrigin::Kept),
            Err(origin) => (Database::create_empty(directory)?, origin),
        };
        if let CacheOrigin::Wiped { reason } = &origin {
            tracing::warn!(directory = %directory.display(), reason, "cache wiped");
        }
        marker.write(Marker::Sound { batch: database.batch() })?;

        let (requests, received) = mpsc::sync_channel(QUEUE_LENGTH);
        let writer = Writer::new(database.clone(), marker, received);
        let writer = std::thread::Builder::new()
            .name("cache-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(StorageError::at("start the writer of", directory))?;
        let directory = directory.to_owned();
        Ok(Self { directory, origin, database, requests: Some(requests), writer: Some(writer) })
    }

    /// Whether the cache was kept, created or wiped when it was opened.
    pub fn origin(&self) -> &CacheOrigin {
        &self.origin
    }

    /// The value of a key.
    ///
    /// # Errors
    /// The cache is damaged; what the next open finds damaged it wipes.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, CacheError> {
        let key = user_key(key);
        let stored = self.database.guarded("read", |db| db.get(&key));
        stored?.map(|stored| self.unseal(&key, &stored)).transpose()
    }

    /// The entries whose keys start with `prefix`, ascending by key. Changes made meanwhile may or may
    /// not show.
    pub fn scan(&self, prefix: &[u8]) -> CacheScan<'_> {
        CacheScan { cache: self, iterator: Some(self.database.scan(&user_key(prefix))) }
    }

    /// Sets a key's value; durable on return.
    ///
    /// # Errors
    /// As [`Cache::write`].
    pub fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<(), CacheError> {
        self.write(vec![Change::Put { key: key.into(), value: value.into() }])
    }

    /// Removes a key if it is there; durable on return.
    ///
    /// # Errors
    /// As [`Cache::write`].
    pub fn remove(&self, key: impl Into<Bytes>) -> Result<(), CacheError> {
        self.write(vec![Change::Remove { key: key.into() }])
    }

    /// Makes the changes together, in order; durable on return. Calls from several threads share a
    /// flush.
    ///
    /// # Errors
    /// A key or value beyond its limit: nothing is changed. A failed write: the cache takes no further
    /// ones and is wiped at the next open.
    pub fn write(&self, changes: Vec<Change>) -> Result<(), CacheError> {
        changes.iter().try_for_each(check_sizes)?;
        let (reply, outcome) = mpsc::sync_channel(1);
        let requests = self.requests.as_ref().expect("present until dropped");
        let sent = requests.send(Request { changes, reply });
        sent.ok().and_then(|()| outcome.recv().ok()).unwrap_or(Err(CacheError::WriterGone))
    }

    fn unseal(&self, key: &[u8], stored: &[u8]) -> Result<Bytes, CacheError> {
        let value = unseal(key, stored).map(Bytes::copy_from_slice);
        value.ok_or_else(|| CacheError::damaged(&self.directory, "checksum of a value"))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::warn!("the cache's writer panicked");
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Iterator for CacheScan<'_> {
    type Item = Result<(Bytes, Bytes), CacheError>;

    fn next(&mut self) -> Option<Self::Item> {
        let iterator = self.iterator.as_mut()?;
        let item = self.cache.database.guarded("scan", |_| iterator.next().transpose());
        let item = item.and_then(|item| {
            let Some((key, stored)) = item.filter(|(key, _)| is_user_key(key)) else { return Ok(None) };
            let value = self.cache.unseal(&key, &stored)?;
            Ok(Some((Bytes::copy_from_slice(&key[1..]), value)))
        });
        let item = item.transpose();
        if !matches!(item, Some(Ok(_))) {
            self.iterator = None;
        }
        item
    }
}

impl fmt::Debug for CacheScan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheScan").finish_non_exhaustive()
    }
}

impl Change {
    fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Remove { key } => key,
        }
    }
}

fn check_sizes(change: &Change) -> Result<(), CacheError> {
    let check = |what, bytes, bytes_max| {
        if bytes > bytes_max { Err(CacheError::TooLarge { what, bytes, bytes_max }) } else { Ok(()) }
    };
    check("a cache key", change.key().len(), CACHE_KEY_BYTES_MAX)?;
    match change {
        Change::Put { value, .. } => check("a cache value", value.len(), CACHE_VALUE_BYTES_MAX),
        Change::Remove { .. } => Ok(()),
    }
}

/// Makes a folder's names durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StorageError> {
    let synced = std::fs::File::open(directory).and_then(|folder| folder.sync_all());
    synced.map_err(StorageError::at("sync folder", directory))
}
