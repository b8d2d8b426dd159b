//! What goes wrong with files, by who must react: a [`StorageError`] is the disk's or the operator's to
//! mend, a [`Corruption`] costs this node its copy of one shard, a limit is the caller's.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on a file failed. After a failed sync nothing is known about the file's new bytes.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {source}", path.display())]
pub struct StorageError {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the file system said.
    pub source: io::Error,
}

/// A file's bytes are not the ones that were written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is corrupt at byte {offset}: {what}", path.display())]
pub struct Corruption {
    /// The file.
    pub path: PathBuf,
    /// Where in it the damage shows.
    pub offset: u64,
    /// Which check failed.
    pub what: &'static str,
}

/// Any failure of this crate's immutable files.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The bytes are damaged.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// More bytes than the format allows.
    #[error("{what} of {bytes} bytes exceeds {bytes_max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The greatest size allowed.
        bytes_max: usize,
    },
}

impl StorageError {
    /// For `map_err`: names the operation and the path of an I/O error.
    pub(crate) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { operation, path: path.to_owned(), source }
    }

    /// A sound file of a format this build does not know: an older build on a newer folder, not damage.
    pub(crate) fn unknown_version(path: &Path) -> Self {
        let source = io::Error::new(
            io::ErrorKind::Unsupported,
            "written in a newer format, which this version of the software does not know",
        );
        Self { operation: "read", path: path.to_owned(), source }
    }
}

impl Corruption {
    pub(crate) fn new(path: &Path, offset: u64, what: &'static str) -> Self {
        Self { path: path.to_owned(), offset, what }
    }
}
