//! Everything a node can be told at its start: one struct, checked as a whole.
//!
//! Sources, later ones winning: defaults, the TOML file, `RIVERMARK_…` variables, flags. Unknown keys of the
//! file are refused, so that a misspelt bound is not silently the default. `deploy/rivermark.toml` lists every
//! key with its unit and default, and a test holds it to this struct.
//!
//! Nothing here may influence what replicas apply: that is for replicated settings (CONFIG SET).

mod addresses;
mod tls;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use rivermark_types::limits;
use serde::{Deserialize, Serialize};

pub use self::addresses::InitialNode;
pub use self::tls::AuthClients;

const ENV_PREFIX: &str = "RIVERMARK_";

/// What a node does for the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Holds replicas and serves clients.
    #[default]
    Replica,
    /// Serves clients and holds nothing.
    Router,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Who may use DEBUG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DebugAccess {
    /// Nobody.
    #[default]
    No,
    /// Clients of this machine.
    Local,
    /// Every client that may use the command.
    Yes,
}

impl DebugAccess {
    /// As CONFIG GET shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Local => "local",
            Self::Yes => "yes",
        }
    }
}

/// A password: never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password; the empty text is none.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password, `None` if it is empty.
    pub fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

/// A node's configuration. Units are in `deploy/rivermark.toml`; names follow Redis where Redis has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// This node, from 1; never reused.
    pub node_id: u64,
    /// Replica or router.
    pub role: Role,
    /// Where everything durable lives. One folder a node.
    pub data_dir: PathBuf,
    /// Address of the RESP listeners.
    pub bind: IpAddr,
    /// Port of the RESP listener for plain text; 0 is none.
    pub port: u16,
    /// Port of the RESP listener for TLS; 0 is none.
    pub tls_port: u16,
    /// PEM: this node's certificate and those between it and the CA.
    pub tls_cert_file: PathBuf,
    /// PEM: the key of that certificate.
    pub tls_key_file: PathBuf,
    /// PEM: the CAs whose certificates are accepted of clients and of other nodes.
    pub tls_ca_cert_file: PathBuf,
    /// Whether clients must show a certificate.
    pub tls_auth_clients: AuthClients,
    /// Mutual TLS between the nodes.
    pub tls_cluster: bool,
    /// Listener of the other nodes.
    pub rpc_address: SocketAddr,
    /// Listener of health, metrics and status.
    pub http_address: SocketAddr,
    /// What clients are told, `host:port`; empty is `bind:port`.
    pub advertise_resp_address: String,
    /// What clients that use TLS are told, `host:port`; empty is the host of the former and `tls-port`.
    pub advertise_resp_tls_address: String,
    /// What nodes are told; empty is `rpc-address`.
    pub advertise_rpc_address: String,
    /// What operators' tools are told; empty is `http-address`.
    pub advertise_http_address: String,
    /// The nodes the cluster is founded with, the same list on each. Empty is a cluster of this node alone.
    pub initial_nodes: Vec<InitialNode>,
    /// Stream shards of a new cluster.
    pub shards: u32,
    /// Replicas of each shard of a new cluster.
    pub replication: u32,
    /// Between a leader's heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest election timeout.
    pub election_min_ms: u64,
    /// Longest election timeout.
    pub election_max_ms: u64,
    /// A shard is snapshotted once its log grew by this much.
    pub snapshot_log_mib: u64,
    /// Password of the user `default`, as long as the cluster keeps no definition of it; empty is none.
    pub requirepass: Secret,
    /// Without password, serve loopback clients only.
    pub protected_mode: bool,
    /// Client connections at once.
    pub maxclients: usize,
    /// Greatest bulk string of a request.
    pub proto_max_bulk_len: usize,
    /// How long a command is retried while its shard has no leader.
    pub retry_ms_max: u64,
    /// How long a stopping node takes at most to hand over and drain.
    pub shutdown_ms_max: u64,
    /// Idle connections are closed after so many seconds; 0 never.
    pub timeout: u64,
    /// Seconds between TCP keepalive probes; 0 off.
    pub tcp_keepalive: u64,
    /// Commands that took at least so many microseconds enter the slow log; below zero none does.
    pub slowlog_log_slower_than: i64,
    /// Entries of the slow log.
    pub slowlog_max_len: usize,
    /// Events that took at least so many milliseconds are noted by the latency monitor; 0 off.
    pub latency_monitor_threshold: u64,
    /// Who may use DEBUG.
    pub enable_debug_command: DebugAccess,
    /// The file this was read from, for CONFIG REWRITE.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Text or JSON.
    pub log_format: LogFormat,
    /// `error` … `trace`, or a tracing filter such as `info,rivermark_raft=debug`.
    pub log_level: String,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            node_id: 1,
            role: Role::Replica,
            data_dir: PathBuf::from("rivermark-data"),
            bind: loopback,
            port: 6379,
            tls_port: 0,
            tls_cert_file: PathBuf::new(),
            tls_key_file: PathBuf::new(),
            tls_ca_cert_file: PathBuf::new(),
            tls_auth_clients: AuthClients::Yes,
            tls_cluster: false,
            rpc_address: SocketAddr::new(loopback, 16379),
            http_address: SocketAddr::new(loopback, 8379),
            advertise_resp_address: String::new(),
            advertise_resp_tls_address: String::new(),
            advertise_rpc_address: String::new(),
            advertise_http_address: String::new(),
            initial_nodes: Vec::new(),
            shards: 3,
            replication: 3,
            heartbeat_ms: 100,
            election_min_ms: 300,
            election_max_ms: 600,
            snapshot_log_mib: 64,
            requirepass: Secret::default(),
            protected_mode: true,
            maxclients: limits::CLIENTS_DEFAULT,
            proto_max_bulk_len: limits::REQUEST_BULK_BYTES_MAX,
            retry_ms_max: 10_000,
            shutdown_ms_max: 10_000,
            timeout: 0,
            tcp_keepalive: 300,
            slowlog_log_slower_than: 100_000,
            slowlog_max_len: 128,
            latency_monitor_threshold: 0,
            enable_debug_command: DebugAccess::No,
            file: None,
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A source could not be read, or a key or value is unknown.
    #[error("{0}")]
    Source(Box<figment::Error>),
    /// The file is not there.
    #[error("configuration file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// The values contradict each other.
    #[error("{key}: {reason}")]
    Invalid {
        /// The key to change.
        key: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl Config {
    /// Reads all sources and checks the result. `flags` holds only what the command line gave.
    ///
    /// # Errors
    /// [`ConfigError`] names the key and, where there is one, its source.
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            if !path.is_file() {
                return Err(ConfigError::Missing(path.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        let known = Self::keys();
        let variables = Env::prefixed(ENV_PREFIX)
            .map(|key| key.as_str().to_ascii_lowercase().replace('_', "-").into())
            .filter(move |key| known.iter().any(|known| key == known.as_str()));
        let mut config: Self = figment
            .merge(variables)
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| ConfigError::Source(Box::new(error)))?;
        config.check()?;
        config.file = file.map(Path::to_owned);
        Ok(config)
    }

    /// The names of all keys, as in the file.
    pub fn keys() -> Vec<String> {
        match serde_json::to_value(Self::default()) {
            Ok(serde_json::Value::Object(map)) => map.keys().cloned().collect(),
            _ => unreachable!("a struct serializes to an object"),
        }
    }

    /// `RIVERMARK_…` variables that name no key: told at start, since a misspelt one would go unnoticed.
    pub fn unknown_variables() -> Vec<String> {
        let known = Self::keys();
        let key_of =
            |name: &str| name.strip_prefix(ENV_PREFIX).map(|key| key.to_ascii_lowercase().replace('_', "-"));
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| key_of(name).is_some_and(|key| !known.contains(&key)))
            .collect()
    }

    /// What the log shows at start: the file this configuration amounts to, secrets hidden.
    pub fn redacted(&self) -> String {
        let mut shown = self.clone();
        if shown.requirepass.reveal().is_some() {
            shown.requirepass = Secret::new("***");
        }
        serde_json::to_string(&shown).unwrap_or_default()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |key, reason: String| Err(ConfigError::Invalid { key, reason });
        if self.node_id == 0 {
            return fail("node-id", "must be at least 1".to_owned());
        }
        if self.shards == 0 {
            return fail("shards", "must be at least 1".to_owned());
        }
        if self.heartbeat_ms == 0 || self.election_min_ms * 2 <= self.heartbeat_ms * 5 {
            let bound = self.heartbeat_ms.max(1) * 5 / 2;
            return fail("election-min-ms", format!("must be more than two and a half heartbeats ({bound})"));
        }
        if self.election_max_ms <= self.election_min_ms {
            return fail("election-max-ms", "must be greater than election-min-ms".to_owned());
        }
        if self.snapshot_log_mib == 0 {
            return fail("snapshot-log-mib", "must be at least 1".to_owned());
        }
        if self.maxclients == 0 {
            return fail("maxclients", "must be at least 1".to_owned());
        }
        if self.slowlog_max_len as u64 > limits::SLOW_LOG_ENTRIES_MAX {
            return fail("slowlog-max-len", format!("must be at most {}", limits::SLOW_LOG_ENTRIES_MAX));
        }
        if !(1024..=limits::REQUEST_BULK_BYTES_MAX).contains(&self.proto_max_bulk_len) {
            let max = limits::REQUEST_BULK_BYTES_MAX;
            return fail("proto-max-bulk-len", format!("must lie between 1024 and {max} bytes"));
        }
        self.check_tls()?;
        self.check_addresses()?;
        self.check_founders()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), toml).expect("written");
        Config::load(Some(file.path()), serde_json::json!({}))
    }

    #[test]
    fn the_sample_lists_every_key_with_its_default() {
        let sample = include_str!("../../../deploy/rivermark.toml");
        let keys: Vec<String> = match sample.parse::<toml::Table>() {
            Ok(table) => table.keys().cloned().collect(),
            Err(error) => panic!("{error}"),
        };
        let mut expected = Config::keys();
        expected.sort();
        assert_eq!(keys, expected);
        let loaded = Config { file: None, ..load(sample).expect("the sample is valid") };
        assert_eq!(loaded, Config::default());
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = load("snapshot-log-mb = 3").expect_err("unknown").to_string();
        assert!(error.contains("snapshot-log-mb"), "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "port = 7000\nmaxclients = 5").expect("written");
        let config = Config::load(Some(file.path()), serde_json::json!({ "port": 7001 })).expect("valid");
        assert_eq!((config.port, config.maxclients), (7001, 5));
    }

    #[test]
    fn contradictions_name_the_key_to_change() {
        let node = "id = 1\nrpc-address = \"a:1\"\nresp-address = \"a:2\"\nhttp-address = \"a:3\"";
        for (toml, key) in [
            ("node-id = 0".to_owned(), "node-id"),
            ("election-min-ms = 150".to_owned(), "election-min-ms"),
            ("election-max-ms = 300".to_owned(), "election-max-ms"),
            ("advertise-resp-address = \"nowhere\"".to_owned(), "advertise-resp-address"),
            (format!("[[initial-nodes]]\n{node}\n[[initial-nodes]]\n{node}"), "initial-nodes"),
            (format!("[[initial-nodes]]\n{node}"), "replication"),
            ("port = 0".to_owned(), "port"),
            ("tls-port = 6379".to_owned(), "tls-port"),
            ("tls-port = 1".to_owned(), "tls-cert-file"),
            ("tls-cluster = true\ntls-cert-file = \"a\"".to_owned(), "tls-key-file"),
            ("tls-port = 1\ntls-cert-file = \"a\"\ntls-key-file = \"a\"".to_owned(), "tls-ca-cert-file"),
        ] {
            let error = load(&toml).expect_err(key).to_string();
            assert!(error.starts_with(key), "{key}: {error}");
        }
    }

    #[test]
    fn a_node_tells_the_ports_it_has() {
        let told = |toml: &str| {
            let files = "tls-cert-file = \"c\"\ntls-key-file = \"k\"\ntls-auth-clients = \"no\"";
            let config = load(&format!("{files}\n{toml}")).expect("valid");
            let InitialNode { resp_address, resp_tls_address, .. } = config.founders().remove(0);
            format!("{resp_address} {resp_tls_address}")
        };
        assert_eq!(told(""), "127.0.0.1:6379 ");
        assert_eq!(told("tls-port = 7000"), "127.0.0.1:6379 127.0.0.1:7000");
        assert_eq!(told("tls-port = 7000\nport = 0"), " 127.0.0.1:7000");
        assert_eq!(told("tls-port = 7000\nadvertise-resp-address = \"h:1\""), "h:1 h:7000");
        assert_eq!(told("tls-port = 7000\nadvertise-resp-tls-address = \"h:1\""), "127.0.0.1:6379 h:1");
        let node =
            "replication = 1\n[[initial-nodes]]\nid = 1\nrpc-address = \"a:1\"\nhttp-address = \"a:3\"";
        assert_eq!(told(&format!("tls-port = 7000\n{node}\nresp-address = \"a:2\"")), "a:2 a:7000");
        assert_eq!(told(&format!("tls-port = 7000\nport = 0\n{node}\nresp-tls-address = \"b:9\"")), " b:9");
    }

    #[test]
    fn passwords_are_not_shown() {
        let config = Config { requirepass: Secret::new("hunter2"), ..Config::default() };
        assert!(!format!("{config:?}{}", config.redacted()).contains("hunter2"));
    }
}
