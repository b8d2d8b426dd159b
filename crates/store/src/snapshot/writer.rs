//! Writing a snapshot: under a temporary name until everything is durable and verified.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use rivermark_fs::File;
use rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX;

use super::directory::SnapshotStore;
use super::format::{CHUNK_PREFIX_LENGTH, FileIdentity, Footer, encode_chunk_prefix, fold_crc};
use super::reader::Snapshot;
use crate::error::{Corruption, StorageError, StoreError};

/// A snapshot being written. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: SnapshotStore,
    file: Arc<dyn File>,
    temporary: PathBuf,
    identity: FileIdentity,
    /// Where the next chunk goes.
    offset: u64,
    footer: Footer,
    progress: Progress,
}

/// Whether the file may still become a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Writing,
    /// A write failed: what the file holds is unknown.
    Failed,
    /// The temporary name is gone.
    Renamed,
}

impl SnapshotWriter {
    pub(super) fn new(
        store: SnapshotStore,
        file: Arc<dyn File>,
        temporary: PathBuf,
        identity: FileIdentity,
        meta: &[u8],
    ) -> Result<Self, StoreError> {
        let footer = Footer { chunk_count: 0, content_bytes: 0, chunks_crc: 0 };
        let header = identity.encode_header(meta);
        let offset = header.len() as u64;
        let mut writer =
            Self { store, file, temporary, identity, offset, footer, progress: Progress::Writing };
        writer.write(&mut [IoSlice::new(&header)], 0)?;
        Ok(writer)
    }

    /// Appends a chunk. Chunks come back from [`Snapshot::chunks`] one for one, empty ones too.
    ///
    /// # Errors
    /// A chunk above [`SNAPSHOT_CHUNK_BYTES_MAX`], which leaves the writer as it was; a failed write,
    /// after which the snapshot cannot be finished.
    pub fn push_chunk(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        check_size("a snapshot chunk", chunk.len(), SNAPSHOT_CHUNK_BYTES_MAX)?;
        let crc = self.identity.chunk_crc(self.footer.chunk_count, chunk);
        let prefix = encode_chunk_prefix(chunk.len(), crc);
        self.write(&mut [IoSlice::new(&prefix), IoSlice::new(chunk)], self.offset)?;
        self.offset += (CHUNK_PREFIX_LENGTH + chunk.len()) as u64;
        self.footer.chunk_count += 1;
        self.footer.content_bytes += chunk.len() as u64;
        self.footer.chunks_crc = fold_crc(self.footer.chunks_crc, crc);
        Ok(())
    }

    /// Bytes of the chunks pushed so far.
    pub fn bytes(&self) -> u64 {
        self.footer.content_bytes
    }

    /// Completes the snapshot: syncs, reads back and verifies every byte, gives it its durable name and
    /// removes the snapshots it replaces. If the shard already has one that covers more, that one stays
    /// the latest, and this one lives only as long as the returned handle.
    ///
    /// # Errors
    /// A failed operation, or a [`Corruption`] if the bytes read back are not those written. The older
    /// snapshot then stays, and so must the log behind it.
    pub fn finish(mut self) -> Result<Snapshot, StoreError> {
        let footer = self.footer.encode(self.identity);
        self.write(&mut [IoSlice::new(&footer)], self.offset)?;
        self.file.sync_data().map_err(StorageError::at("sync", &self.temporary))?;
        // Through a handle of its own: the name must lead to these bytes too.
        let snapshot = Snapshot::open(&**self.store.fs(), &self.temporary, self.identity)?;
        snapshot.verify()?;
        if snapshot.footer() != self.footer {
            return Err(Corruption::new(&self.temporary, self.offset, "footer read back").into());
        }
        let store = self.store.clone();
        let path =
            store.publish(self.identity, &self.temporary.clone(), || self.progress = Progress::Renamed)?;
        Ok(match path {
            Some(path) => snapshot.renamed(path),
            None => snapshot,
        })
    }

    fn write(&mut self, parts: &mut [IoSlice<'_>], offset: u64) -> Result<(), StoreError> {
        if self.progress == Progress::Failed {
            let source = std::io::Error::other("an earlier write of this snapshot failed");
            return Err(StorageError { operation: "write", path: self.temporary.clone(), source }.into());
        }
        self.file.write_all_vectored_at(parts, offset).map_err(|error| {
            self.progress = Progress::Failed;
            StorageError::at("write", &self.temporary)(error).into()
        })
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if self.progress != Progress::Renamed
            && let Err(error) = self.store.fs().remove(&self.temporary)
        {
            tracing::warn!(path = %self.temporary.display(), %error, "unfinished snapshot not removed");
        }
    }
}

pub(super) fn check_size(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), StoreError> {
    if bytes > bytes_max { Err(StoreError::TooLarge { what, bytes, bytes_max }) } else { Ok(()) }
}
