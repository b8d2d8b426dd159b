//! `rivermark dev`: a whole cluster on this machine, made of real `rivermark server` processes.
//!
//! It owns its children: however it ends, they end (SIGTERM on a regular exit, the kernel's parent-death
//! signal otherwise). A child that dies is reported and left dead, so that a failover can be watched.

mod certificates;
mod report;

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use self::certificates::{Certificates, Pair};
use self::report::{NodeReport, Report, TlsReport};
use crate::args::{DevArguments, ReportFormat};
use crate::config::{Config, InitialNode};
use crate::http_get::http_get;

const RPC_PORT_OFFSET: u16 = 10_000;
const HTTP_PORT_OFFSET: u16 = 2_000;
const TLS_PORT_OFFSET: u16 = 1_000;
const SHUTDOWN_MS_MAX: u64 = 2_000;
const KILL_AFTER: Duration = Duration::from_secs(5);
const READY_POLL: Duration = Duration::from_millis(50);
const STILL_WAITING_EVERY: Duration = Duration::from_secs(10);
const REPLICATION_MAX: u32 = 3;

/// What a data folder was created with: a later start must agree.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Layout {
    nodes: u16,
    port: u16,
    shards: u32,
}

struct Node {
    id: u64,
    port: u16,
    data_dir: PathBuf,
    config: PathBuf,
    log: PathBuf,
}

struct Running {
    node: Node,
    pid: u32,
}

type Exits = FuturesUnordered<std::pin::Pin<Box<dyn Future<Output = (usize, ExitStatus)>>>>;

/// Runs the cluster until a signal, or until its last node died.
///
/// # Errors
/// When ports are taken, the data folder belongs to another layout, or a node cannot be started.
pub async fn run(arguments: DevArguments) -> anyhow::Result<ExitCode> {
    let data_dir = prepare_data_dir(&arguments)?;
    let nodes = plan(&arguments, &data_dir);
    check_ports(&nodes, arguments.tls)?;
    let certificates =
        arguments.tls.then(|| Certificates::prepare(&data_dir, arguments.nodes)).transpose()?;
    for node in &nodes {
        write_config(node, &nodes, &arguments, certificates.as_ref())?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let exits = Exits::new();
    let mut running = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let mut child = spawn(&node)?;
        let pid = child.id().context("a child just started has an id")?;
        running.push(Running { node, pid });
        exits.push(Box::pin(async move {
            let status = child.wait().await.unwrap_or_else(|error| panic!("waiting for a child: {error}"));
            (index, status)
        }));
    }
    let mut cluster = Cluster { running, certificates, exits, format: arguments.format };
    let code = tokio::select! {
        outcome = cluster.serve() => outcome?,
        _ = terminate.recv() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::SUCCESS,
    };
    cluster.stop().await;
    Ok(code)
}

struct Cluster {
    running: Vec<Running>,
    certificates: Option<Certificates>,
    exits: Exits,
    format: ReportFormat,
}

impl Cluster {
    /// Announces readiness, then reports deaths until none is left.
    async fn serve(&mut self) -> anyhow::Result<ExitCode> {
        let addresses: Vec<String> = self
            .running
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.node.port + HTTP_PORT_OFFSET))
            .collect();
        tokio::select! {
            () = all_ready(&addresses) => {}
            Some((index, status)) = self.exits.next() => {
                let node = &self.running[index].node;
                let tail = last_lines(&node.log, 15);
                bail!("node {} ended before it was ready ({status}). The end of {}:\n{tail}", node.id, node.log.display());
            }
        }
        println!("{}", self.report().render(self.format)?);
        while let Some((index, status)) = self.exits.next().await {
            let Running { node, pid } = &self.running[index];
            eprintln!("node {} (pid {pid}) ended: {status}. {} left.", node.id, self.exits.len());
            eprintln!("start it again with: rivermark server --config {}", node.config.display());
        }
        eprintln!("no node is left; their logs are beside {}", self.running[0].node.log.display());
        Ok(ExitCode::FAILURE)
    }

    async fn stop(mut self) {
        self.signal_all(Signal::TERM);
        let drained = async { while self.exits.next().await.is_some() {} };
        if tokio::time::timeout(KILL_AFTER, drained).await.is_err() {
            self.signal_all(Signal::KILL);
            while self.exits.next().await.is_some() {}
        }
    }

    /// Children that ended already were reaped by their exit future; their ids are signalled only while
    /// that future is pending.
    fn signal_all(&self, signal: Signal) {
        for Running { pid, .. } in &self.running {
            let Some(process) = i32::try_from(*pid).ok().and_then(Pid::from_raw) else { continue };
            if is_own_child(*pid) {
                let _ = kill_process(process, signal);
            }
        }
    }

    fn report(&self) -> Report {
        let at = |port: u16| format!("127.0.0.1:{port}");
        let row = |Running { node, pid }: &Running| NodeReport {
            id: node.id,
            pid: *pid,
            resp_address: at(node.port),
            tls_address: self.certificates.as_ref().map(|_| at(node.port + TLS_PORT_OFFSET)),
            rpc_address: at(node.port + RPC_PORT_OFFSET),
            http_address: at(node.port + HTTP_PORT_OFFSET),
            data_dir: node.data_dir.clone(),
            config: node.config.clone(),
            log: node.log.clone(),
        };
        let tls = self.certificates.as_ref().map(|certificates| {
            let Pair { certificate, key } = certificates.client();
            TlsReport { authority: certificates.authority(), certificate, key }
        });
        Report { nodes: self.running.iter().map(row).collect(), tls }
    }
}

/// Guards against an id that the kernel gave to someone else after our child was reaped.
fn is_own_child(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            let after_name = stat.rsplit_once(") ")?.1.to_owned();
            after_name.split(' ').nth(1)?.parse::<u32>().ok()
        })
        .is_some_and(|parent| parent == std::process::id())
}

fn prepare_data_dir(arguments: &DevArguments) -> anyhow::Result<PathBuf> {
    let path = &arguments.data_dir;
    std::fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
    let path = path.canonicalize()?;
    let layout = Layout { nodes: arguments.nodes, port: arguments.port, shards: arguments.shards };
    let file = path.join("dev.toml");
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let found: Layout =
                toml::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
            if found != layout {
                bail!(
                    "{} holds a cluster made with --nodes {} --port {} --shards {}: repeat these, or choose another --data-dir",
                    path.display(),
                    found.nodes,
                    found.port,
                    found.shards
                );
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(&file, toml::to_string(&layout)?)?;
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    }
    Ok(path)
}

fn plan(arguments: &DevArguments, data_dir: &Path) -> Vec<Node> {
    (0..arguments.nodes)
        .map(|index| {
            let id = u64::from(index) + 1;
            Node {
                id,
                port: arguments.port + index,
                data_dir: data_dir.join(format!("node-{id}")),
                config: data_dir.join(format!("node-{id}.toml")),
                log: data_dir.join(format!("node-{id}.log")),
            }
        })
        .collect()
}

fn check_ports(nodes: &[Node], tls: bool) -> anyhow::Result<()> {
    let mut ports = vec![(0, "RESP"), (RPC_PORT_OFFSET, "node RPC"), (HTTP_PORT_OFFSET, "HTTP")];
    if tls {
        ports.push((TLS_PORT_OFFSET, "RESP over TLS"));
    }
    for node in nodes {
        for (offset, purpose) in &ports {
            let port = node.port + *offset;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
                format!("port {port} ({purpose} of node {}) is not free; try another --port", node.id)
            })?;
        }
    }
    Ok(())
}

fn write_config(
    node: &Node,
    nodes: &[Node],
    arguments: &DevArguments,
    certificates: Option<&Certificates>,
) -> anyhow::Result<()> {
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let initial_nodes = nodes
        .iter()
        .map(|node| InitialNode {
            id: node.id,
            rpc_address: at(node.port + RPC_PORT_OFFSET).to_string(),
            resp_address: at(node.port).to_string(),
            resp_tls_address: certificates
                .map(|_| at(node.port + TLS_PORT_OFFSET).to_string())
                .unwrap_or_default(),
            http_address: at(node.port + HTTP_PORT_OFFSET).to_string(),
        })
        .collect();
    let mut config = Config {
        node_id: node.id,
        data_dir: node.data_dir.clone(),
        port: node.port,
        rpc_address: at(node.port + RPC_PORT_OFFSET),
        http_address: at(node.port + HTTP_PORT_OFFSET),
        initial_nodes,
        shards: arguments.shards,
        replication: REPLICATION_MAX.min(u32::from(arguments.nodes)),
        shutdown_ms_max: SHUTDOWN_MS_MAX,
        log_level: arguments.log_level.clone(),
        ..Config::default()
    };
    if let Some(certificates) = certificates {
        let Pair { certificate, key } = certificates.node(node.id);
        config.tls_port = node.port + TLS_PORT_OFFSET;
        config.tls_cert_file = certificate;
        config.tls_key_file = key;
        config.tls_ca_cert_file = certificates.authority();
        config.tls_cluster = true;
    }
    std::fs::write(&node.config, toml::to_string(&config)?)
        .with_context(|| format!("writing {}", node.config.display()))
}

fn spawn(node: &Node) -> anyhow::Result<Child> {
    let log: File = OpenOptions::new().create(true).append(true).open(&node.log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("server")
        .arg("--config")
        .arg(&node.config)
        .arg("--parent-pid")
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A Ctrl-C at the terminal reaches this process alone, which then stops its children in order.
        .process_group(0)
        .kill_on_drop(true);
    // Variables would win over each node's own file.
    for key in Config::keys() {
        command.env_remove(format!("RIVERMARK_{}", key.replace('-', "_").to_ascii_uppercase()));
    }
    command.spawn().with_context(|| format!("starting node {}", node.id))
}

async fn all_ready(addresses: &[String]) {
    let started = Instant::now();
    let mut reported = Duration::ZERO;
    for address in addresses {
        while !is_ready(address).await {
            if started.elapsed() > reported + STILL_WAITING_EVERY {
                reported = started.elapsed();
                eprintln!("still waiting for {address} ({} s)", reported.as_secs());
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

async fn is_ready(address: &str) -> bool {
    http_get(address, "/readyz", Duration::from_secs(1)).await.is_ok_and(|(status, _)| status.is_success())
}

fn last_lines(path: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
