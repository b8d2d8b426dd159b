//! The snapshots of a node: one folder a shard, `snapshots/<shard>/<covered>-<sequence>.snapshot`.
//!
//! Which snapshot is the latest is decided by what it covers, not by when it was finished: one being
//! built here and one being received may finish in either order, and the log is purged behind the one
//! that covers more.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rivermark_fs::SharedFileSystem;
use rivermark_types::limits::SNAPSHOT_META_BYTES_MAX;
use rivermark_types::{LogIndex, ShardId};

use super::format::{FileIdentity, Rank};
use super::reader::Snapshot;
use super::writer::{SnapshotWriter, check_size};
use crate::error::{StorageError, StoreError};
use crate::replace::{create_directory, remove_if_present, temporary_name};

const FOLDER: &str = "snapshots";
const EXTENSION: &str = "snapshot";

/// All snapshots of a node. Cloning shares it; all methods may be called from any thread and do
/// blocking I/O.
#[derive(Clone, Debug)]
pub struct SnapshotStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fs: SharedFileSystem,
    directory: PathBuf,
    shards: Mutex<BTreeMap<ShardId, ShardFiles>>,
}

/// What a shard's folder holds.
#[derive(Debug, Default)]
struct ShardFiles {
    /// Finished snapshots, ascending: the last is the latest, the others await removal.
    finished: Vec<Rank>,
    /// The greatest sequence given out; each writer gets a greater one.
    last_sequence: u64,
}

impl SnapshotStore {
    /// Opens the `snapshots` folder inside `directory`, creating it if needed, and removes what
    /// unfinished writers left.
    ///
    /// # Errors
    /// A folder that cannot be created, listed or cleaned. Snapshots are not read yet.
    pub fn open(fs: SharedFileSystem, directory: &Path) -> Result<Self, StorageError> {
        let directory = directory.join(FOLDER);
        create_directory(&*fs, &directory)?;
        let mut shards = BTreeMap::new();
        for folder in list(&fs, &directory)? {
            match parse_shard(&folder) {
                Some(shard) => {
                    shards.insert(shard, ShardFiles::scan(&fs, &folder)?);
                }
                None => {
                    tracing::warn!(path = %folder.display(), "unknown name among the snapshots, left alone")
                }
            }
        }
        Ok(Self(Arc::new(Inner { fs, directory, shards: Mutex::new(shards) })))
    }

    /// Begins a snapshot of `shard` that contains the commands up to `covered`. `meta` is kept beside the
    /// chunks.
    ///
    /// # Errors
    /// A meta above [`SNAPSHOT_META_BYTES_MAX`]; a file that cannot be created or written.
    pub fn writer(
        &self,
        shard: ShardId,
        covered: LogIndex,
        meta: &[u8],
    ) -> Result<SnapshotWriter, StoreError> {
        check_size("a snapshot's meta", meta.len(), SNAPSHOT_META_BYTES_MAX)?;
        create_directory(&*self.0.fs, &self.folder(shard))?;
        let sequence = {
            let mut shards = self.0.shards.lock();
            let files = shards.entry(shard).or_default();
            files.last_sequence += 1;
            files.last_sequence
        };
        let identity = FileIdentity { shard, rank: Rank { covered, sequence } };
        let temporary = temporary_name(&self.path(identity));
        let file = self.0.fs.create(&temporary).map_err(StorageError::at("create", &temporary))?;
        SnapshotWriter::new(self.clone(), file, temporary, identity, meta)
    }

    /// The shard's snapshot that covers most, header and footer verified; `None` if there is none.
    ///
    /// # Errors
    /// A [`Corruption`](crate::Corruption) if that snapshot is damaged: an older one would not do.
    pub fn latest(&self, shard: ShardId) -> Result<Option<Snapshot>, StoreError> {
        // Held while opening, so that the file is not replaced between choosing and opening it.
        let shards = self.0.shards.lock();
        let Some(rank) = shards.get(&shard).and_then(|files| files.finished.last()) else { return Ok(None) };
        let identity = FileIdentity { shard, rank: *rank };
        Snapshot::open(&*self.0.fs, &self.path(identity), identity).map(Some)
    }

    /// The shards that have a snapshot.
    pub fn shards(&self) -> Vec<ShardId> {
        let shards = self.0.shards.lock();
        shards.iter().filter(|(_, files)| !files.finished.is_empty()).map(|(shard, _)| *shard).collect()
    }

    /// Durably removes all finished snapshots of a shard: it left this node, or its copy is damaged and
    /// is being rebuilt from its peers. Open handles stay good.
    ///
    /// # Errors
    /// A name that cannot be removed.
    pub fn remove(&self, shard: ShardId) -> Result<(), StorageError> {
        let mut shards = self.0.shards.lock();
        let Some(files) = shards.get_mut(&shard) else { return Ok(()) };
        let folder = self.folder(shard);
        while let Some(rank) = files.finished.first() {
            if files.finished.len() == 1 {
                // The replaced ones are gone for good first, or a crash could make one of them the latest.
                self.0.fs.sync_directory(&folder).map_err(StorageError::at("sync folder", &folder))?;
            }
            remove_if_present(&*self.0.fs, &self.path(FileIdentity { shard, rank: *rank }))?;
            files.finished.remove(0);
        }
        self.0.fs.sync_directory(&folder).map_err(StorageError::at("sync folder", &folder))
    }

    /// Gives a complete, durable, verified file its name and removes those it replaces. Returns the
    /// name, or `None` if a finished snapshot already covers more.
    pub(super) fn publish(
        &self,
        identity: FileIdentity,
        temporary: &Path,
        on_rename: impl FnOnce(),
    ) -> Result<Option<PathBuf>, StoreError> {
        let fs = &self.0.fs;
        let mut shards = self.0.shards.lock();
        let files = shards.entry(identity.shard).or_default();
        if files.finished.last().is_some_and(|latest| *latest > identity.rank) {
            return Ok(None);
        }
        let path = self.path(identity);
        fs.rename(temporary, &path).map_err(StorageError::at("rename", &path))?;
        on_rename();
        // Counted before it is durable: if the sync fails, it is nevertheless what the folder shows.
        files.finished.push(identity.rank);
        let folder = self.folder(identity.shard);
        fs.sync_directory(&folder).map_err(StorageError::at("sync folder", &folder))?;
        // Only now: before the sync a crash could lose the new name and the old file both.
        let latest = files.finished.len() - 1;
        let mut position = 0;
        files.finished.retain(|rank| {
            let is_latest = position == latest;
            position += 1;
            is_latest || !self.remove_replaced(FileIdentity { rank: *rank, ..identity })
        });
        Ok(Some(path))
    }

    /// Whether the file is gone. If not it only costs space, and the next snapshot tries again.
    fn remove_replaced(&self, identity: FileIdentity) -> bool {
        match remove_if_present(&*self.0.fs, &self.path(identity)) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "replaced snapshot not removed");
                false
            }
        }
    }

    pub(super) fn fs(&self) -> &SharedFileSystem {
        &self.0.fs
    }

    fn folder(&self, shard: ShardId) -> PathBuf {
        self.0.directory.join(shard.to_string())
    }

    fn path(&self, identity: FileIdentity) -> PathBuf {
        self.folder(identity.shard).join(format!("{}.{EXTENSION}", identity.rank))
    }
}

impl ShardFiles {
    fn scan(fs: &SharedFileSystem, folder: &Path) -> Result<Self, StorageError> {
        let mut files = Self::default();
        for path in list(fs, folder)? {
            if path.extension() == Some(OsStr::new("tmp")) {
                remove_if_present(&**fs, &path)?;
            } else if let Some(rank) = parse_rank(&path) {
                files.finished.push(rank);
                files.last_sequence = files.last_sequence.max(rank.sequence);
            } else {
                tracing::warn!(path = %path.display(), "unknown name among the snapshots, left alone");
            }
        }
        files.finished.sort();
        Ok(files)
    }
}

fn list(fs: &SharedFileSystem, folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    fs.list(folder).map_err(StorageError::at("list", folder))
}

fn parse_shard(folder: &Path) -> Option<ShardId> {
    let name = folder.file_name()?.to_str()?;
    let shard = ShardId::new(name.parse().ok()?);
    // Only the name this store would give: `07` and `+7` are not shard 7.
    (shard.to_string() == name).then_some(shard)
}

fn parse_rank(path: &Path) -> Option<Rank> {
    if path.extension() != Some(OsStr::new(EXTENSION)) {
        return None;
    }
    Rank::parse(path.file_stem()?.to_str()?)
}
