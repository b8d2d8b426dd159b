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

/// Creates a folder durably: its name in its parent too.
pub(crate) fn create_directory(fs: &dyn FileSystem, path: &Path) -> Result<(), StorageError> {
    fs.create_directory(path).map_err(StorageError::at("create folder", path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs.sync_directory(parent).map_err(StorageError::at("sync folder", parent))
        }
        _ => Ok(()),
    }
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
