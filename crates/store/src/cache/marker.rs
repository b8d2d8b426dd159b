//! The file that says which batch the cache last made durable, and whether it may be trusted at all.
//!
//! Overwritten in place within one sector; a torn write fails its checksum, which wipes the cache. The
//! open file also holds the lock that keeps a second process out.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Buf;

use super::cache::sync_directory;
use crate::error::StorageError;

const FILE_NAME: &str = "marker";
const MAGIC: [u8; 8] = *b"RVMKCACH";
const VERSION: u32 = 1;
/// Magic, version, state, batch, CRC32C.
const LENGTH: usize = 8 + 4 + 4 + 8 + 4;
const STATE_UNPROVEN: u32 = 0;
const STATE_SOUND: u32 = 1;

/// What the marker file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// The cache is being opened and verified.
    Unproven,
    /// Everything up to this batch is durable.
    Sound {
        /// Equal to the number inside sled.
        batch: u64,
    },
}

#[derive(Debug)]
pub(super) struct MarkerFile {
    file: File,
    path: PathBuf,
}

impl MarkerFile {
    /// Opens or creates the marker of the cache in `directory` and locks it.
    pub(super) fn open(directory: &Path) -> Result<Self, StorageError> {
        let path = directory.join(FILE_NAME);
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StorageError::at("open", &path))?;
        file.try_lock().map_err(|error| {
            let source = match error {
                TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::WouldBlock, "another process has it")
                }
                TryLockError::Error(error) => error,
            };
            StorageError::at("lock", &path)(source)
        })?;
        sync_directory(directory)?;
        Ok(Self { file, path })
    }

    /// `None` if the file is new or damaged.
    pub(super) fn read(&self) -> Result<Option<Marker>, StorageError> {
        let mut bytes = [0; LENGTH];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(StorageError::at("read", &self.path)(error)),
        }
    }

    /// Durable on return.
    pub(super) fn write(&mut self, marker: Marker) -> Result<(), StorageError> {
        self.file.write_all_at(&encode(marker), 0).map_err(StorageError::at("write", &self.path))?;
        self.file.sync_data().map_err(StorageError::at("sync", &self.path))
    }
}

fn encode(marker: Marker) -> Vec<u8> {
    let (state, batch) = match marker {
        Marker::Unproven => (STATE_UNPROVEN, 0),
        Marker::Sound { batch } => (STATE_SOUND, batch),
    };
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&state.to_le_bytes());
    bytes.extend_from_slice(&batch.to_le_bytes());
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8; LENGTH]) -> Option<Marker> {
    let (body, mut crc) = bytes.split_at(LENGTH - 4);
    if !body.starts_with(&MAGIC) || crc.get_u32_le() != crc32c::crc32c(body) {
        return None;
    }
    let mut fields = &body[MAGIC.len()..];
    match (fields.get_u32_le(), fields.get_u32_le(), fields.get_u64_le()) {
        (VERSION, STATE_UNPROVEN, _) => Some(Marker::Unproven),
        (VERSION, STATE_SOUND, batch) => Some(Marker::Sound { batch }),
        _ => None,
    }
}
