//! Accepts client connections and turns away those that may not come in.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::BytesMut;
use rivermark_protocol::{Protocol, ReplyError, ReplyWriter};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::net::connection::Connection;
use crate::net::linger::linger;
use crate::net::stream::ClientStream;
use crate::node::Node;
use crate::tls::{Certificates, Handshakes, perform};

const BACKLOG: i32 = 4096;
/// After running out of descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Opens a listening socket.
///
/// # Errors
/// The address is taken or not this machine's.
pub fn listen(address: SocketAddr, purpose: &str) -> anyhow::Result<TcpListener> {
    let open = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().with_context(|| format!("listening for {purpose} on {address}"))
}

/// Accepts until the node stops accepting. Connections run on `tasks`.
pub async fn accept(node: Arc<Node>, listener: TcpListener, tasks: TaskTracker) {
    while let Some((stream, peer)) = next(&node, &listener).await {
        admit(&node, ClientStream::Plain(stream), BytesMut::new(), peer, &tasks);
    }
}

/// The same over TLS.
pub async fn accept_tls(
    node: Arc<Node>,
    listener: TcpListener,
    tasks: TaskTracker,
    certificates: Arc<Certificates>,
) {
    let handshakes = Handshakes::default();
    loop {
        let permit = handshakes.permit().await;
        let Some((stream, peer)) = next(&node, &listener).await else { return };
        // A handshake would only add to the load, and without one there is no way to say why.
        if node.clients.count() >= node.tunables.maxclients() {
            node.stats.rejected_connections.increase();
            continue;
        }
        let (node, own_tasks, config) = (Arc::clone(&node), tasks.clone(), certificates.for_clients());
        tasks.spawn(async move {
            let performed = tokio::select! {
                performed = perform(permit, stream, peer, config) => performed,
                () = node.stopping.cancelled() => return,
            };
            match performed.map(ClientStream::after_handshake) {
                Some(Ok((stream, input))) => return admit(&node, stream, input, peer, &own_tasks),
                Some(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection"),
                None => {}
            }
            node.stats.failed_handshakes.increase();
        });
    }
}

/// The next connection; `None` when the node stops accepting.
async fn next(node: &Node, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.closing.cancelled() => return None,
        };
        match accepted {
            Ok((stream, peer)) => {
                tune(&stream, node.config.tcp_keepalive);
                return Some((stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(node: &Arc<Node>, stream: ClientStream, input: BytesMut, peer: SocketAddr, tasks: &TaskTracker) {
    let refused = |stream, refusal| {
        node.stats.rejected_connections.increase();
        tasks.spawn(turn_away(stream, refusal));
    };
    if is_protected(node) && !peer.ip().to_canonical().is_loopback() {
        return refused(stream, ReplyError::ProtectedMode);
    }
    let local = stream.socket().local_addr().unwrap_or_else(|_| SocketAddr::new(node.config.bind, 0));
    let account = Arc::clone(node.access.accounts(&node.topology()).default_user());
    match node.clients.enter(node.tunables.maxclients(), stream.transport(), peer, local, account) {
        Some(client) => {
            client.levels.set_descriptor(stream.socket().as_raw_fd());
            tasks.spawn(Connection::new(Arc::clone(node), client, stream, input).serve());
        }
        None => refused(stream, ReplyError::TooManyClients),
    }
}

/// As Redis: who needs no password is served on this machine only.
fn is_protected(node: &Node) -> bool {
    let open = || node.access.accounts(&node.topology()).default_user().asks_no_password();
    node.tunables.is_protected() && open()
}

fn tune(stream: &TcpStream, keepalive_s: u64) {
    let tuned = stream.set_nodelay(true).and_then(|()| {
        if keepalive_s == 0 {
            return Ok(());
        }
        let time = Duration::from_secs(keepalive_s);
        let interval = (time / 3).max(Duration::from_secs(1));
        SockRef::from(stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3))
    });
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options could not be set");
    }
}

/// A fresh connection takes a line at once; one that does not is not waited for.
async fn turn_away(mut stream: ClientStream, refusal: ReplyError) {
    let mut line = BytesMut::new();
    ReplyWriter::new(&mut line, Protocol::Resp2).error(&refusal);
    if stream.ready(Interest::WRITABLE).await.is_ok() && stream.try_write(&line).is_ok() {
        linger(stream.finish()).await;
    }
}
