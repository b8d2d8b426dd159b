//! Reading a snapshot. Header and footer are verified when it is opened, a chunk each time it is read.
//!
//! The handle stays good when the file is removed or replaced meanwhile: the name goes, the bytes stay
//! until the last handle is dropped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rivermark_fs::{File, FileSystem};
use rivermark_types::{LogIndex, ShardId};

use super::format::{
    self, CHUNK_PREFIX_LENGTH, FOOTER_LENGTH, FileIdentity, Footer, HEADER_FIXED_LENGTH, fold_crc,
};
use crate::error::{Corruption, StorageError, StoreError};

/// A finished snapshot. Cloning shares the handle.
#[derive(Clone, Debug)]
pub struct Snapshot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Arc<dyn File>,
    path: PathBuf,
    identity: FileIdentity,
    meta: Bytes,
    footer: Footer,
    chunks_offset: u64,
}

/// The chunks of a snapshot in order. Ends after the first error.
#[derive(Debug)]
pub struct Chunks {
    snapshot: Snapshot,
    offset: u64,
    number: u64,
    crc: u32,
    state: ChunksState,
}

#[derive(Debug, PartialEq, Eq)]
enum ChunksState {
    Reading,
    Ended,
}

impl Snapshot {
    /// Opens the file `identity`, verifying header, footer and length.
    pub(super) fn open(fs: &dyn FileSystem, path: &Path, identity: FileIdentity) -> Result<Self, StoreError> {
        let file = fs.open(path).map_err(StorageError::at("open", path))?;
        Self::from_file(file, path, identity)
    }

    /// As [`Snapshot::open`], of a file already open.
    pub(super) fn from_file(
        file: Arc<dyn File>,
        path: &Path,
        identity: FileIdentity,
    ) -> Result<Self, StoreError> {
        let length = file.length().map_err(StorageError::at("measure", path))?;
        let fixed = read(&*file, path, 0, HEADER_FIXED_LENGTH)?;
        let header_length = format::header_length(path, &fixed)?;
        let header = read(&*file, path, 0, header_length)?;
        let meta = format::decode_header(path, &header, identity)?;

        let footer_offset = length.saturating_sub(FOOTER_LENGTH as u64);
        let footer = read(&*file, path, footer_offset, FOOTER_LENGTH)?;
        let footer = Footer::decode(&footer, identity)
            .ok_or_else(|| Corruption::new(path, footer_offset, "footer"))?;
        let expected_length = footer
            .chunk_area_length()
            .and_then(|area| area.checked_add((header_length + FOOTER_LENGTH) as u64));
        if expected_length != Some(length) {
            return Err(Corruption::new(path, footer_offset, "length of the file").into());
        }
        let chunks_offset = header_length as u64;
        Ok(Self(Arc::new(Inner { file, path: path.to_owned(), identity, meta, footer, chunks_offset })))
    }

    /// The shard it is an image of.
    pub fn shard(&self) -> ShardId {
        self.0.identity.shard
    }

    /// The last log index whose command it contains.
    pub fn covered(&self) -> LogIndex {
        self.0.identity.rank.covered
    }

    /// Distinguishes the snapshots of one shard on this node that cover the same index.
    pub fn sequence(&self) -> u64 {
        self.0.identity.rank.sequence
    }

    /// The bytes given to the writer.
    pub fn meta(&self) -> &Bytes {
        &self.0.meta
    }

    /// Bytes of all chunks together.
    pub fn bytes(&self) -> u64 {
        self.0.footer.content_bytes
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> u64 {
        self.0.footer.chunk_count
    }

    /// The file, as named when it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads the chunks from the first on, verifying each.
    pub fn chunks(&self) -> Chunks {
        let snapshot = self.clone();
        Chunks { offset: self.0.chunks_offset, snapshot, number: 0, crc: 0, state: ChunksState::Reading }
    }

    /// Reads and verifies everything.
    ///
    /// # Errors
    /// The first damage, or a failed read.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.chunks().try_for_each(|chunk| chunk.map(drop))
    }

    /// The same open file under the name it was renamed to.
    pub(super) fn renamed(self, path: PathBuf) -> Self {
        let Inner { file, identity, meta, footer, chunks_offset, .. } = &*self.0;
        Self(Arc::new(Inner {
            file: Arc::clone(file),
            path,
            identity: *identity,
            meta: meta.clone(),
            footer: *footer,
            chunks_offset: *chunks_offset,
        }))
    }

    pub(super) fn footer(&self) -> Footer {
        self.0.footer
    }
}

impl Chunks {
    fn read_next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Inner { file, path, identity, footer, chunks_offset, .. } = &*self.snapshot.0;
        let area_length = footer.chunk_area_length().expect("checked when the snapshot was opened");
        let end = chunks_offset + area_length;
        if self.number == footer.chunk_count {
            if self.offset != end || self.crc != footer.chunks_crc {
                return Err(Corruption::new(path, self.offset, "checksum of all chunks").into());
            }
            return Ok(None);
        }
        let prefix = read(&**file, path, self.offset, CHUNK_PREFIX_LENGTH)?;
        let body_offset = self.offset + CHUNK_PREFIX_LENGTH as u64;
        let (length, crc) = format::decode_chunk_prefix(&prefix)
            .filter(|(length, _)| body_offset + *length as u64 <= end)
            .ok_or_else(|| Corruption::new(path, self.offset, "length of a chunk"))?;
        let chunk = read(&**file, path, body_offset, length)?;
        if identity.chunk_crc(self.number, &chunk) != crc {
            return Err(Corruption::new(path, self.offset, "checksum of a chunk").into());
        }
        self.offset = body_offset + length as u64;
        self.number += 1;
        self.crc = fold_crc(self.crc, crc);
        Ok(Some(chunk.into()))
    }
}

impl Iterator for Chunks {
    type Item = Result<Bytes, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == ChunksState::Ended {
            return None;
        }
        let next = self.read_next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = ChunksState::Ended;
        }
        next
    }
}

/// Exactly `length` bytes; a file too short for them is corrupt.
fn read(file: &dyn File, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Corruption::new(path, offset, "file too short").into())
        }
        Err(error) => Err(StorageError::at("read", path)(error).into()),
    }
}
