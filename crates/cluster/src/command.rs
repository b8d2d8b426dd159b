//! What changes the cluster's metadata.
//!
//! Every command may be proposed twice (a retry after an unknown outcome) to the same end: the second
//! finds things as wanted and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rivermark_types::{NodeId, ShardId};

use crate::settings::{Setting, SettingError};
use crate::slots::SlotRanges;
use crate::topology::{Node, NodeState};
use crate::users::User;

/// One replicated change, with its parsed arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes the cluster. The first one wins: later ones are refused, or change nothing if their id is
    /// the cluster's.
    Bootstrap(Bootstrap),
    /// A new node joins. It holds nothing until [`Command::SetReplicas`] says so.
    AddNode(Node),
    /// A known node is reached differently.
    UpdateNode(UpdateNode),
    /// A node takes work, or stops taking it.
    SetNodeState {
        /// Which.
        node: NodeId,
        /// Its new state.
        state: NodeState,
    },
    /// A node leaves for good; its id is never used again. Refused while it holds replicas.
    RemoveNode(NodeId),
    /// Where a shard's replicas should be, preferred leader first.
    SetReplicas {
        /// Which; the metadata shard too.
        shard: ShardId,
        /// Distinct known nodes, at least one.
        replicas: Vec<NodeId>,
    },
    /// These slots belong to a stream shard from now on. Their data must be there already: this changes
    /// where requests go and nothing else.
    SetSlots {
        /// The new owner.
        shard: ShardId,
        /// At least one.
        slots: SlotRanges,
    },
    /// Sets all of these, or none.
    SetSettings(BTreeMap<Setting, u64>),
    /// Defines a user, or defines one anew.
    SetUser(SetUser),
    /// These users are no more; names of none are passed over. `default` cannot be removed.
    RemoveUsers(BTreeSet<Bytes>),
}

/// Arguments of [`Command::Bootstrap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// Chosen at random by the proposer.
    pub cluster_id: u128,
    /// The initial nodes.
    pub nodes: Vec<Node>,
    /// How many shards hold streams.
    pub shards: u32,
    /// Replicas of each shard, the metadata shard included; no more than nodes.
    pub replication: u32,
}

/// Arguments of [`Command::UpdateNode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateNode {
    /// Which.
    pub node: NodeId,
    /// As [`Node::rpc_address`].
    pub rpc_address: String,
    /// As [`Node::resp_address`].
    pub resp_address: String,
    /// As [`Node::resp_tls_address`].
    pub resp_tls_address: String,
    /// As [`Node::http_address`].
    pub http_address: String,
}

/// Arguments of [`Command::SetUser`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUser {
    /// Whom.
    pub name: Bytes,
    /// The revision this definition was made from; zero if there was no such user. Refused if it is not the
    /// present one, unless the user is as wanted already.
    pub replaces: u64,
    /// The whole definition.
    pub user: User,
}

impl Command {
    /// The command that sets one setting from text, as CONFIG SET is given it.
    ///
    /// # Errors
    /// No such setting, or no such value.
    pub fn set_setting(name: &str, text: &str) -> Result<Self, SettingError> {
        Self::set_settings([(name, text)])
    }

    /// The command that sets several settings at once. The last value of a repeated name counts.
    ///
    /// # Errors
    /// The first name or value that is none.
    pub fn set_settings<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SettingError> {
        let parsed = pairs.into_iter().map(|(name, text)| {
            let setting = Setting::from_name(name)?;
            Ok((setting, setting.parse(text)?))
        });
        parsed.collect::<Result<_, _>>().map(Self::SetSettings)
    }
}
