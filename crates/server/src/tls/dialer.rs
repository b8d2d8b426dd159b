//! Connections to other nodes over mutual TLS.
//!
//! The node dialled must show a certificate of the CA for the host of the RPC address that it told the
//! cluster (`advertise-rpc-address`), as DNS name or IP address among the subject's alternative names.

use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rivermark_raft::Dialer;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::certificates::Certificates;

/// Dials with the certificates in force at the time.
pub struct TlsDialer {
    certificates: Arc<Certificates>,
}

impl TlsDialer {
    /// A dialer for a node with `tls-cluster`.
    pub fn new(certificates: Arc<Certificates>) -> Self {
        Self { certificates }
    }
}

impl Dialer for TlsDialer {
    fn dial(&self, endpoint: Endpoint) -> Channel {
        let certificates = Arc::clone(&self.certificates);
        let complaint: Arc<Mutex<Option<String>>> = Arc::default();
        endpoint.connect_with_connector_lazy(tower::service_fn(move |uri: Uri| {
            let (config, complaint) = (certificates.for_dialing(), Arc::clone(&complaint));
            async move {
                let config = config.ok_or_else(|| io::Error::other("tls-cluster is off"))?;
                connect(&uri, config, &complaint).await.map(TokioIo::new)
            }
        }))
    }
}

async fn connect(
    uri: &Uri,
    config: Arc<ClientConfig>,
    complaint: &Mutex<Option<String>>,
) -> io::Result<TlsStream<TcpStream>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{uri}: {what}"));
    let host = uri.host().ok_or_else(|| invalid("no host"))?.trim_matches(['[', ']']);
    let port = uri.port_u16().ok_or_else(|| invalid("no port"))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid("no name that TLS knows"))?;
    let stream = TcpStream::connect((host, port)).await?;
    // Messages between nodes are small and wait for each other.
    stream.set_nodelay(true)?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let told = connected.as_ref().err().map(ToString::to_string);
    let is_news = std::mem::replace(&mut *complaint.lock(), told.clone()) != told;
    if let (Some(error), true) = (told, is_news) {
        tracing::warn!(node = %uri.authority().map_or("", |at| at.as_str()), error, "no TLS connection to a node");
    }
    connected
}
