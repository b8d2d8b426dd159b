//! Accepts client connections and turns away those that may not come in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::BytesMut;
use rivermark_protocol::{Protocol, ReplyError, ReplyWriter};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::net::connection::Connection;
use crate::net::linger::linger;
use crate::node::Node;

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
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => admit(&node, stream, peer, &tasks),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(node: &Arc<Node>, stream: TcpStream, peer: SocketAddr, tasks: &TaskTracker) {
    let refusal = if node.clients.count() >= node.tunables.maxclients() {
        Some(ReplyError::TooManyClients)
    } else if node.tunables.is_protected() && !peer.ip().to_canonical().is_loopback() {
        Some(ReplyError::ProtectedMode)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        node.stats.rejected_connections.increase();
        tasks.spawn(turn_away(stream, refusal));
        return;
    }
    tune(&stream, node.config.tcp_keepalive);
    let local = stream.local_addr().unwrap_or_else(|_| node.config.resp_listen());
    let client = node.clients.enter(peer, local);
    tasks.spawn(Connection::new(Arc::clone(node), client, stream).serve());
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

async fn turn_away(mut stream: TcpStream, refusal: ReplyError) {
    let mut line = BytesMut::new();
    ReplyWriter::new(&mut line, Protocol::Resp2).error(&refusal);
    if stream.write_all(&line).await.is_ok() {
        linger(stream).await;
    }
}
