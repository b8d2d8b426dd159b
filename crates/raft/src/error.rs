//! What callers of a replica and of a node are told.

use rivermark_raft_log::{LogError, LogFailed, OpenError};
use rivermark_store::{IdentityError, StorageError, StoreError};
use rivermark_types::{NodeId, ShardId};

/// Why a proposal has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Refused before it was appended: certainly not applied. The leader may be this node itself, which
    /// then is worth asking again.
    #[error("not the leader; the leader is {leader:?}")]
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// Too much is waiting already: certainly not applied.
    #[error("too many proposals are waiting")]
    Overloaded,
    /// The node is shutting down: certainly not applied.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// Leadership was lost or the time ran out after the append: it may be applied, now or later.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
}

/// Why a read cannot be served here and now. Reads may always be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Only the leader serves linearizable reads.
    #[error("not the leader; the leader is {leader:?}")]
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// No quorum answered in time, or the machine is too far behind.
    #[error("no quorum confirmed the read in time")]
    Timeout,
    /// The node is shutting down.
    #[error("the node is shutting down")]
    ShuttingDown,
}

/// Why a change of a shard's membership or leadership was not made. All of them may be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Only the leader changes the membership.
    #[error("not the leader; the leader is {leader:?}")]
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// An earlier change is not finished.
    #[error("another membership change is under way")]
    InProgress,
    /// The node is not a learner that has caught up.
    #[error("node {node} is not ready: {reason}")]
    NotReady {
        /// Which.
        node: NodeId,
        /// What is missing.
        reason: &'static str,
    },
    /// It may have been made; look at the status.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
    /// The data folder is another node's, or damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The snapshots cannot be opened.
    #[error(transparent)]
    Snapshots(#[from] StorageError),
    /// A replica cannot be recovered from the log and its snapshot.
    #[error("replica of shard {shard}: {source}")]
    Replica {
        /// Whose.
        shard: ShardId,
        /// What is wrong.
        source: ReplicaError,
    },
}

/// Why a replica cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplicaError {
    /// Its durable bytes are damaged: it must be rebuilt from its peers.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// Storage failed, an entry cannot be decoded, or the engine stopped.
    #[error("{0}")]
    Failed(String),
}

/// Why the node must stop at once: what its disk holds, or what it would apply, is no longer certain.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FatalError {
    /// The log latched: a write or sync failed.
    #[error(transparent)]
    Log(#[from] LogFailed),
    /// A replica stopped for good.
    #[error("replica of shard {shard}: {source}")]
    Replica {
        /// Whose.
        shard: ShardId,
        /// Why.
        source: ReplicaError,
    },
}

impl From<StoreError> for ReplicaError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Corruption(_) => Self::Corrupt(error.to_string()),
            StoreError::Storage(_) | StoreError::TooLarge { .. } => Self::Failed(error.to_string()),
        }
    }
}

impl From<LogError> for ReplicaError {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Corrupt(_) => Self::Corrupt(error.to_string()),
            LogError::Failed(_) | LogError::Append(_) | LogError::Read(_) => Self::Failed(error.to_string()),
        }
    }
}
