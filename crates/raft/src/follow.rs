//! Following the other nodes: one stream from each tells the topology it knows and who leads its shards.
//! Every node follows every other: that is how routers and nodes without the metadata shard learn the
//! topology, how anyone finds leaders of shards it does not host, and how a node knows who is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rivermark_cluster::Topology;
use rivermark_types::{NodeId, ShardId, Term};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::raft_client::RaftClient;
use tokio::task::JoinHandle;

use crate::leaders::KnownLeader;
use crate::shared::Shared;

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// One task a peer.
#[derive(Default)]
pub(crate) struct Followed(BTreeMap<NodeId, JoinHandle<()>>);

impl Followed {
    /// Follows exactly the known peers.
    pub(crate) fn update(&mut self, shared: &Arc<Shared>) {
        let peers: Vec<NodeId> =
            shared.peers.nodes().into_iter().filter(|node| *node != shared.node_id).collect();
        self.0.retain(|node, task| {
            let stays = peers.contains(node);
            if !stays {
                task.abort();
                shared.set_up(*node, false);
            }
            stays
        });
        for peer in peers {
            self.0.entry(peer).or_insert_with(|| tokio::spawn(follow(Arc::clone(shared), peer)));
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.0.values().for_each(JoinHandle::abort);
    }
}

async fn follow(shared: Arc<Shared>, peer: NodeId) {
    let mut retry = RETRY_MIN;
    loop {
        match listen(&shared, peer).await {
            Ok(()) => retry = RETRY_MIN,
            Err(status) => tracing::debug!(%peer, %status, "not following"),
        }
        if shared.set_up(peer, false) {
            tracing::info!(%peer, "lost sight of the node");
            retry = RETRY_MIN;
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(RETRY_MAX);
    }
}

async fn listen(shared: &Arc<Shared>, peer: NodeId) -> Result<(), tonic::Status> {
    let Some(channel) = shared.peers.control(peer) else { return Ok(()) };
    let request = wire::WatchTopologyRequest { from_node: shared.node_id.get() };
    let mut client =
        RaftClient::new(channel).max_decoding_message_size(rivermark_types::limits::PEER_MESSAGE_BYTES_MAX);
    let mut updates = client.watch_topology(request).await?.into_inner();
    while let Some(update) = updates.message().await? {
        let told = take_topology(shared, peer, &update.topology);
        // What the peer knows is noted before it counts as up: nobody must wait for what it knew before it restarted.
        shared.heard_epoch(peer, told);
        if shared.set_up(peer, true) {
            tracing::info!(%peer, "following the node");
        }
        let leaders = update.leaders.into_iter().map(|known| {
            let leader = NodeId::new(known.leader);
            let members = known.members.into_iter().map(NodeId::new).collect();
            (ShardId::new(known.shard), KnownLeader { term: Term::new(known.term), leader, members })
        });
        shared.leaders.heard(leaders);
    }
    Ok(())
}

/// Takes over what a peer tells of the topology; the epoch told, zero if none was.
fn take_topology(shared: &Shared, peer: NodeId, encoded: &[u8]) -> u64 {
    if encoded.is_empty() {
        return 0;
    }
    match Topology::decode(encoded) {
        Ok(topology) => {
            let epoch = topology.epoch();
            shared.publish_topology(Arc::new(topology));
            epoch
        }
        Err(error) => {
            tracing::warn!(%peer, %error, "topology not understood");
            0
        }
    }
}

impl Shared {
    /// What this node tells those that follow it: everything at first, then what changes.
    pub(crate) fn topology_updates(&self) -> impl Stream<Item = wire::TopologyUpdate> + Send + use<> {
        let mut topology = self.topology.subscribe();
        let mut leaders = self.leaders.first_hand();
        topology.mark_changed();
        leaders.mark_changed();
        let stopping = self.stopping.subscribe();
        let state = (topology, leaders, stopping);
        stream::unfold(state, |(mut topology, mut leaders, mut stopping)| async move {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return None,
                changed = topology.changed() => changed.ok()?,
                changed = leaders.changed() => changed.ok()?,
            }
            // `select!` consumed one of the marks; the other part is sent too, it is small.
            let encoded = {
                let topology = topology.borrow_and_update();
                if topology.cluster_id().is_some() { topology.encode() } else { bytes::Bytes::new() }
            };
            let known = leaders.borrow_and_update();
            let leaders_now = known
                .iter()
                .map(|(shard, known)| wire::ShardLeader {
                    shard: shard.get(),
                    term: known.term.get(),
                    leader: known.leader.get(),
                    members: known.members.iter().map(|node| node.get()).collect(),
                })
                .collect();
            drop(known);
            let update = wire::TopologyUpdate { topology: encoded, leaders: leaders_now };
            Some((update, (topology, leaders, stopping)))
        })
        .boxed()
    }
}
