//! TLS on the RESP port: real handshakes, and what comes instead of them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rivermark_types::limits::{TLS_HANDSHAKE_MS_MAX, TLS_HANDSHAKES_MAX};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::{Server, free_ports};

const PATIENCE: Duration = Duration::from_secs(20);

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A node with a TLS port, and the CA it knows.
struct TlsServer {
    server: Server,
    port: u16,
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl TlsServer {
    fn start(flags: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.crt"), issuer.pem()).expect("written");
        sign(&issuer, &folder, "node");
        sign(&issuer, &folder, "client");
        let [port] = free_ports();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut all = vec![
            format!("--tls-port={port}"),
            format!("--tls-cert-file={}", path("node.crt")),
            format!("--tls-key-file={}", path("node.key")),
            format!("--tls-ca-cert-file={}", path("ca.crt")),
        ];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Self { server: Server::start_with(&all), port, issuer, folder }
    }

    fn renew(&self) {
        sign(&self.issuer, &self.folder, "node");
    }

    fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// A connection that shows the client's certificate.
    fn connect(&self) -> BufReader<TlsStream> {
        BufReader::new(self.stream(true))
    }

    fn connect_and_ask(&self) -> BufReader<TlsStream> {
        let mut client = self.connect();
        assert_eq!(ask(&mut client, "PING"), "+PONG");
        client
    }

    fn stream(&self, shows_certificate: bool) -> TlsStream {
        let read = |name: &str| CertificateDer::from_pem_file(self.path(name)).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(read("ca.crt")).expect("a CA");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = if shows_certificate {
            let key = PrivateKeyDer::from_pem_file(self.path("client.key")).expect("a key");
            builder.with_client_auth_cert(vec![read("client.crt")], key).expect("a pair")
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a session"), self.raw())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn sign(issuer: &CertifiedIssuer<'_, KeyPair>, folder: &tempfile::TempDir, name: &str) {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    params.extended_key_usages = vec![ServerAuth, ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("signed");
    fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).expect("written");
    fs::write(folder.path().join(format!("{name}.crt")), certificate.pem()).expect("written");
}

fn ask(client: &mut BufReader<TlsStream>, command: &str) -> String {
    client.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("sent");
    line(client)
}

fn line(client: &mut impl BufRead) -> String {
    let mut line = String::new();
    client.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

/// A bulk string's content.
fn bulk(client: &mut impl BufRead) -> String {
    let header = line(client);
    let length: usize = header.trim_start_matches(['$', '=']).parse().expect("a length");
    let mut content = vec![0; length + 2];
    client.read_exact(&mut content).expect("the content");
    content.truncate(length);
    String::from_utf8(content).expect("text")
}

#[test]
fn requests_of_any_size_pass() {
    let node = TlsServer::start(&[]);
    let mut client = node.connect();
    // A pipeline far larger than a record or a socket buffer, and an answer likewise.
    let value = "v".repeat(1 << 20);
    let mut request = Vec::new();
    for id in 1..=8 {
        let id = format!("{id}-1");
        for word in
            ["*5", "$4", "XADD", "$1", "s", "$3", &id, "$1", "f", &format!("${}", value.len()), &value]
        {
            request.extend_from_slice(word.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
    }
    request.extend_from_slice(b"XLEN s\r\n");
    client.get_mut().write_all(&request).expect("sent");
    for id in 1..=8 {
        assert_eq!(bulk(&mut client), format!("{id}-1"));
    }
    assert_eq!(line(&mut client), ":8");
    client.get_mut().write_all(b"XRANGE s - +\r\nPING\r\n").expect("sent");
    // The node has to wait for us.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(line(&mut client), "*8");
    for id in 1..=8 {
        assert_eq!(line(&mut client), "*2");
        assert_eq!(bulk(&mut client), format!("{id}-1"));
        assert_eq!(line(&mut client), "*2");
        assert_eq!(bulk(&mut client), "f");
        assert!(bulk(&mut client) == value, "entry {id}");
    }
    assert_eq!(line(&mut client), "+PONG");
    assert_eq!(ask(&mut client, "QUIT"), "+OK");
    let mut rest = Vec::new();
    // An end without notice would be an error here.
    client.read_to_end(&mut rest).expect("closed in order");
    assert!(rest.is_empty());
}

#[test]
fn what_the_node_tells_fits_the_connection() {
    let node = TlsServer::start(&[]);
    let mut client = node.connect();
    client.get_mut().write_all(b"CLUSTER NODES\r\n").expect("sent");
    let text = bulk(&mut client);
    assert!(text.contains(&format!("127.0.0.1:{}@", node.port)), "{text}");
    let mut plain = node.server.connect();
    plain.send("CLUSTER NODES");
    plain.line();
    let text = plain.text_line();
    assert!(text.contains(&format!("127.0.0.1:{}@", node.server.port)), "{text}");
    client.get_mut().write_all(b"CLUSTER SHARDS\r\nPING\r\n").expect("sent");
    let mut shards = Vec::new();
    while shards.last().is_none_or(|line| line != "+PONG") {
        shards.push(line(&mut client));
    }
    let after = |name: &str| shards[shards.iter().position(|line| line == name).expect(name) + 1].clone();
    assert_eq!(after("port"), format!(":{}", node.server.port));
    assert_eq!(after("tls-port"), format!(":{}", node.port));
    client.get_mut().write_all(b"INFO server\r\n").expect("sent");
    let info = bulk(&mut client);
    assert!(info.contains(&format!("listener1:name=tls,bind=127.0.0.1,port={}\r\n", node.port)), "{info}");
    assert_eq!(ask(&mut client, "CONFIG GET tls-*"), "*12");
}

#[test]
fn a_certificate_is_asked_for() {
    let node = TlsServer::start(&[]);
    let mut stranger = node.stream(false);
    let outcome = stranger.write_all(b"PING\r\n").and_then(|()| stranger.read(&mut [0; 16]));
    assert!(outcome.is_err(), "{outcome:?}");
    let lenient = TlsServer::start(&["--tls-auth-clients=optional"]);
    assert_eq!(ask(&mut BufReader::new(lenient.stream(false)), "PING"), "+PONG");
    assert_eq!(ask(&mut lenient.connect(), "PING"), "+PONG");
}

#[test]
fn who_does_not_speak_tls_is_cut_off_and_nobody_else_notices() {
    let node = TlsServer::start(&[]);
    let mut client = node.connect();
    let mut plain = node.server.connect();
    for noise in [&b"PING\r\n"[..], &[b'x'; 100_000], b"\x16\x03\x01\xff\xff", &[0; 10]] {
        let mut stream = node.raw();
        stream.write_all(noise).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("closed in order");
        assert!(answer.is_empty() || answer[0] == 21, "an alert at most: {answer:?}");
    }
    // And the other way round.
    let mut confused = node.server.connect();
    confused.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert_eq!(confused.read_to_end(), "");
    assert_eq!(ask(&mut client, "PING"), "+PONG");
    plain.check("PING", "+PONG");
    let (_, metrics) = node.server.get("/metrics");
    assert!(metrics.contains("\nrivermark_tls_handshakes_failed_total 4\n"), "{metrics}");
}

#[test]
fn a_client_that_only_writes_is_still_answered() {
    let node = TlsServer::start(&[]);
    let mut client = node.connect();
    let adds: String = (1..=500).map(|n| format!("XADD s {n}-1 f v\r\n")).collect();
    client.get_mut().write_all(format!("{adds}XLEN s\r\n").as_bytes()).expect("sent");
    client.get_mut().conn.send_close_notify();
    client.get_mut().flush().expect("sent");
    let mut all = String::new();
    client.read_to_string(&mut all).expect("closed in order");
    assert!(all.ends_with(":500\r\n"), "{}", &all[all.len().saturating_sub(60)..]);
}

#[test]
fn a_blocked_client_that_goes_away_is_noticed() {
    let node = TlsServer::start(&[]);
    let mut watcher = node.server.connect();
    for says_so in [true, false] {
        let mut client = node.connect();
        client.get_mut().write_all(b"XREAD BLOCK 0 STREAMS s $\r\n").expect("sent");
        watcher.wait_for_blocked(1);
        if says_so {
            client.get_mut().conn.send_close_notify();
            client.get_mut().flush().expect("sent");
        }
        drop(client);
        watcher.wait_for_blocked(0);
    }
}

#[test]
fn half_a_handshake_ends_and_does_not_hold_up_others() {
    let node = TlsServer::start(&[]);
    let mut silent = node.raw();
    silent.write_all(b"\x16\x03\x01").expect("sent");
    let began = Instant::now();
    assert_eq!(ask(&mut node.connect(), "PING"), "+PONG");
    assert_eq!(silent.read(&mut [0; 16]).expect("closed in order"), 0);
    assert!(began.elapsed() >= Duration::from_millis(TLS_HANDSHAKE_MS_MAX));
}

#[test]
fn handshakes_beyond_the_limit_wait_for_their_turn() {
    let node = TlsServer::start(&[]);
    let mut client = node.connect();
    assert_eq!(ask(&mut client, "PING"), "+PONG");
    let silent: Vec<TcpStream> = (1..TLS_HANDSHAKES_MAX).map(|_| node.raw()).collect();
    assert_eq!(ask(&mut node.connect(), "PING"), "+PONG");
    let last = node.raw();
    // All places are taken: this one waits until the silent ones are cut off.
    let began = Instant::now();
    assert_eq!(ask(&mut node.connect(), "PING"), "+PONG");
    assert!(began.elapsed() >= Duration::from_millis(TLS_HANDSHAKE_MS_MAX / 2), "{:?}", began.elapsed());
    assert_eq!(ask(&mut client, "PING"), "+PONG");
    drop((silent, last));
}

#[test]
fn there_may_be_no_port_for_plain_text() {
    let node = TlsServer::start(&["--port=0"]);
    assert!(TcpStream::connect(("127.0.0.1", node.server.port)).is_err());
    assert_eq!(ask(&mut node.connect(), "XLEN s"), ":0");
}

#[test]
fn too_many_clients_are_not_even_greeted() {
    let node = TlsServer::start(&["--maxclients=1"]);
    let mut client = node.connect();
    assert_eq!(ask(&mut client, "PING"), "+PONG");
    let mut second = node.stream(true);
    let outcome = second.write_all(b"PING\r\n").and_then(|()| second.read(&mut [0; 16]));
    assert!(!matches!(outcome, Ok(read) if read > 0), "{outcome:?}");
    assert_eq!(ask(&mut client, "PING"), "+PONG");
}

#[test]
fn new_certificates_are_taken_up_without_a_restart() {
    let node = TlsServer::start(&[]);
    let shown = |stream: &TlsStream| stream.conn.peer_certificates().expect("shown")[0].clone().into_owned();
    let mut before = node.connect();
    assert_eq!(ask(&mut before, "PING"), "+PONG");
    let first = shown(before.get_ref());
    node.renew();
    node.server.signal(Signal::HUP);
    let began = Instant::now();
    loop {
        let mut after = node.connect();
        assert_eq!(ask(&mut after, "PING"), "+PONG");
        if shown(after.get_ref()) != first {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the old certificate is still in use");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ask(&mut before, "PING"), "+PONG");
    // Without a signal too.
    let second = shown(node.connect_and_ask().get_ref());
    node.renew();
    let began = Instant::now();
    while shown(node.connect_and_ask().get_ref()) == second {
        assert!(began.elapsed() < PATIENCE, "the change went unnoticed");
        std::thread::sleep(Duration::from_millis(100));
    }
}
