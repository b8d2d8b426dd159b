//! The command line. Help is the first documentation a user reads, hence the examples.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rivermark_bench::BenchArguments;
use serde::Serialize;

use crate::config::{AuthClients, LogFormat, Role};

const EXAMPLES: &str = "\
Examples:
  rivermark dev                            three nodes on this machine; then: redis-cli XADD orders '*' item 1
  rivermark server                         one node alone, data in ./rivermark-data
  rivermark server --config node-1.toml    one node of a cluster
  rivermark cluster status                 who leads, who lags";

const DEV_EXAMPLES: &str = "\
Examples:
  rivermark dev                               RESP on 6379, 6380, 6381; data in ./rivermark-data
  rivermark dev --port 7000 --data-dir /tmp/try
  rivermark dev --nodes 5 --shards 8
  rivermark dev --tls                         prints the redis-cli line to use

Node i (from 0) serves clients on port+i, other nodes on port+10000+i, HTTP on port+2000+i;
with --tls, clients on port+1000+i too.
Started again on the same data folder, the cluster resumes. To see a failover, kill one of the
printed process ids: clients of the other nodes only notice a pause.";

const SERVER_EXAMPLES: &str = "\
Examples:
  rivermark server --data-dir /var/lib/rivermark
  rivermark server --config /etc/rivermark.toml --log-level debug
  RIVERMARK_REQUIREPASS=secret rivermark server --bind 0.0.0.0

All keys, units and defaults are listed in deploy/rivermark.toml. SIGTERM hands leadership over, answers what
is in flight and exits 0.";

const STATUS_EXAMPLES: &str = "\
Examples:
  rivermark cluster status
  rivermark cluster status --address 10.0.0.2:8379 --format json | jq '.shards[].leader'";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  rivermark doctor
  rivermark doctor --address 10.0.0.2:8379 --format json | jq .findings

Exits 1 if anything is wrong. Replicas are compared at the same place of each shard's log while the cluster
serves; each reads its whole memory for that.";

const ADD_NODE_EXAMPLES: &str = "\
Examples:
  rivermark server --config node-4.toml &                 a new id, the founding nodes as initial-nodes
  rivermark cluster add-node 10.0.0.4:8379 --address 10.0.0.1:8379
  rivermark cluster rebalance --address 10.0.0.1:8379     or: replace-node 2 4";

const BENCH_EXAMPLES: &str = "\
Examples:
  rivermark bench                                             1x1, 50x1 and 50x32 on 127.0.0.1:6379
  rivermark bench --target redis=127.0.0.1:7000 --target rivermark=127.0.0.1:6379,127.0.0.1:6380 --shape 50x32

Targets are measured in turn, round after round; the last is compared with each other one.";

/// A clustered, replicated stream broker that speaks Redis Streams.
#[derive(Debug, Parser)]
#[command(name = "rivermark", version, about, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run a whole cluster on this machine
    #[command(after_help = DEV_EXAMPLES)]
    Dev(DevArguments),
    /// Run one node
    #[command(after_help = SERVER_EXAMPLES)]
    Server(Box<ServerArguments>),
    /// Measure XADD on one or more servers that speak RESP
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArguments),
    /// Examine a cluster: nodes, leaders, lags, and whether all replicas hold the same
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(StatusArguments),
    /// Exit 0 if a node is ready to serve (for container health checks)
    Health(HealthArguments),
    /// Look at a cluster, or change it
    Cluster {
        /// What to look at, or to change.
        #[command(subcommand)]
        action: ClusterAction,
    },
}

/// `rivermark cluster …`.
#[derive(Debug, Subcommand)]
pub enum ClusterAction {
    /// Nodes, shards, leaders, positions and health
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArguments),
    /// Changes of who holds what.
    #[command(flatten)]
    Operate(OperateArguments),
}

/// What the subcommands that change a cluster have in common.
#[derive(Clone, Debug, Args)]
pub struct OperateTarget {
    /// HTTP address of any node that stays
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8379")]
    pub address: String,
    /// Configuration of a node, for the certificates where nodes speak TLS with each other
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long to watch; the cluster goes on by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub wait_seconds: u64,
}

/// `rivermark cluster add-node` and the like.
#[derive(Clone, Debug, Subcommand)]
pub enum OperateArguments {
    /// Take a running node into the cluster
    #[command(after_help = ADD_NODE_EXAMPLES)]
    AddNode {
        /// HTTP address of the new node
        #[arg(value_name = "HOST:PORT")]
        node: String,
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
    /// Move everything off a node, so that it can be stopped or removed
    Drain {
        /// Which
        #[arg(value_name = "NODE")]
        node: u64,
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
    /// Drain a node, then forget it; its id is never used again
    RemoveNode {
        /// Which
        #[arg(value_name = "NODE")]
        node: u64,
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
    /// Give all that a node holds to another, and forget the first; for a node whose disk is lost
    ReplaceNode {
        /// The node that goes; it need not run
        #[arg(value_name = "OLD")]
        old: u64,
        /// The node that takes over, added before
        #[arg(value_name = "NEW")]
        new: u64,
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
    /// Even out replicas over the nodes
    Rebalance {
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
    /// Have a node lead a shard, now and whenever it can
    TransferLeader {
        /// Which shard
        #[arg(value_name = "SHARD")]
        shard: u32,
        /// Who is to lead
        #[arg(value_name = "NODE")]
        node: u64,
        /// Where the cluster is.
        #[command(flatten)]
        target: OperateTarget,
    },
}

impl OperateArguments {
    /// Where the cluster is.
    pub fn target(&self) -> &OperateTarget {
        match self {
            Self::AddNode { target, .. }
            | Self::Drain { target, .. }
            | Self::RemoveNode { target, .. }
            | Self::ReplaceNode { target, .. }
            | Self::Rebalance { target }
            | Self::TransferLeader { target, .. } => target,
        }
    }
}

/// `rivermark dev`.
#[derive(Clone, Debug, Args)]
pub struct DevArguments {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub nodes: u16,
    /// The first node's RESP port
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1024..=55_000))]
    pub port: u16,
    /// Stream shards of a new cluster
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub shards: u32,
    /// Where the nodes keep their data, one folder each
    #[arg(long, value_name = "DIR", default_value = "rivermark-data")]
    pub data_dir: PathBuf,
    /// TLS too: on port+1000 for clients, and between the nodes; certificates are made in DIR/tls
    #[arg(long)]
    pub tls: bool,
    /// Log level of the nodes (their logs are in DIR/node-N.log)
    #[arg(long, default_value = "info")]
    pub log_level: String,
    /// What is printed when all nodes are ready: a table and `ready`, or one line of JSON
    #[arg(long, value_enum, default_value = "table")]
    pub format: ReportFormat,
}

/// `rivermark server`. Flags that are not given stay out of the way of the file and the environment.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerArguments {
    /// TOML file with any of the keys
    #[arg(long, value_name = "FILE", env = "RIVERMARK_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// End when this process ends (set by `rivermark dev`)
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub parent_pid: Option<i32>,
    /// This node's number
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<u64>,
    /// Hold replicas, or only route
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Folder for everything durable
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Address clients connect to
    #[arg(long, value_name = "IP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<IpAddr>,
    /// Port clients connect to; 0: only the TLS port
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Port clients connect to over TLS; 0: none
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_port: Option<u16>,
    /// This node's certificate, with those between it and the CA (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_file: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// CAs that sign the certificates of clients and nodes (PEM)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_cert_file: Option<PathBuf>,
    /// Whether clients must show a certificate
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_auth_clients: Option<AuthClients>,
    /// Mutual TLS between the nodes
    #[arg(long, value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cluster: Option<bool>,
    /// Where other nodes connect
    #[arg(long, value_name = "IP:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_address: Option<SocketAddr>,
    /// Where health, metrics and status are served
    #[arg(long, value_name = "IP:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_address: Option<SocketAddr>,
    /// What clients are told, if it differs from bind and port
    #[arg(long, value_name = "HOST:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_resp_address: Option<String>,
    /// What clients that use TLS are told
    #[arg(long, value_name = "HOST:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_resp_tls_address: Option<String>,
    /// What other nodes are told
    #[arg(long, value_name = "HOST:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_rpc_address: Option<String>,
    /// What operators' tools are told
    #[arg(long, value_name = "HOST:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_http_address: Option<String>,
    /// Stream shards of a new cluster
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// Replicas of each shard of a new cluster
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<u32>,
    /// Client connections at once
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxclients: Option<usize>,
    /// Without password, refuse clients that are not on this machine
    #[arg(long, value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_mode: Option<bool>,
    /// text or json
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "LEVEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
}

/// `rivermark health`.
#[derive(Clone, Debug, Args)]
pub struct HealthArguments {
    /// HTTP address of the node
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8379")]
    pub address: String,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// `rivermark cluster status` and `rivermark doctor`.
#[derive(Clone, Debug, Args)]
pub struct StatusArguments {
    /// HTTP address of any node
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8379")]
    pub address: String,
    /// table or json
    #[arg(long, value_enum, default_value = "table")]
    pub format: ReportFormat,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn only_given_flags_are_passed_on() {
        let Ok(Arguments { action: Action::Server(flags) }) =
            Arguments::try_parse_from(["rivermark", "server", "--port", "7000"])
        else {
            panic!("server with a port is a command");
        };
        assert_eq!(serde_json::to_value(&flags).expect("json"), serde_json::json!({ "port": 7000 }));
    }
}
