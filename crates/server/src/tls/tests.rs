//! Files that can and cannot be used, and who gets in with what.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::ExtendedKeyUsagePurpose::{self, ClientAuth, ServerAuth};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Certificates;
use crate::config::{AuthClients, Config};

/// A CA and the folder its certificates are put in.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let own = Self { folder: TempDir::new().expect("a folder"), issuer };
        own.put("ca.crt", &own.issuer.pem());
        own
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self, name: &str, host: &str, usages: &[ExtendedKeyUsagePurpose]) {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        self.put(&format!("{name}.crt"), &certificate.pem());
        self.put(&format!("{name}.key"), &key.serialize_pem());
    }

    /// The configuration of a node with this certificate.
    fn config(&self, name: &str) -> Config {
        Config {
            tls_port: 1,
            tls_cluster: true,
            tls_cert_file: self.path(&format!("{name}.crt")),
            tls_key_file: self.path(&format!("{name}.key")),
            tls_ca_cert_file: self.path("ca.crt"),
            ..Config::default()
        }
    }

    fn node(&self) -> Arc<Certificates> {
        self.sign("node", "localhost", &[ServerAuth, ClientAuth]);
        Certificates::load(&self.config("node")).expect("good files").expect("TLS is on")
    }

    /// A client that trusts this CA and shows a certificate, if any.
    fn dialing(&self, name: Option<&str>) -> Arc<ClientConfig> {
        let read = |path: PathBuf| CertificateDer::from_pem_file(path).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(read(self.path("ca.crt"))).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        Arc::new(match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let key = self.path(&format!("{name}.key"));
                let key = PrivateKeyDer::from_pem_file(key).expect("a key");
                builder
                    .with_client_auth_cert(vec![read(self.path(&format!("{name}.crt")))], key)
                    .expect("a pair")
            }
        })
    }
}

/// Whether both sides come to a connection: the accepting one, and the dialing one by what it can say.
async fn connects(
    accepting: Arc<ServerConfig>,
    dialing: Arc<ClientConfig>,
    host: &str,
) -> Result<(), String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let accepted = tokio::spawn(TlsAcceptor::from(accepting).accept(far));
    let dialed = TlsConnector::from(dialing).connect(name, near).await;
    let accepted = accepted.await.expect("no panic");
    dialed.map_err(|error| error.to_string())?;
    accepted.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn nodes_let_nodes_in_and_nobody_else() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let node = authority.node();
    let accepting = || node.for_nodes().expect("tls-cluster");
    let dialing = node.for_dialing().expect("tls-cluster");
    assert_eq!(connects(accepting(), Arc::clone(&dialing), "localhost").await, Ok(()));
    let refused = connects(accepting(), dialing, "elsewhere").await.expect_err("another host");
    assert!(refused.contains("elsewhere"), "{refused}");

    authority.sign("client", "a-client", &[ClientAuth]);
    authority.sign("any", "any", &[]);
    foreign.sign("stranger", "localhost", &[ServerAuth, ClientAuth]);
    for name in ["stranger.crt", "stranger.key"] {
        fs::copy(foreign.path(name), authority.path(name)).expect("copied");
    }
    assert!(connects(accepting(), authority.dialing(Some("client")), "localhost").await.is_err());
    assert!(connects(accepting(), authority.dialing(Some("stranger")), "localhost").await.is_err());
    assert!(connects(accepting(), authority.dialing(None), "localhost").await.is_err());
    assert_eq!(connects(accepting(), authority.dialing(Some("any")), "localhost").await, Ok(()));
    // And a node does not believe a stranger that answers.
    let pretender = foreign.node().for_nodes().expect("tls-cluster");
    assert!(connects(pretender, node.for_dialing().expect("tls-cluster"), "localhost").await.is_err());
}

#[tokio::test]
async fn clients_are_asked_for_what_the_configuration_says() {
    let authority = Authority::new();
    authority.sign("node", "localhost", &[ServerAuth]);
    authority.sign("client", "a-client", &[ClientAuth]);
    let foreign = Authority::new();
    foreign.sign("stranger", "a-client", &[ClientAuth]);
    for name in ["stranger.crt", "stranger.key"] {
        fs::copy(foreign.path(name), authority.path(name)).expect("copied");
    }
    for (auth, none, own, other) in [
        (AuthClients::Yes, false, true, false),
        (AuthClients::Optional, true, true, false),
        (AuthClients::No, true, true, true),
    ] {
        let config = Config { tls_auth_clients: auth, tls_cluster: false, ..authority.config("node") };
        let node = Certificates::load(&config).expect("good files").expect("TLS is on");
        for (name, expected) in [(None, none), (Some("client"), own), (Some("stranger"), other)] {
            let outcome = connects(node.for_clients(), authority.dialing(name), "localhost").await;
            assert_eq!(outcome.is_ok(), expected, "{auth:?} {name:?} {outcome:?}");
        }
        assert!(node.for_nodes().is_none() && node.for_dialing().is_none());
    }
}

#[test]
fn an_error_names_the_file_to_mend() {
    let authority = Authority::new();
    authority.sign("node", "localhost", &[]);
    authority.sign("other", "localhost", &[]);
    authority.put("empty", "");
    authority.put("garbage", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
    let check = |change: &dyn Fn(&mut Config), wanted: &[&str]| {
        let mut config = authority.config("node");
        change(&mut config);
        let error = Certificates::load(&config).err().expect("it cannot be used").to_string();
        assert!(wanted.iter().all(|part| error.contains(part)), "{error}");
    };
    let at = |name: &str| authority.path(name);
    check(&|config| config.tls_cert_file = at("gone"), &["tls-cert-file", "gone"]);
    check(&|config| config.tls_cert_file = at("empty"), &["tls-cert-file", "empty", "no certificate"]);
    check(&|config| config.tls_cert_file = at("garbage"), &["tls-cert-file", "garbage"]);
    check(&|config| config.tls_key_file = at("empty"), &["tls-key-file", "empty"]);
    check(&|config| config.tls_key_file = at("other.key"), &["node.crt", "other.key"]);
    check(&|config| config.tls_ca_cert_file = at("empty"), &["tls-ca-cert-file", "empty"]);
    check(&|config| config.tls_ca_cert_file = at("garbage"), &["tls-ca-cert-file", "garbage"]);
    let off = Config { tls_port: 0, tls_cluster: false, ..authority.config("gone") };
    assert!(Certificates::load(&off).expect("nothing is read").is_none());
}

#[test]
fn new_files_replace_old_ones_and_broken_ones_do_not() {
    let authority = Authority::new();
    let node = authority.node();
    let in_force = |before: &Arc<ServerConfig>| Arc::ptr_eq(before, &node.for_clients());
    let first = node.for_clients();
    assert!(!node.reload().expect("they are as they were"));
    assert!(in_force(&first));
    let key = fs::read_to_string(authority.path("node.key")).expect("a key");
    authority.sign("node", "localhost", &[]);
    let new_key = fs::read_to_string(authority.path("node.key")).expect("a key");
    // Halfway through a renewal: the certificate is new, the key is not.
    authority.put("node.key", &key);
    node.reload().expect_err("they are not a pair");
    assert!(in_force(&first));
    authority.put("node.key", &new_key);
    assert!(node.reload().expect("a pair"));
    assert!(!in_force(&first));
}
