//! Handshakes of one listener, bounded in number and time.
//!
//! A handshake costs far more than the bytes that ask for it. Those under way are counted, and beyond
//! [`TLS_HANDSHAKES_MAX`] connections wait in the listener's queue; each ends within
//! [`TLS_HANDSHAKE_MS_MAX`], one way or the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rivermark_types::limits::{TLS_HANDSHAKE_MS_MAX, TLS_HANDSHAKES_MAX};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::linger::linger;

/// The handshakes of a listener.
#[derive(Clone)]
pub struct Handshakes {
    permits: Arc<Semaphore>,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(TLS_HANDSHAKES_MAX)) }
    }
}

impl Handshakes {
    /// Waits until one more may be under way. To be called before a connection is accepted.
    pub async fn permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// Performs a handshake; `None` if there was none, for whatever reason. The permit is given back after it.
pub async fn perform(
    _permit: OwnedSemaphorePermit,
    stream: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
) -> Option<TlsStream<TcpStream>> {
    let accepting = TlsAcceptor::from(config).accept(stream).into_fallible();
    match timeout(Duration::from_millis(TLS_HANDSHAKE_MS_MAX), accepting).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, stream))) => {
            tracing::debug!(%peer, %error, "no TLS connection");
            // The alert that says why has been sent; it must outlive input that was not read.
            linger(stream).await;
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "no TLS connection: the handshake took too long");
            None
        }
    }
}
