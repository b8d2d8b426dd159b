//! What a command came to. A refusal is replicated like any outcome: all replicas refuse alike.

use rivermark_types::limits::{NODES_MAX, SHARD_REPLICAS_MAX, SHARDS_MAX, USER_BYTES_MAX, USERS_BYTES_MAX};
use rivermark_types::{NodeId, ShardId};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The topology changed; this is its epoch now.
    Changed {
        /// The new epoch.
        epoch: u64,
    },
    /// Everything was as wanted already.
    Unchanged {
        /// The present epoch.
        epoch: u64,
    },
    /// Nothing changed, and the caller's wish is not fulfilled.
    Rejected(Rejection),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Anything but Bootstrap before Bootstrap.
    #[error("the cluster is not bootstrapped")]
    NotBootstrapped,
    /// Another Bootstrap was first.
    #[error("the cluster is already bootstrapped, with id {cluster_id:032x}")]
    AlreadyBootstrapped {
        /// The cluster's id.
        cluster_id: u128,
    },
    /// Bootstrap without nodes or with more than allowed, or a node too many.
    #[error("a cluster has 1 to {NODES_MAX} nodes")]
    NodeCount,
    /// Bootstrap with no stream shards or more than allowed.
    #[error("a cluster has 1 to {SHARDS_MAX} shards")]
    ShardCount,
    /// No replicas, or more than allowed, or more than there are nodes.
    #[error("a shard has 1 to {SHARD_REPLICAS_MAX} replicas, each on a node of its own")]
    ReplicaCount,
    /// Node ids start at 1.
    #[error("0 is no node id")]
    NodeIdZero,
    /// An address that is not `host:port`.
    #[error("node {node} has an address that is not host:port")]
    BadAddress {
        /// Whose.
        node: NodeId,
    },
    /// Bootstrap with a node twice, or AddNode of a known id with other particulars.
    #[error("node {node} exists already")]
    NodeExists {
        /// Which.
        node: NodeId,
    },
    /// The id belonged to a node that was removed.
    #[error("node {node} was removed and its id is never reused")]
    NodeRemoved {
        /// Which.
        node: NodeId,
    },
    /// No such node.
    #[error("node {node} is unknown")]
    NodeUnknown {
        /// Which.
        node: NodeId,
    },
    /// A node with replicas cannot be removed.
    #[error("node {node} holds a replica of shard {shard}")]
    NodeHoldsReplica {
        /// Which.
        node: NodeId,
        /// The first shard it holds.
        shard: ShardId,
    },
    /// A draining node gets no new replica.
    #[error("node {node} is draining")]
    NodeDraining {
        /// Which.
        node: NodeId,
    },
    /// No such shard.
    #[error("shard {shard} is unknown")]
    ShardUnknown {
        /// Which.
        shard: ShardId,
    },
    /// A node twice among a shard's replicas.
    #[error("node {node} is listed twice")]
    DuplicateReplica {
        /// Which.
        node: NodeId,
    },
    /// The metadata shard owns no slots.
    #[error("the metadata shard owns no slots")]
    MetadataOwnsNoSlots,
    /// Slots to move, but none given.
    #[error("no slots given")]
    NoSlots,
    /// A value out of its setting's bounds.
    #[error("setting {name} does not allow {value}")]
    SettingOutOfBounds {
        /// Which.
        name: String,
        /// The value proposed.
        value: u64,
    },
    /// Somebody else changed the user since its definition was read.
    #[error("the user was changed meanwhile")]
    UserChanged,
    /// A definition that is too long.
    #[error("a user's definition takes at most {USER_BYTES_MAX} bytes")]
    UserTooLarge,
    /// All definitions together are too long.
    #[error("the definitions of all users take at most {USERS_BYTES_MAX} bytes")]
    UsersTooLarge,
    /// `default` cannot be removed.
    #[error("the default user cannot be removed")]
    DefaultUserStays,
}

impl Outcome {
    /// The epoch to wait for until the change is visible, or the refusal.
    ///
    /// # Errors
    /// The refusal.
    pub fn into_result(self) -> Result<u64, Rejection> {
        match self {
            Self::Changed { epoch } | Self::Unchanged { epoch } => Ok(epoch),
            Self::Rejected(rejection) => Err(rejection),
        }
    }
}
