//! What can go wrong, by who must react: a failed disk stops the node, corruption stops one shard.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rivermark_types::{LogIndex, ShardId};

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("raft log: cannot {operation} {}: {source}", path.display())]
pub struct StorageError {
    /// What was attempted.
    pub operation: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl StorageError {
    pub(crate) fn at(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { operation, path, source }
    }
}

/// The log stopped: a write or sync failed and nothing is known about the bytes it covered. The node
/// must stop and recover from what the disk holds.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogFailed {
    /// A write or sync failed.
    #[error("raft log stopped: {0}")]
    Storage(Arc<StorageError>),
    /// The log was closed.
    #[error("raft log is closed")]
    Closed,
}

/// Durable bytes of a shard are damaged or missing: they are never served, the replica must be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("raft log of shard {} is corrupt in segment {segment} at {offset}: {reason}",
    shard.map_or("unknown".into(), |shard| shard.to_string()))]
pub struct Corruption {
    /// Whose bytes; `None` if they cannot be attributed.
    pub shard: Option<ShardId>,
    /// Id of the segment where the damage was noticed.
    pub segment: u64,
    /// Offset in that segment.
    pub offset: u64,
    /// What is wrong.
    pub reason: &'static str,
}

/// Why an append was refused, nothing having been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The entry would leave a hole or overwrite another.
    #[error("log entry {index} does not follow the log, which expects {expected}")]
    NotConsecutive {
        /// The entry's index.
        index: LogIndex,
        /// The index that comes next.
        expected: LogIndex,
    },
    /// The entry does not fit a segment.
    #[error("log entry of {bytes} bytes exceeds the greatest size, {max}")]
    TooLarge {
        /// Size of the entry's payload.
        bytes: usize,
        /// The greatest size.
        max: usize,
    },
}

/// What a call on a shard's log may answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The whole log stopped.
    #[error(transparent)]
    Failed(#[from] LogFailed),
    /// This shard's log is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The append was refused.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A read failed; the bytes may be sound.
    #[error(transparent)]
    Read(Arc<StorageError>),
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file operation failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A segment was written by a newer version.
    #[error("raft log segment {} has format version {version}, this build reads up to {supported}", path.display())]
    UnsupportedVersion {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The greatest version this build reads.
        supported: u32,
    },
    /// The options contradict each other.
    #[error("raft log options: {0}")]
    Options(&'static str),
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        let kind = match &error {
            LogError::Corrupt(_) => io::ErrorKind::InvalidData,
            LogError::Append(_) => io::ErrorKind::InvalidInput,
            LogError::Failed(_) | LogError::Read(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<LogFailed> for io::Error {
    fn from(error: LogFailed) -> Self {
        LogError::from(error).into()
    }
}
