//! The inbound half of Raft: calls from peers, handed to the shard they are for.
//!
//! A call that is meant for another node, another cluster, or a shard this node does not host is refused
//! before it reaches a replica: a vote or an entry that got lost must not count anywhere.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use openraft::raft::TransferLeaderRequest;
use rivermark_cluster::Command;
use rivermark_store::SnapshotWriter;
use rivermark_types::limits::PEER_MESSAGE_BYTES_MAX;
use rivermark_types::{LogIndex, NodeId, ShardId};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::raft_server::{Raft as RaftCalls, RaftServer};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use crate::codec::decode_snapshot_meta;
use crate::convert;
use crate::error::ProposeError;
use crate::replica::Replica;
use crate::shared::Shared;
use crate::snapshot::SnapshotData;
use crate::type_config::{SnapshotMeta, TypeConfig};

type Reply<T> = Result<Response<T>, Status>;
type BoxedStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type EngineSnapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotData>;

/// Chunks of a received snapshot that wait for the disk.
const SNAPSHOT_CHUNKS_WAITING: usize = 4;

/// Serves peers.
pub(crate) struct Service(pub(crate) Arc<Shared>);

impl Service {
    pub(crate) fn routes(shared: Arc<Shared>) -> tonic::service::Routes {
        let server = RaftServer::new(Self(shared))
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        tonic::service::Routes::new(server)
    }

    fn check(&self, target: Option<wire::Target>) -> Result<ShardId, Status> {
        let target = target.ok_or_else(|| Status::invalid_argument("the target is missing"))?;
        let this = self.0.node_id;
        if target.to_node != this.get() {
            let what = format!("this is node {this}, not node {}", target.to_node);
            return Err(Status::failed_precondition(what));
        }
        let own = self.0.cluster.load(std::sync::atomic::Ordering::Relaxed);
        if own != 0 && target.cluster != 0 && target.cluster != own {
            return Err(Status::failed_precondition("this node belongs to another cluster"));
        }
        Ok(ShardId::new(target.shard))
    }

    fn replica(&self, target: Option<wire::Target>) -> Result<Arc<Replica>, Status> {
        let shard = self.check(target)?;
        let not_hosted = || Status::not_found(format!("node {} does not host shard {shard}", self.0.node_id));
        self.0.any_replica(shard).ok_or_else(not_hosted)
    }
}

fn engine_gone(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

#[tonic::async_trait]
impl RaftCalls for Service {
    type AppendStream = BoxedStream<wire::AppendResponse>;
    type WatchTopologyStream = BoxedStream<wire::TopologyUpdate>;

    async fn append(&self, request: Request<Streaming<wire::AppendRequest>>) -> Reply<Self::AppendStream> {
        let mut requests = request.into_inner();
        let Some(first) = requests.message().await? else {
            return Ok(Response::new(Box::pin(stream::empty())));
        };
        let replica = self.replica(first.target)?;
        // An input that breaks off ends: what arrived before is answered.
        let requests = stream::once(std::future::ready(Ok(first)))
            .chain(requests)
            .map(|request| request.and_then(convert::append_from_wire))
            .take_while(|request| {
                if let Err(status) = request {
                    tracing::debug!(%status, "an append stream ended");
                }
                std::future::ready(request.is_ok())
            })
            .filter_map(|request| std::future::ready(request.ok()));
        let results = replica.raft.stream_append(requests);
        let responses = results.map(|result| match result {
            Ok(result) => Ok(convert::append_result_to_wire(result)),
            Err(fatal) => Err(engine_gone(fatal)),
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn heartbeat(&self, request: Request<wire::AppendRequest>) -> Reply<wire::AppendResponse> {
        let request = request.into_inner();
        let replica = self.replica(request.target)?;
        let request = convert::append_from_wire(request)?;
        let previous = request.prev_log_id;
        let last = request.entries.last().map(|entry| entry.log_id).or(previous);
        let response = replica.raft.append_entries(request).await.map_err(engine_gone)?;
        if response.is_conflict() && previous.is_none() {
            return Err(Status::internal("a conflict before the first entry"));
        }
        let result = response.into_stream_result(previous, last);
        Ok(Response::new(convert::append_result_to_wire(result)))
    }

    async fn vote(&self, request: Request<wire::VoteRequest>) -> Reply<wire::VoteResponse> {
        let request = request.into_inner();
        let replica = self.replica(request.target)?;
        let request = convert::vote_request_from_wire(request)?;
        let response = replica.raft.vote(request).await.map_err(engine_gone)?;
        Ok(Response::new(convert::vote_response_to_wire(response)))
    }

    async fn pre_vote(&self, request: Request<wire::VoteRequest>) -> Reply<wire::VoteResponse> {
        let request = request.into_inner();
        let replica = self.replica(request.target)?;
        let request = convert::vote_request_from_wire(request)?;
        let response = replica.raft.pre_vote(request).await.map_err(engine_gone)?;
        Ok(Response::new(convert::vote_response_to_wire(response)))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire::SnapshotPart>>,
    ) -> Reply<wire::SnapshotResponse> {
        let mut parts = request.into_inner();
        let Some(wire::snapshot_part::Part::Header(header)) = next_part(&mut parts).await? else {
            return Err(Status::invalid_argument("a snapshot without header"));
        };
        let replica = self.replica(header.target)?;
        let vote = convert::vote_from_wire(header.vote)?;
        let meta = decode_snapshot_meta(header.meta.clone());
        let meta = meta.map_err(|error| Status::invalid_argument(error.to_string()))?;
        tracing::info!(shard = %replica.shard(), last = ?meta.last_log_id, "receiving snapshot");
        let writer = self.receive(replica.shard(), &meta, header.meta, parts).await?;
        let snapshot = EngineSnapshot { meta, snapshot: SnapshotData::Received(Box::new(writer)) };
        let response = replica.raft.install_full_snapshot(vote, snapshot).await.map_err(engine_gone)?;
        Ok(Response::new(wire::SnapshotResponse { vote: Some(convert::vote_to_wire(&response.vote)) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire::TransferLeaderRequest>,
    ) -> Reply<wire::TransferLeaderResponse> {
        let request = request.into_inner();
        let replica = self.replica(request.target)?;
        let from = convert::vote_from_wire(request.from_leader)?;
        let last = request.last.map(convert::log_id_from_wire);
        if request.successor != self.0.node_id.get() {
            // The engine would drop this node's lease, and its own election timeout, expired at once, would
            // race the successor's candidacy and win whenever this node's id is greater. The successor
            // needs no lease dropped: its vote request says that it is a transfer.
            return Ok(Response::new(convert::transfer_response_to_wire(Ok(()))));
        }
        let request = TransferLeaderRequest::new(from, request.successor, last);
        let response = replica.raft.handle_transfer_leader(request).await.map_err(engine_gone)?;
        Ok(Response::new(convert::transfer_response_to_wire(response)))
    }

    async fn propose_metadata(
        &self,
        request: Request<wire::ProposeMetadataRequest>,
    ) -> Reply<wire::ProposeMetadataResponse> {
        use wire::propose_metadata_response::{NotLeader, OutcomeUnknown, Overloaded, Result as R};
        let request = request.into_inner();
        self.check(request.target)?;
        let command = Command::decode(&request.command);
        let command = command.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let result = match self.0.propose_metadata_here(&command).await {
            Ok(outcome) => R::Outcome(outcome.encode()),
            Err(ProposeError::NotLeader { leader }) => {
                R::NotLeader(NotLeader { leader: leader.map_or(0, NodeId::get) })
            }
            Err(ProposeError::OutcomeUnknown) => R::OutcomeUnknown(OutcomeUnknown {}),
            Err(ProposeError::Overloaded) => R::Overloaded(Overloaded {}),
            Err(ProposeError::ShuttingDown) => return Err(Status::unavailable("the node is shutting down")),
        };
        Ok(Response::new(wire::ProposeMetadataResponse { result: Some(result) }))
    }

    async fn checkpoint(&self, request: Request<wire::CheckpointRequest>) -> Reply<wire::CheckpointResponse> {
        let request = request.into_inner();
        let replica = self.replica(request.target)?;
        let step = request.step.ok_or_else(|| Status::invalid_argument("the step is missing"))?;
        let result = match replica.checkpoint(step).await {
            Ok(result) => result,
            Err(reason) => wire::checkpoint_response::Result::Refused(reason),
        };
        Ok(Response::new(wire::CheckpointResponse { result: Some(result) }))
    }

    async fn watch_topology(
        &self,
        _request: Request<wire::WatchTopologyRequest>,
    ) -> Reply<Self::WatchTopologyStream> {
        let updates = self.0.topology_updates().map(Ok);
        Ok(Response::new(Box::pin(updates)))
    }
}

async fn next_part(
    parts: &mut Streaming<wire::SnapshotPart>,
) -> Result<Option<wire::snapshot_part::Part>, Status> {
    Ok(parts.message().await?.and_then(|part| part.part))
}

impl Service {
    /// Writes a snapshot's chunks as they arrive; complete once this returns, but without a name.
    async fn receive(
        &self,
        shard: ShardId,
        meta: &SnapshotMeta,
        encoded_meta: bytes::Bytes,
        mut parts: Streaming<wire::SnapshotPart>,
    ) -> Result<SnapshotWriter, Status> {
        use wire::snapshot_part::Part;
        let covered = LogIndex::new(meta.last_log_id.map_or(0, |id| id.index));
        let snapshots = self.0.snapshots.clone();
        let (chunks, mut arriving) = mpsc::channel::<bytes::Bytes>(SNAPSHOT_CHUNKS_WAITING);
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = snapshots.writer(shard, covered, &encoded_meta)?;
            while let Some(chunk) = arriving.blocking_recv() {
                writer.push_chunk(&chunk)?;
            }
            Ok::<_, rivermark_store::StoreError>(writer)
        });
        let mut chunk_count = 0;
        let announced = loop {
            match next_part(&mut parts).await? {
                Some(Part::Chunk(chunk)) => {
                    chunk_count += 1;
                    if chunks.send(chunk).await.is_err() {
                        break None;
                    }
                }
                Some(Part::End(end)) => break Some(end.chunk_count),
                Some(Part::Header(_)) | None => {
                    return Err(Status::invalid_argument("a snapshot broke off"));
                }
            }
        };
        drop(chunks);
        let writer = writing
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(error.to_string()))?;
        if announced != Some(chunk_count) {
            return Err(Status::data_loss("chunks of a snapshot are missing"));
        }
        Ok(writer)
    }
}
