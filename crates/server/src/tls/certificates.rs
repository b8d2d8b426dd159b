//! This node's certificates as they are now.
//!
//! They are read at the start and again on SIGHUP or when a file changed. What cannot be used is reported
//! and changes nothing: the node goes on with what it has. New connections get the new certificates;
//! connections that are open stay as they are.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::error::TlsError;
use super::node_verifier::NodeVerifier;
use super::pem::{Contents, Files, Material};
use crate::config::{AuthClients, Config};

/// How often the files are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// What the RPC port speaks inside TLS.
const HTTP2: &[u8] = b"h2";

/// The certificates in force, and where they come from.
pub struct Certificates {
    files: Files,
    auth_clients: AuthClients,
    between_nodes: bool,
    current: RwLock<Current>,
    /// What was last said to be wrong with the files: it is not repeated at every look.
    complaint: Mutex<Option<String>>,
}

struct Current {
    contents: Contents,
    clients: Arc<ServerConfig>,
    nodes: Option<NodeConfigs>,
}

struct NodeConfigs {
    accepting: Arc<ServerConfig>,
    dialing: Arc<ClientConfig>,
}

impl Certificates {
    /// Reads the files the configuration names; `None` if no port of this node speaks TLS.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn load(config: &Config) -> Result<Option<Arc<Self>>, TlsError> {
        if !config.uses_tls() {
            return Ok(None);
        }
        let (files, auth_clients, between_nodes) =
            (Files::of(config), config.tls_auth_clients, config.tls_cluster);
        let contents = files.read()?;
        let current = RwLock::new(make(&files, contents, auth_clients, between_nodes)?);
        let complaint = Mutex::default();
        Ok(Some(Arc::new(Self { files, auth_clients, between_nodes, current, complaint })))
    }

    /// For connections of clients.
    pub fn for_clients(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().clients)
    }

    /// For connections that other nodes make; `None` without `tls-cluster`.
    pub fn for_nodes(&self) -> Option<Arc<ServerConfig>> {
        self.current.read().nodes.as_ref().map(|nodes| Arc::clone(&nodes.accepting))
    }

    /// For connections to other nodes; `None` without `tls-cluster`.
    pub fn for_dialing(&self) -> Option<Arc<ClientConfig>> {
        self.current.read().nodes.as_ref().map(|nodes| Arc::clone(&nodes.dialing))
    }

    /// Reads the files again. True if what they hold is new, and in force now.
    ///
    /// # Errors
    /// As of [`Self::load`]; then everything stays as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let contents = self.files.read()?;
        if self.current.read().contents == contents {
            return Ok(false);
        }
        let renewed = make(&self.files, contents, self.auth_clients, self.between_nodes)?;
        *self.current.write() = renewed;
        Ok(true)
    }

    /// Reloads on SIGHUP, and when a file changed, until the node stops.
    pub async fn follow(self: Arc<Self>, stopping: CancellationToken) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => return tracing::error!(%error, "certificates will not be read again"),
        };
        let mut looks = interval(LOOKED_AT_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = hangups.recv() => true,
                _ = looks.tick() => false,
                () = stopping.cancelled() => return,
            };
            let own = Arc::clone(&self);
            if let Ok(outcome) = tokio::task::spawn_blocking(move || own.reload()).await {
                self.report(asked, outcome);
            }
        }
    }

    /// Files are often replaced one after the other, so what does not fit now may fit at the next look.
    fn report(&self, asked: bool, outcome: Result<bool, TlsError>) {
        let complaint = outcome.as_ref().err().map(ToString::to_string);
        let is_news = std::mem::replace(&mut *self.complaint.lock(), complaint.clone()) != complaint;
        match outcome {
            Ok(true) => tracing::info!("new certificates are in force"),
            Ok(false) if asked => tracing::info!("the certificates have not changed"),
            Ok(false) => {}
            Err(error) if asked || is_news => {
                tracing::error!(%error, "the former certificates stay in force");
            }
            Err(_) => {}
        }
    }
}

fn make(
    files: &Files,
    contents: Contents,
    auth_clients: AuthClients,
    between_nodes: bool,
) -> Result<Current, TlsError> {
    let material = files.parse(&contents)?;
    let clients =
        accepting(files, &material, client_verifier(files, &material, auth_clients)?, &[&TLS13, &TLS12])?;
    let nodes = if between_nodes { Some(node_configs(files, &material)?) } else { None };
    Ok(Current { contents, clients: Arc::new(clients), nodes })
}

fn node_configs(files: &Files, material: &Material) -> Result<NodeConfigs, TlsError> {
    let Some(clients) = client_verifier(files, material, AuthClients::Yes)? else {
        unreachable!("a verifier was asked for")
    };
    let verifier = NodeVerifier {
        clients,
        roots: Arc::clone(&material.roots),
        algorithms: provider().signature_verification_algorithms,
    };
    let mut accepting = accepting(files, material, Some(Arc::new(verifier)), &[&TLS13])?;
    let mut dialing = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|source| pair(files, source))?
        .with_root_certificates(Arc::clone(&material.roots))
        .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| pair(files, source))?;
    accepting.alpn_protocols = vec![HTTP2.to_vec()];
    dialing.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(NodeConfigs { accepting: Arc::new(accepting), dialing: Arc::new(dialing) })
}

fn accepting(
    files: &Files,
    material: &Material,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|source| pair(files, source))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| pair(files, source))
}

fn client_verifier(
    files: &Files,
    material: &Material,
    auth_clients: AuthClients,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&material.roots), provider());
    let builder = match auth_clients {
        AuthClients::No => return Ok(None),
        AuthClients::Yes => builder,
        AuthClients::Optional => builder.allow_unauthenticated(),
    };
    let path = files.authority.clone().unwrap_or_default();
    builder.build().map(|verifier| Some(verifier as _)).map_err(|source| TlsError::Verifier { path, source })
}

fn pair(files: &Files, source: rustls::Error) -> TlsError {
    TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
