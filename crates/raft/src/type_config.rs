//! Every generic of the consensus engine in one place. Nothing of the engine leaves this crate.

use std::fmt;

use bytes::Bytes;
use openraft::base::OptionalSend;
use openraft::impls::leader_id_adv;
use openraft::impls::{BoxedErrorSource, EmptyNode, EntryPayload, InlineBatch};
use openraft::raft::responder::Responder;
use openraft::vote::RaftLeaderId;
use openraft::{RaftTypeConfig, TokioRuntime, alias};
use rivermark_stream::PartOutcome;

/// The engine's types. Nodes carry no address: addresses come from the topology.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeConfig;

impl RaftTypeConfig for TypeConfig {
    type D = Payload;
    type R = Applied;
    type NodeId = u64;
    type Node = EmptyNode;
    type Term = u64;
    type LeaderId = leader_id_adv::LeaderId<u64, u64>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Payload, u64, EmptyNode>;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = TokioRuntime;
    type Responder<T>
        = Completion<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

pub(crate) type LeaderId = alias::LeaderIdOf<TypeConfig>;
pub(crate) type LogId = alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = alias::VoteOf<TypeConfig>;
pub(crate) type Entry = alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, EmptyNode>;
pub(crate) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type AppendRequest = openraft::raft::AppendEntriesRequest<TypeConfig>;
pub(crate) type StreamAppendResult = openraft::raft::StreamAppendResult<TypeConfig>;
pub(crate) type ClientWriteResult = openraft::raft::ClientWriteResult<TypeConfig>;
pub(crate) type RpcError = openraft::errors::RPCError<TypeConfig>;
pub(crate) type Raft = openraft::Raft<TypeConfig, crate::apply::StateMachine>;

/// What a log entry carries: a batch or a metadata command, encoded. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Bytes);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What applying a log entry came to.
#[derive(Debug)]
pub(crate) enum Applied {
    /// The engine's own entries.
    Nothing,
    /// Of a batch, one a part.
    Parts(Vec<PartOutcome>),
    /// Of a metadata command.
    Metadata(rivermark_cluster::Outcome),
}

/// Called with the result on the task that has it: no waiting task is woken in between.
pub(crate) struct Completion<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Completion<T> {
    pub(crate) fn new(call: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(call))
    }
}

impl<T: OptionalSend + 'static> Responder<TypeConfig, T> for Completion<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}
