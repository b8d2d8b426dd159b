//! The engine's outbound half: one client per shard, peer and use, over the peers' shared channels.
//!
//! Every call ends by its deadline, whatever the peer does: a hung peer must not hold up the engine. A
//! long stream of appends has no deadline of its own; its connection's keepalive ends it.
//!
//! A follower that reports a conflict at an entry it had acknowledged lost its log: the engine must not
//! see that (it would give up), so the peer is treated as unreachable until it is replaced or
//! re-admitted ([`crate::Replica::readmit`]).

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use openraft::base::{BoxFuture, BoxStream, OptionalSend};
use openraft::errors::{
    ErrorSource, NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::impls::BoxedErrorSource;
use openraft::network::{RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2, StorageError, alias};
use parking_lot::Mutex;
use rivermark_store::{Snapshot, StoreError};
use rivermark_types::limits::PEER_MESSAGE_BYTES_MAX;
use rivermark_types::{NodeId, ShardId};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::raft_client::RaftClient;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::codec::encode_snapshot_meta;
use crate::convert;
use crate::snapshot::SnapshotData;
use crate::transport::Peers;
use crate::type_config::{AppendRequest, LogId, RpcError, StreamAppendResult, TypeConfig, Vote};

/// Least time for a stream to open: it may have to connect first.
const STREAM_OPEN_MIN: Duration = Duration::from_millis(500);
/// A peer that takes no chunk of a snapshot, or does not install it, for this long is given up on.
const SNAPSHOT_STALL_MAX: Duration = Duration::from_secs(60);
/// Chunks of a snapshot read ahead of the network.
const SNAPSHOT_CHUNKS_AHEAD: usize = 4;

/// Makes the clients of one shard.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) shard: ShardId,
    pub(crate) node: NodeId,
    pub(crate) peers: Arc<Peers>,
    /// Low half of the cluster's id, once known.
    pub(crate) cluster: Arc<AtomicU64>,
    /// Followers that are taken back although they lost their log.
    pub(crate) readmitted: Arc<Mutex<BTreeSet<NodeId>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Replication,
    Heartbeat,
}

/// A client for one peer's replica of a shard.
pub(crate) struct PeerClient {
    network: Network,
    peer: NodeId,
    usage: Use,
    /// The greatest log id this client saw acknowledged.
    matched: Option<LogId>,
    reversion_reported: bool,
}

impl Network {
    fn client(&self, peer: u64, usage: Use) -> PeerClient {
        PeerClient {
            network: self.clone(),
            peer: NodeId::new(peer),
            usage,
            matched: None,
            reversion_reported: false,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = PeerClient;

    async fn new_client(&mut self, target: u64, _node: &openraft::EmptyNode) -> PeerClient {
        self.client(target, Use::Replication)
    }

    async fn new_heartbeat_client(&mut self, target: u64, _node: &openraft::EmptyNode) -> PeerClient {
        self.client(target, Use::Heartbeat)
    }
}

impl PeerClient {
    fn target(&self) -> wire::Target {
        wire::Target {
            shard: self.network.shard.get(),
            from_node: self.network.node.get(),
            to_node: self.peer.get(),
            cluster: self.network.cluster.load(Ordering::Relaxed),
        }
    }

    fn control(&self) -> Result<RaftClient<Channel>, RpcError> {
        self.over(self.network.peers.control(self.peer))
    }

    fn bulk(&self) -> Result<RaftClient<Channel>, RpcError> {
        self.over(self.network.peers.channel(self.peer))
    }

    fn over(&self, channel: Option<Channel>) -> Result<RaftClient<Channel>, RpcError> {
        let channel = channel.ok_or_else(|| {
            RPCError::Unreachable(Unreachable::from_string(format!("node {} has no address", self.peer)))
        })?;
        Ok(RaftClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX))
    }

    /// Runs a call to its deadline.
    async fn within<T>(
        &self,
        action: RPCTypes,
        deadline: Duration,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, RpcError> {
        match tokio::time::timeout(deadline, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(rpc_error(&status)),
            Err(_) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.network.node.get(),
                target: self.peer.get(),
                timeout: deadline,
            })),
        }
    }

    async fn heartbeat(
        &mut self,
        request: AppendRequest,
        ttl: Duration,
    ) -> Result<StreamAppendResult, RpcError> {
        self.matched = self.matched.max(request.prev_log_id);
        let request = convert::append_to_wire(request, Some(self.target()));
        let mut client = self.control()?;
        let response = self.within(RPCTypes::AppendEntries, ttl, client.heartbeat(request)).await?;
        let result = convert::append_result_from_wire(response).map_err(|status| rpc_error(&status))?;
        self.check_reversion(result)
    }

    /// Passes a result on unless it shows that the peer lost what it had.
    fn check_reversion(&mut self, result: StreamAppendResult) -> Result<StreamAppendResult, RpcError> {
        match &result {
            Ok(matched) => {
                self.matched = self.matched.max(*matched);
                self.reversion_reported = false;
                if self.usage == Use::Replication {
                    self.network.readmitted.lock().remove(&self.peer);
                }
            }
            Err(StreamAppendError::Conflict(id)) if self.matched.is_some_and(|had| id.index <= had.index) => {
                if !self.network.readmitted.lock().contains(&self.peer) {
                    return Err(self.lost_log(*id));
                }
                self.matched = None;
            }
            Err(_) => {}
        }
        Ok(result)
    }

    fn lost_log(&mut self, at: LogId) -> RpcError {
        if !std::mem::replace(&mut self.reversion_reported, true) {
            tracing::error!(shard = %self.network.shard, peer = %self.peer, %at,
                "the peer lost log entries it had acknowledged; replace it by a node with a new id");
        }
        RPCError::Unreachable(Unreachable::from_string(format!("node {} lost its log", self.peer)))
    }

    async fn open_append_stream(
        &mut self,
        requests: impl Stream<Item = wire::AppendRequest> + Send + 'static,
        ttl: Duration,
    ) -> Result<tonic::Streaming<wire::AppendResponse>, RpcError> {
        let mut client = self.bulk()?;
        let deadline = ttl.max(STREAM_OPEN_MIN);
        self.within(RPCTypes::AppendEntries, deadline, client.append(requests)).await
    }
}

/// Hands a snapshot to the connection, as fast as that takes it. Ends early if the call ended.
fn send_parts(
    header: wire::SnapshotHeader,
    snapshot: &Snapshot,
    parts: &mpsc::Sender<wire::SnapshotPart>,
    progress: &AtomicU64,
) -> Result<(), StoreError> {
    use wire::snapshot_part::Part;
    let send = |part| {
        progress.fetch_add(1, Ordering::Relaxed);
        parts.blocking_send(wire::SnapshotPart { part: Some(part) }).is_ok()
    };
    if !send(Part::Header(header)) {
        return Ok(());
    }
    let mut chunk_count = 0;
    for chunk in snapshot.chunks() {
        if !send(Part::Chunk(chunk?)) {
            return Ok(());
        }
        chunk_count += 1;
    }
    send(Part::End(wire::SnapshotEnd { chunk_count }));
    Ok(())
}

/// Ends when there was no progress for too long.
async fn stalled(progress: &AtomicU64) {
    let mut seen = None;
    loop {
        let now = progress.load(Ordering::Relaxed);
        if seen == Some(now) {
            return;
        }
        seen = Some(now);
        tokio::time::sleep(SNAPSHOT_STALL_MAX).await;
    }
}

/// An outage the engine should back off from, or one it may retry at once.
fn rpc_error(status: &Status) -> RpcError {
    match status.code() {
        Code::Cancelled | Code::Aborted | Code::DeadlineExceeded => {
            RPCError::Network(NetworkError::new(status))
        }
        _ => RPCError::Unreachable(Unreachable::new(status)),
    }
}

impl RaftNetworkV2<TypeConfig> for PeerClient {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        self.heartbeat(request, option.soft_ttl()).await.map(Into::into)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendRequest> + OptionalSend + Unpin + 'static,
    {
        let ttl = option.soft_ttl();
        if self.usage == Use::Heartbeat {
            return Box::pin(async move {
                let Some(request) = input.next().await else {
                    return Ok(Box::pin(stream::empty()) as BoxStream<'s, _>);
                };
                let result = self.heartbeat(request, ttl).await;
                Ok(Box::pin(stream::once(std::future::ready(result))) as BoxStream<'s, _>)
            });
        }
        Box::pin(async move {
            // Taken before the stream is opened: the engine waits out its backoff in here, and would try
            // again without pause if opening failed before.
            let Some(first) = input.next().await else {
                return Ok(Box::pin(stream::empty()) as BoxStream<'s, _>);
            };
            let first = convert::append_to_wire(first, Some(self.target()));
            // The engine waits for the input to be dropped before it opens another stream: end it when
            // the responses are dropped, not when the connection gets to know.
            let (ended_with_responses, ended) = oneshot::channel::<std::convert::Infallible>();
            let rest = input.map(|request| convert::append_to_wire(request, None)).take_until(ended);
            let requests = stream::once(std::future::ready(first)).chain(rest);
            let responses = self.open_append_stream(requests, ttl).await?;
            let state = (responses, self, ended_with_responses);
            let results = stream::unfold(Some(state), |state| async move {
                let (mut responses, client, ended) = state?;
                let result = match responses.message().await {
                    Ok(None) => return None,
                    Ok(Some(response)) => convert::append_result_from_wire(response)
                        .map_err(|status| rpc_error(&status))
                        .and_then(|result| client.check_reversion(result)),
                    Err(status) => Err(rpc_error(&status)),
                };
                let goes_on = matches!(result, Ok(Ok(_)));
                Some((result, goes_on.then_some((responses, client, ended))))
            });
            Ok(Box::pin(results) as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let request = convert::vote_request_to_wire(request, self.target());
        let mut client = self.control()?;
        let response = self.within(RPCTypes::Vote, option.soft_ttl(), client.vote(request)).await?;
        convert::vote_response_from_wire(response).map_err(|status| rpc_error(&status))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let request = convert::vote_request_to_wire(request, self.target());
        let mut client = self.control()?;
        let response = self.within(RPCTypes::Vote, option.soft_ttl(), client.pre_vote(request)).await?;
        convert::vote_response_from_wire(response).map_err(|status| rpc_error(&status))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: alias::SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let SnapshotData::Stored(data) = snapshot.snapshot else {
            unreachable!("only finished snapshots are sent")
        };
        let header = wire::SnapshotHeader {
            target: Some(self.target()),
            vote: Some(convert::vote_to_wire(&vote)),
            meta: encode_snapshot_meta(&snapshot.meta),
        };
        let (parts, received) = mpsc::channel(SNAPSHOT_CHUNKS_AHEAD);
        let progress = Arc::new(AtomicU64::new(0));
        let mut client = self.bulk()?;
        tracing::info!(shard = %self.network.shard, peer = %self.peer, bytes = data.bytes(), "sending snapshot");
        let read_progress = Arc::clone(&progress);
        let reading = tokio::task::spawn_blocking(move || send_parts(header, &data, &parts, &read_progress));
        let sending = client.install_snapshot(tokio_stream::wrappers::ReceiverStream::new(received));
        let stalled = stalled(&progress);
        tokio::pin!(cancel, stalled);
        let response = tokio::select! {
            response = sending => response,
            closed = &mut cancel => return Err(closed.into()),
            () = &mut stalled => return Err(StreamingError::Timeout(Timeout {
                action: RPCTypes::InstallSnapshot,
                id: self.network.node.get(),
                target: self.peer.get(),
                timeout: SNAPSHOT_STALL_MAX,
            })),
        };
        // A snapshot that cannot be read here must not be mistaken for an outage of the peer.
        if let Ok(Err(error)) = reading.await {
            let error = StorageError::read_snapshot(None, BoxedErrorSource::from_error(&error));
            return Err(StreamingError::StorageError(error));
        }
        let response = response.map_err(|status| StreamingError::from(rpc_error(&status)))?.into_inner();
        let vote = convert::vote_from_wire(response.vote)
            .map_err(|status| StreamingError::from(rpc_error(&status)))?;
        Ok(SnapshotResponse::new(vote))
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let request = wire::TransferLeaderRequest {
            target: Some(self.target()),
            from_leader: Some(convert::vote_to_wire(request.from_leader())),
            last: request.last_log_id().copied().map(convert::log_id_to_wire),
            successor: *request.to_node_id(),
        };
        let mut client = self.control()?;
        let call = client.transfer_leader(request);
        let response = self.within(RPCTypes::TransferLeader, option.soft_ttl(), call).await?;
        convert::transfer_response_from_wire(response).map_err(|status| rpc_error(&status))
    }
}
