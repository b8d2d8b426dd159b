//! The port other nodes connect to: Raft's calls, and links to the shards led here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Router, TcpIncoming};

use crate::node::Node;
use crate::shards::PeerService;
use crate::shards::peer::PeerOptions;
use crate::status;
use crate::tls::{Certificates, Handshakes, perform};

const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections whose handshake is done and that wait to be served.
const CONNECTIONS_WAITING: usize = 16;

/// Serves until `closing`. With `certificates`, only nodes with one of their own are heard.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    closing: CancellationToken,
) {
    let router = router(&node);
    let closed = closing.clone().cancelled_owned();
    let served = match certificates.filter(|certificates| certificates.for_nodes().is_some()) {
        Some(certificates) => {
            let incoming = tls_incoming(node, listener, certificates, closing);
            router.serve_with_incoming_shutdown(incoming, closed).await
        }
        None => {
            // The builder's own setting does not reach sockets of a listener handed in: without this every
            // small answer waits for the peer's delayed acknowledgement, 40 ms.
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router.serve_with_incoming_shutdown(incoming, closed).await
        }
    };
    if let Err(error) = served {
        tracing::error!(%error, "the listener of the other nodes ended");
    }
}

fn router(node: &Arc<Node>) -> Router {
    let (for_cluster, for_status) = (node.watch_topology(), Arc::downgrade(node));
    let peer = PeerService::new(
        Arc::clone(&node.host) as _,
        PeerOptions {
            node: node.id(),
            cluster_id: Box::new(move || for_cluster.borrow().cluster_id()),
            status: Box::new(move || {
                let node = for_status.upgrade();
                let told =
                    |node: Arc<Node>| status::local(&node.raft, node.started.elapsed(), node.clients.count());
                node.map(told).unwrap_or_default()
            }),
        },
    );
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(1)))
        .http2_keepalive_timeout(Some(Duration::from_secs(2)))
        .initial_stream_window_size(Some(8 * 1024 * 1024))
        .initial_connection_window_size(Some(16 * 1024 * 1024))
        .add_routes(node.raft.grpc_routes())
        .add_service(peer)
}

/// The connections of nodes that showed a certificate. Handshakes run beside each other: one that hangs holds
/// up nobody.
fn tls_incoming(
    node: Arc<Node>,
    listener: TcpListener,
    certificates: Arc<Certificates>,
    closing: CancellationToken,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let (done, incoming) = mpsc::channel(CONNECTIONS_WAITING);
    let handshakes = Handshakes::default();
    tokio::spawn(async move {
        loop {
            let permit = handshakes.permit().await;
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a node's connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(config) = certificates.for_nodes() else { return };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, %error, "socket options could not be set");
            }
            let (node, done) = (Arc::clone(&node), done.clone());
            tokio::spawn(async move {
                match perform(permit, stream, peer, config).await {
                    // If nobody takes it, the node is going down.
                    Some(stream) => drop(done.send(Ok(stream)).await),
                    None => node.stats.failed_handshakes.increase(),
                }
            });
        }
    });
    ReceiverStream::new(incoming)
}
