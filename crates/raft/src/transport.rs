//! Connections to the other nodes.
//!
//! Each peer has two channels: one for elections, heartbeats and other small calls, one for bulk (log
//! entries, snapshots, the server's own traffic), so that a heartbeat never waits behind megabytes.
//! Channels connect when first used and again after a failure. All of them send HTTP/2 pings even when
//! idle: without these a connection that a healed partition left half-open would stay dead for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rivermark_cluster::Node;
use rivermark_types::NodeId;
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(500);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(1);
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Makes a channel of an endpoint: over TCP in production, over a simulated network in tests.
pub trait Dialer: Send + Sync + 'static {
    /// The channel; connecting is left to its first use.
    fn dial(&self, endpoint: Endpoint) -> Channel;
}

/// Plain TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial(&self, endpoint: Endpoint) -> Channel {
        endpoint.connect_lazy()
    }
}

/// The channels to the other nodes, re-made when a node's address changes.
pub struct Peers {
    dialer: Arc<dyn Dialer>,
    links: RwLock<BTreeMap<NodeId, Link>>,
}

struct Link {
    address: String,
    bulk: Channel,
    control: Channel,
}

impl Peers {
    pub(crate) fn new(dialer: Arc<dyn Dialer>) -> Self {
        Self { dialer, links: RwLock::default() }
    }

    /// The channel for bulk to a node; `None` if its address is not known.
    pub fn channel(&self, node: NodeId) -> Option<Channel> {
        self.links.read().get(&node).map(|link| link.bulk.clone())
    }

    /// The channel for what must not wait.
    pub(crate) fn control(&self, node: NodeId) -> Option<Channel> {
        self.links.read().get(&node).map(|link| link.control.clone())
    }

    /// The nodes whose address is known.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.links.read().keys().copied().collect()
    }

    /// Takes over the addresses of these nodes and forgets all others.
    pub(crate) fn update<'a>(&self, nodes: impl Iterator<Item = &'a Node>) {
        let mut links = self.links.write();
        let mut known = std::mem::take(&mut *links);
        for node in nodes {
            let link = match known.remove(&node.id) {
                Some(link) if link.address == node.rpc_address => Some(link),
                _ => self.link(&node.rpc_address),
            };
            links.extend(link.map(|link| (node.id, link)));
        }
    }

    fn link(&self, address: &str) -> Option<Link> {
        let endpoint = match Endpoint::from_shared(format!("http://{address}")) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::error!(address, %error, "a node's address cannot be dialled");
                return None;
            }
        };
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let control = self.dialer.dial(endpoint.clone());
        Some(Link { address: address.to_owned(), bulk: self.dialer.dial(endpoint), control })
    }
}
