//! Small files that are replaced whole.
//!
//! The order is what makes it safe: bytes durable under a temporary name, then the name, then the
//! folder. Renaming first could leave, after a power cut, the right name on an empty file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rivermark_fs::FileSystem;

use crate::error::{Corruption, StorageError, StoreError};

/// Makes `bytes` the durable content of `path`, whose folder exists. A crash leaves the old content or
/// the new.
pub(crate) fn replace_file(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let temporary = temporary_name(path);
    remove_if_present(fs, &temporary)?;
    let file = fs.create(&temporary).map_err(StorageError::at("create", &temporary))?;
    file.write_all_at(bytes, 0).map_err(StorageError::at("write", &temporary))?;
    file.sync_data().map_err(StorageError::at("sync", &temporary))?;
    fs.rename(&temporary, path).map_err(StorageError::at("rename", path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs.sync_directory(folder).map_err(StorageError::at("sync folder", folder))
}

/// The whole of a file that is expected to hold exactly `length` bytes; `None` if there is no such file.
pub(crate) fn read_file(
    fs: &dyn FileSystem,
    path: &Path,
    length: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match fs.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::at("open", path)(error).into()),
    };
    let found = file.length().map_err(StorageError::at("measure", path))?;
    if found != length as u64 {
        return Err(Corruption::new(path, found, "unexpected length").into());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(StorageError::at("read", path))?;
    Ok(Some(bytes))
}

/// Creates a folder and its missing parents durably.
pub(crate) fn create_directory(fs: &dyn FileSystem, path: &Path) -> Result<(), StorageError> {
    let missing = path.ancestors().take_while(|ancestor| is_missing(fs, ancestor)).count();
    fs.create_directory(path).map_err(StorageError::at("create folder", path))?;
    // The folder itself counts as missing: whoever created it may have died before syncing its name.
    for created in path.ancestors().take(missing.max(1)) {
        let Some(parent) = created.parent() else { break };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        fs.sync_directory(parent).map_err(StorageError::at("sync folder", parent))?;
    }
    Ok(())
}

fn is_missing(fs: &dyn FileSystem, folder: &Path) -> bool {
    !folder.as_os_str().is_empty()
        && fs.list(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Removes a file; no error if there is none.
pub(crate) fn remove_if_present(fs: &dyn FileSystem, path: &Path) -> Result<(), StorageError> {
    match fs.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The name a file has until it is complete.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".tmp");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivermark_fs::{File, OsFileSystem};
    use std::sync::{Arc, Mutex};

    /// The real file system, noting which folders are synced.
    #[derive(Debug, Default)]
    struct Noting(Mutex<Vec<PathBuf>>);

    impl FileSystem for Noting {
        fn create_directory(&self, path: &Path) -> io::Result<()> {
            OsFileSystem.create_directory(path)
        }
        fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
            OsFileSystem.list(directory)
        }
        fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
            OsFileSystem.create(path)
        }
        fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
            OsFileSystem.open(path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            OsFileSystem.rename(from, to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            OsFileSystem.remove(path)
        }
        fn sync_directory(&self, path: &Path) -> io::Result<()> {
            self.0.lock().unwrap().push(path.to_owned());
            OsFileSystem.sync_directory(path)
        }
        fn available_bytes(&self, path: &Path) -> io::Result<u64> {
            OsFileSystem.available_bytes(path)
        }
    }

    #[test]
    fn every_folder_that_was_missing_has_its_name_synced() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let synced = |path: &Path| {
            let fs = Noting::default();
            create_directory(&fs, path).unwrap();
            assert!(path.is_dir());
            fs.0.into_inner().unwrap()
        };
        assert_eq!(synced(&root.join("a/b/c")), [root.join("a/b"), root.join("a"), root.to_owned()]);
        assert_eq!(synced(&root.join("a/b/c")), [root.join("a/b")]);
        assert_eq!(synced(&root.join("a/d")), [root.join("a")]);
    }
}
