//! A cluster whose nodes trust certificates alone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rivermark_tests::{Cluster, Connection, Reply};

use crate::failover::caught_up;
use crate::load::{Load, verify};

/// What `redis-cli --tls` prints.
fn redis_cli(cluster: &Cluster, node: u16, certificate: &str, command: &[&str]) -> String {
    let file = |name: String| cluster.data().join("tls").join(name);
    let output = Command::new("redis-cli")
        .args(["-p", &cluster.tls_port(node).to_string(), "--tls", "--cacert"])
        .arg(file("ca.crt".to_owned()))
        .arg("--cert")
        .arg(file(format!("{certificate}.crt")))
        .arg("--key")
        .arg(file(format!("{certificate}.key")))
        .args(command)
        .output()
        .expect("redis-cli is installed: cargo xtask test sees to it");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn nodes_that_trust_certificates_fail_over_like_others() {
    let mut cluster = Cluster::start_tls(3, 3);
    let id = redis_cli(&cluster, 0, "client", &["XADD", "s", "*", "a", "1"]);
    for victim in [0, 1, 2] {
        let survivor = (victim + 1) % 3;
        let load = Load::start(3, &[cluster.port(survivor)]);
        std::thread::sleep(Duration::from_secs(1));
        cluster.kill(victim);
        let entries = redis_cli(&cluster, survivor, "client", &["XRANGE", "s", "-", "+"]);
        assert!(entries.starts_with(id.trim()), "{entries}");
        std::thread::sleep(Duration::from_secs(2));
        for (key, written) in load.finish() {
            assert_eq!(written.errors, Vec::<String>::new(), "{key}");
            assert!(written.acknowledged.len() > 10, "{key}: only {} entries", written.acknowledged.len());
            verify(&mut cluster.connect(survivor), &key, &written);
        }
        cluster.restart(victim);
        caught_up(&cluster, victim);
        cluster.connect(0).command(&["DEL", "load:0", "load:1", "load:2"]).expect("an answer");
        assert_eq!(redis_cli(&cluster, victim, "client", &["XLEN", "s"]).trim(), "1");
    }
}

/// A CA of nobody, and a certificate of it for a node, in `folder`.
fn found_foreign_authority(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    params.extended_key_usages = vec![ServerAuth, ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    let put = |name: &str, text: String| fs::write(folder.join(name), text).expect("written");
    put("foreign-ca.crt", issuer.pem());
    put("foreign.crt", certificate.pem());
    put("foreign.key", key.serialize_pem());
}

#[test]
fn only_nodes_with_a_certificate_of_the_ca_get_in() {
    let mut cluster = Cluster::start_tls(3, 1);
    let folder = cluster.data().join("tls");
    found_foreign_authority(&folder);
    let use_files = |certificate: &str, authority: &str| {
        let file = |name: String| toml::Value::from(folder.join(name).to_string_lossy().into_owned());
        let files = [
            ("tls-cert-file", file(format!("{certificate}.crt"))),
            ("tls-key-file", file(format!("{certificate}.key"))),
            ("tls-ca-cert-file", file(format!("{authority}.crt"))),
        ];
        move |config: &mut toml::Table| {
            config.extend(files.into_iter().map(|(key, value)| (key.to_owned(), value)));
        }
    };
    let outsiders = [
        cluster.start_router_with(use_files("foreign", "foreign-ca")),
        cluster.start_router_with(use_files("foreign", "ca")),
        cluster.start_router_with(use_files("client", "ca")),
        cluster.start_router_with(|config| {
            config.insert("tls-cluster".to_owned(), false.into());
        }),
    ];
    // Whoever gets in does so at once: this one, started after them, is the measure.
    let insider = cluster.start_router_with(use_files("node-1", "ca"));
    let knows_cluster = |port: u16| {
        let reply = Connection::open(port).and_then(|mut client| client.command(&["XLEN", "s"]));
        matches!(reply, Ok(Reply::Integer(_)))
    };
    cluster.wait_until("a node with a certificate gets in", |_| knows_cluster(insider));
    std::thread::sleep(Duration::from_secs(2));
    for (number, port) in outsiders.into_iter().enumerate() {
        assert!(!knows_cluster(port), "outsider {number} got in");
    }
    let status = cluster.status(0);
    assert_eq!(status["healthy"].as_bool(), Some(true), "{status}");
    assert_eq!(redis_cli(&cluster, 0, "client", &["XADD", "s", "1-1", "a", "1"]).trim(), "1-1");
    let refused = redis_cli(&cluster, 0, "foreign", &["PING"]);
    assert!(!refused.contains("PONG"), "{refused}");
}
