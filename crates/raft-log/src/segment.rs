//! One segment file.

use std::fmt;
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rivermark_fs::{File, SharedFileSystem};
use rivermark_types::ShardId;

use crate::entry::LogId;
use crate::error::StorageError;
use crate::index::Place;
use crate::record::{self, FRAME_BYTES, Frame, Record, SegmentHeader};

const SUFFIX: &str = "log";
const SPARE_SUFFIX: &str = "spare";
const ZERO_CHUNK_BYTES: usize = 1024 * 1024;

/// An open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) seed: u32,
    /// Frames must end here.
    pub(crate) capacity: u64,
}

/// Why an entry's bytes cannot be served.
#[derive(Debug)]
pub(crate) enum EntryReadError {
    Io(StorageError),
    /// The checksum fails or the frame is another entry's.
    Mismatch,
}

impl Segment {
    /// Reads and verifies the frame of an entry.
    pub(crate) fn read_entry(
        &self,
        shard: ShardId,
        id: LogId,
        place: Place,
    ) -> Result<Bytes, EntryReadError> {
        let mut bytes = vec![0; FRAME_BYTES + place.length as usize];
        match self.file.read_exact_at(&mut bytes, u64::from(place.offset)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(EntryReadError::Mismatch);
            }
            Err(error) => return Err(EntryReadError::Io(StorageError::at("read", &self.path)(error))),
        }
        let (frame, payload) = Frame::decode(&bytes, self.seed).ok_or(EntryReadError::Mismatch)?;
        if frame.shard != shard || frame.record != Record::Entry(id) || payload.len() != place.length as usize
        {
            return Err(EntryReadError::Mismatch);
        }
        Ok(Bytes::from(bytes).slice(payload))
    }
}

/// What a file in the log's folder is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Segment(u64),
    Spare(u64),
    Other,
}

impl FileKind {
    pub(crate) fn of(path: &Path) -> Self {
        let number = path.file_stem().and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
        match (number, path.extension().and_then(|extension| extension.to_str())) {
            (Some(id), Some(SUFFIX)) => Self::Segment(id),
            (Some(number), Some(SPARE_SUFFIX)) => Self::Spare(number),
            _ => Self::Other,
        }
    }
}

pub(crate) fn segment_path(directory: &Path, id: u64) -> PathBuf {
    directory.join(format!("{id:016x}.{SUFFIX}"))
}

pub(crate) fn spare_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016x}.{SPARE_SUFFIX}"))
}

/// Creates a file of zeros, really written, so that later syncs do not have to commit file metadata.
pub(crate) fn create_zeroed(fs: &SharedFileSystem, path: &Path, length: u64) -> Result<(), StorageError> {
    let file = fs.create(path).map_err(StorageError::at("create", path))?;
    let zeros = vec![0; ZERO_CHUNK_BYTES.min(length as usize)];
    let mut offset = 0;
    while offset < length {
        let chunk = zeros.len().min((length - offset) as usize);
        file.write_all_at(&zeros[..chunk], offset).map_err(StorageError::at("write zeros to", path))?;
        offset += chunk as u64;
    }
    file.sync_data().map_err(StorageError::at("sync", path))
}

/// Turns a spare file into the segment `id`: header, sync, name, in this order, so that a segment's name
/// always leads to a sound header.
pub(crate) fn activate(
    fs: &SharedFileSystem,
    directory: &Path,
    spare: &Path,
    id: u64,
) -> Result<Segment, StorageError> {
    // Differs between uses of a file even if ids were to repeat, and no client can guess it.
    let salt = std::hash::RandomState::new().hash_one(id);
    let file = fs.open(spare).map_err(StorageError::at("open", spare))?;
    let capacity = file.length().map_err(StorageError::at("measure", spare))?;
    let header = SegmentHeader { id, salt, length: capacity };
    file.write_all_at(&header.encode(), 0).map_err(StorageError::at("write", spare))?;
    file.sync_data().map_err(StorageError::at("sync", spare))?;
    let path = segment_path(directory, id);
    fs.rename(spare, &path).map_err(StorageError::at("rename", spare))?;
    fs.sync_directory(directory).map_err(StorageError::at("sync", directory))?;
    Ok(Segment { id, path, file, seed: header.seed(), capacity })
}

/// What opening a segment file found.
pub(crate) enum Opened {
    Sound(Segment, Vec<u8>),
    /// The file is shorter than it was made.
    Cut(Segment, Vec<u8>),
    /// The header cannot be read: nothing in the file can be trusted.
    Damaged(PathBuf),
    Version(u32),
}

/// Opens a segment and reads all of it.
pub(crate) fn open(fs: &SharedFileSystem, path: &Path, id: u64) -> Result<Opened, StorageError> {
    let file = fs.open(path).map_err(StorageError::at("open", path))?;
    let capacity = file.length().map_err(StorageError::at("measure", path))?.min(u64::from(u32::MAX));
    let mut bytes = vec![0; capacity as usize];
    file.read_exact_at(&mut bytes, 0).map_err(StorageError::at("read", path))?;
    Ok(match SegmentHeader::decode(&bytes) {
        Ok(header) if header.id == id => {
            let segment = Segment { id, path: path.to_path_buf(), file, seed: header.seed(), capacity };
            if capacity < header.length { Opened::Cut(segment, bytes) } else { Opened::Sound(segment, bytes) }
        }
        Ok(_) | Err(record::HeaderError::Damaged) => Opened::Damaged(path.to_path_buf()),
        Err(record::HeaderError::Version(version)) => Opened::Version(version),
    })
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}
