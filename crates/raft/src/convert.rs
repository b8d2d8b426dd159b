//! Between the engine's messages and those on the wire. What a peer left out or made up is refused.

use openraft::EntryPayload;
use openraft::raft::{StreamAppendError, TransferLeaderError, VoteRequest, VoteResponse};
use rivermark_wire::raft as wire;
use tonic::Status;

use crate::codec::{decode_membership, encode_membership};
use crate::type_config::{
    AppendRequest, Entry, LeaderId, LogId, Payload, StreamAppendResult, TypeConfig, Vote,
};

type TransferLeaderResponse = openraft::raft::TransferLeaderResponse<TypeConfig>;

/// What calls between nodes carry of the cluster's id.
pub(crate) fn low_half(cluster_id: u128) -> u64 {
    cluster_id as u64
}

pub(crate) fn log_id_to_wire(id: LogId) -> wire::LogId {
    wire::LogId { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
}

pub(crate) fn log_id_from_wire(id: wire::LogId) -> LogId {
    LogId { leader_id: LeaderId { term: id.term, node_id: id.node }, index: id.index }
}

pub(crate) fn vote_to_wire(vote: &Vote) -> wire::Vote {
    wire::Vote { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
}

pub(crate) fn vote_from_wire(vote: Option<wire::Vote>) -> Result<Vote, Status> {
    let vote = vote.ok_or_else(|| Status::invalid_argument("a vote is missing"))?;
    let leader_id = LeaderId { term: vote.term, node_id: vote.node };
    Ok(Vote { leader_id, committed: vote.committed })
}

pub(crate) fn append_to_wire(request: AppendRequest, target: Option<wire::Target>) -> wire::AppendRequest {
    wire::AppendRequest {
        target,
        vote: Some(vote_to_wire(&request.vote)),
        previous: request.prev_log_id.map(log_id_to_wire),
        committed: request.leader_commit.map(log_id_to_wire),
        entries: request.entries.into_iter().map(entry_to_wire).collect(),
    }
}

pub(crate) fn append_from_wire(request: wire::AppendRequest) -> Result<AppendRequest, Status> {
    Ok(AppendRequest {
        vote: vote_from_wire(request.vote)?,
        prev_log_id: request.previous.map(log_id_from_wire),
        leader_commit: request.committed.map(log_id_from_wire),
        entries: request.entries.into_iter().map(entry_from_wire).collect::<Result<_, _>>()?,
    })
}

fn entry_to_wire(entry: Entry) -> wire::Entry {
    let (kind, payload) = match entry.payload {
        EntryPayload::Blank => (wire::EntryKind::Blank, bytes::Bytes::new()),
        EntryPayload::Normal(payload) => (wire::EntryKind::Normal, payload.0),
        EntryPayload::Membership(membership) => (wire::EntryKind::Membership, encode_membership(&membership)),
    };
    wire::Entry { id: Some(log_id_to_wire(entry.log_id)), kind: kind.into(), payload }
}

fn entry_from_wire(entry: wire::Entry) -> Result<Entry, Status> {
    let kind = entry.kind();
    let id = entry.id.ok_or_else(|| Status::invalid_argument("an entry without id"))?;
    let payload = match kind {
        wire::EntryKind::Blank => EntryPayload::Blank,
        wire::EntryKind::Normal => EntryPayload::Normal(Payload(entry.payload)),
        wire::EntryKind::Membership => {
            let membership = decode_membership(entry.payload);
            EntryPayload::Membership(membership.map_err(|e| Status::invalid_argument(e.to_string()))?)
        }
        wire::EntryKind::Unspecified => return Err(Status::invalid_argument("an entry of unknown kind")),
    };
    Ok(Entry { log_id: log_id_from_wire(id), payload })
}

pub(crate) fn append_result_to_wire(result: StreamAppendResult) -> wire::AppendResponse {
    use wire::append_response::Result as R;
    let result = match result {
        Ok(last) => R::Matched(wire::Matched { last: last.map(log_id_to_wire) }),
        Err(StreamAppendError::Conflict(id)) => R::Conflict(log_id_to_wire(id)),
        Err(StreamAppendError::HigherVote(vote)) => R::HigherVote(vote_to_wire(&vote)),
    };
    wire::AppendResponse { result: Some(result) }
}

pub(crate) fn append_result_from_wire(response: wire::AppendResponse) -> Result<StreamAppendResult, Status> {
    use wire::append_response::Result as R;
    match response.result {
        Some(R::Matched(matched)) => Ok(Ok(matched.last.map(log_id_from_wire))),
        Some(R::Conflict(id)) => Ok(Err(StreamAppendError::Conflict(log_id_from_wire(id)))),
        Some(R::HigherVote(vote)) => Ok(Err(StreamAppendError::HigherVote(vote_from_wire(Some(vote))?))),
        None => Err(Status::invalid_argument("an append response without result")),
    }
}

pub(crate) fn vote_request_to_wire(
    request: VoteRequest<TypeConfig>,
    target: wire::Target,
) -> wire::VoteRequest {
    wire::VoteRequest {
        target: Some(target),
        vote: Some(vote_to_wire(&request.vote)),
        last: request.last_log_id.map(log_id_to_wire),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_wire(request: wire::VoteRequest) -> Result<VoteRequest<TypeConfig>, Status> {
    Ok(VoteRequest {
        vote: vote_from_wire(request.vote)?,
        last_log_id: request.last.map(log_id_from_wire),
        leadership_transfer: request.leadership_transfer,
    })
}

pub(crate) fn vote_response_to_wire(response: VoteResponse<TypeConfig>) -> wire::VoteResponse {
    wire::VoteResponse {
        vote: Some(vote_to_wire(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.map(log_id_to_wire),
    }
}

pub(crate) fn vote_response_from_wire(
    response: wire::VoteResponse,
) -> Result<VoteResponse<TypeConfig>, Status> {
    let vote = vote_from_wire(response.vote)?;
    Ok(VoteResponse::new(vote, response.last.map(log_id_from_wire), response.granted))
}

pub(crate) fn transfer_response_to_wire(response: TransferLeaderResponse) -> wire::TransferLeaderResponse {
    use wire::transfer_leader_response::{Accepted, LogNotFlushed, Result as R, VoteChanged};
    let result = match response {
        Ok(()) => R::Accepted(Accepted {}),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => R::VoteChanged(VoteChanged {
            expected: Some(vote_to_wire(&expected)),
            actual: Some(vote_to_wire(&actual)),
        }),
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => R::LogNotFlushed(LogNotFlushed {
            expected: expected.map(log_id_to_wire),
            actual: actual.map(log_id_to_wire),
        }),
    };
    wire::TransferLeaderResponse { result: Some(result) }
}

pub(crate) fn transfer_response_from_wire(
    response: wire::TransferLeaderResponse,
) -> Result<TransferLeaderResponse, Status> {
    use wire::transfer_leader_response::Result as R;
    Ok(match response.result {
        Some(R::Accepted(_)) => Ok(()),
        Some(R::VoteChanged(changed)) => Err(TransferLeaderError::VoteChanged {
            expected: vote_from_wire(changed.expected)?,
            actual: vote_from_wire(changed.actual)?,
        }),
        Some(R::LogNotFlushed(logs)) => Err(TransferLeaderError::LogNotFlushed {
            expected: logs.expected.map(log_id_from_wire),
            actual: logs.actual.map(log_id_from_wire),
        }),
        None => return Err(Status::invalid_argument("a transfer response without result")),
    })
}
