//! sled, behind a wall: its panics become errors, its values carry checksums, its flush is followed by
//! ours.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rivermark_types::limits::{CACHE_KEY_BYTES_MAX, CACHE_VALUE_BYTES_MAX};

use super::Change;
use super::cache::sync_directory;
use super::error::CacheError;
use crate::error::StorageError;

const FOLDER: &str = "sled";
/// sled's own pages in memory; its default is a gigabyte.
const MEMORY_BYTES_MAX: u64 = 16 << 20;
/// sled puts a leaf beyond a quarter of this into a file of its own, which nobody syncs.
const SEGMENT_BYTES: usize = 8 << 20;
/// sled splits a leaf of more than 16 entries when it next meets it, and merges one of less than 4 into
/// its neighbour: so many there are at most in one.
const LEAF_ENTRIES_MAX: usize = 24;
const _: () = assert!(
    LEAF_ENTRIES_MAX * (CACHE_KEY_BYTES_MAX + CACHE_VALUE_BYTES_MAX + 64) < SEGMENT_BYTES / 4,
    "whatever users put, every leaf stays in the data file"
);
/// The key of the batch number. Users' keys start with [`USER_PREFIX`].
const BATCH_KEY: &[u8] = &[0];
const USER_PREFIX: u8 = 1;
const CRC_LENGTH: usize = 4;
const UNLOCKED_WITHIN: Duration = Duration::from_secs(5);
const UNLOCKED_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(super) struct Database {
    db: sled::Db,
    /// sled's data file, through a handle of ours.
    file: Arc<File>,
    path: PathBuf,
    /// The batch found or written when it was opened.
    batch: u64,
}

/// Whether there is a database in the cache's folder.
pub(super) fn exists(directory: &Path) -> bool {
    directory.join(FOLDER).exists()
}

/// Opens a database whose previous handle in this process may still be letting go of it: sled's threads
/// unlock the file some time after the last handle is dropped. Other processes are kept out by the marker.
fn open_unlocked(config: &sled::Config) -> Result<sled::Db, CacheError> {
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        let is_locked = |error: &sled::Error| error.to_string().contains("could not acquire lock");
        let opened = guard("open", || match config.open() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => Ok(None),
            opened => opened.map(Some),
        })?;
        match opened {
            Some(db) => return Ok(db),
            None => std::thread::sleep(UNLOCKED_INTERVAL),
        }
    }
}

impl Database {
    /// Opens the database and proves that it holds batch `batch` and that every value verifies. The
    /// error says why it cannot be trusted.
    pub(super) fn open_sound(directory: &Path, batch: u64) -> Result<Self, String> {
        let folder = directory.join(FOLDER);
        if !folder.join("db").exists() {
            return Err("its data file is missing".to_owned());
        }
        let database = Self::open(&folder, batch).map_err(|error| error.to_string())?;
        let proven = database.guarded("verify", |db| {
            let found = db.get(BATCH_KEY)?;
            if found.as_deref() != Some(&batch.to_le_bytes()) {
                return Ok(Err("its last batch is not the one its marker names"));
            }
            for item in db.iter() {
                let (key, stored) = item?;
                if &*key != BATCH_KEY && (!is_user_key(&key) || unseal(&key, &stored).is_none()) {
                    return Ok(Err("a value fails its checksum"));
                }
            }
            Ok(Ok(()))
        });
        match proven {
            Ok(Ok(())) => Ok(database),
            Ok(Err(reason)) => {
                database.discard();
                Err(reason.to_owned())
            }
            Err(error) => {
                database.discard();
                Err(error.to_string())
            }
        }
    }

    /// Removes whatever database there is and creates an empty one, durably.
    pub(super) fn create_empty(directory: &Path) -> Result<Self, CacheError> {
        let folder = directory.join(FOLDER);
        remove_all(&folder).map_err(StorageError::at("remove", &folder))?;
        let database = Self::open(&folder, 0)?;
        database.write(&[], 0)?;
        // sled syncs neither its other files nor any folder.
        let conf = folder.join("conf");
        File::open(&conf).and_then(|file| file.sync_all()).map_err(StorageError::at("sync", &conf))?;
        sync_directory(&folder)?;
        sync_directory(directory)?;
        Ok(database)
    }

    fn open(folder: &Path, batch: u64) -> Result<Self, CacheError> {
        let config = sled::Config::new()
            .path(folder)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(MEMORY_BYTES_MAX)
            .flush_every_ms(None);
        let db = open_unlocked(&config)?;
        let path = folder.join("db");
        let file = File::open(&path).map_err(StorageError::at("open", &path))?;
        Ok(Self { db, file: Arc::new(file), path, batch })
    }

    /// The batch the database held when it was opened.
    pub(super) fn batch(&self) -> u64 {
        self.batch
    }

    /// Applies the changes and the batch's number as one, durably. The next batch may be written only
    /// after this one returned: sled reuses space it believes durable.
    pub(super) fn write(&self, changes: &[Change], batch: u64) -> Result<(), CacheError> {
        let mut writes = sled::Batch::default();
        for change in changes {
            match change {
                Change::Put { key, value } => {
                    let key = user_key(key);
                    let sealed = seal(&key, value);
                    writes.insert(key, sealed);
                }
                Change::Remove { key } => writes.remove(user_key(key)),
            }
        }
        writes.insert(BATCH_KEY, &batch.to_le_bytes());
        self.guarded("write", |db| {
            db.apply_batch(writes)?;
            db.flush()
        })?;
        self.file.sync_data().map_err(StorageError::at("sync", &self.path))?;
        Ok(())
    }

    pub(super) fn scan(&self, prefix: &[u8]) -> sled::Iter {
        self.db.scan_prefix(prefix)
    }

    /// Runs an operation of sled; a panic is an error.
    pub(super) fn guarded<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, CacheError> {
        guard(operation, || run(&self.db))
    }

    /// Drops a database that is not trusted: closing it may panic as well.
    fn discard(self) {
        if catch_unwind(AssertUnwindSafe(|| drop(self))).is_err() {
            tracing::warn!("closing a damaged cache panicked");
        }
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn guard<T>(operation: &'static str, run: impl FnOnce() -> sled::Result<T>) -> Result<T, CacheError> {
    // What a panic leaves behind is dropped with the cache: nothing reads on after an error.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CacheError::Database { operation, what: error.to_string() }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(CacheError::Database { operation, what: format!("panicked: {text}") })
        }
    }
}

/// The key under which a user's key is stored.
pub(super) fn user_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(USER_PREFIX);
    stored.extend_from_slice(key);
    stored
}

pub(super) fn is_user_key(stored: &[u8]) -> bool {
    stored.first() == Some(&USER_PREFIX)
}

/// The value with a checksum over it and its stored key.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CRC_LENGTH + value.len());
    sealed.extend_from_slice(&value_crc(key, value).to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// The value, if its checksum holds.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (crc, value) = sealed.split_first_chunk::<CRC_LENGTH>()?;
    (u32::from_le_bytes(*crc) == value_crc(key, value)).then_some(value)
}

fn value_crc(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}
