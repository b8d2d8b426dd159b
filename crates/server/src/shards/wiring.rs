//! Joins the halves to a running node.

use std::sync::Arc;

use futures_util::StreamExt;
use rivermark_raft::RaftNode;
use rivermark_types::ShardId;
use tokio_stream::wrappers::WatchStream;

use super::client::{ClientOptions, ShardClients};
use super::counters::Counters;
use super::endpoint::LeaderEndpoint;
use super::host::ShardHost;
use super::leader::Directory;
use super::link::{LinkOptions, Links};

impl ShardClients {
    /// The clients of a node that has started: shards led here are reached through `host`, all others
    /// through links to the nodes the topology names.
    pub fn of_node(
        raft: &Arc<RaftNode>,
        host: &Arc<ShardHost>,
        options: ClientOptions,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let links = Links::new(LinkOptions::of_node(raft), Arc::clone(&counters));
        Self::new(Directory::of_node(raft, host, links), raft.session_seed(), options, counters)
    }
}

impl LinkOptions {
    fn of_node(raft: &RaftNode) -> Self {
        let (topology, peers) = (raft.topology(), raft.peers());
        Self {
            node: raft.node_id(),
            cluster_id: Box::new(move || topology.borrow().cluster_id()),
            channel: Box::new(move |node| peers.channel(node)),
        }
    }
}

impl Directory {
    fn of_node(raft: &Arc<RaftNode>, host: &Arc<ShardHost>, links: Links) -> Self {
        let local = raft.node_id();
        let (topology, known) = (raft.topology(), raft.topology());
        let (hinting, leaders) = (Arc::clone(raft), raft.leaders());
        let host = Arc::clone(host);
        Self {
            replicas: Box::new(move |shard| topology.borrow().replicas(shard).to_vec()),
            leader: Box::new(move |shard| hinting.leader_of(shard)),
            leaders: Box::new(move |shard: ShardId| {
                let of_shard = WatchStream::new(leaders.clone()).map(move |all| all.get(&shard).copied());
                Some(of_shard.boxed())
            }),
            endpoint: Box::new(move |node| {
                if node == local {
                    return Some(Arc::clone(&host) as Arc<dyn LeaderEndpoint>);
                }
                known.borrow().node(node)?;
                Some(links.to(node) as Arc<dyn LeaderEndpoint>)
            }),
        }
    }
}
