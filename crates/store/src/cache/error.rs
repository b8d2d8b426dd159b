//! What goes wrong with the cache. None of it may stop a node: it goes on without what was cached.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Corruption, StorageError};

/// A cache operation failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The bytes are damaged.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// sled failed or panicked.
    #[error("{operation} the cache: {what}")]
    Database {
        /// What was tried, as a verb.
        operation: &'static str,
        /// What sled said.
        what: String,
    },
    /// A key or value above its limit.
    #[error("{what} of {bytes} bytes exceeds {bytes_max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The greatest size allowed.
        bytes_max: usize,
    },
    /// A write failed; the cache takes no further ones.
    #[error("the cache takes no writes: {0}")]
    Stopped(Arc<CacheError>),
    /// The writer thread is gone without a word.
    #[error("the cache's writer is gone")]
    WriterGone,
}

impl CacheError {
    pub(super) fn damaged(directory: &Path, what: &'static str) -> Self {
        Corruption::new(directory, 0, what).into()
    }
}
