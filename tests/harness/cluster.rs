//! A cluster of real `rivermark` processes, started as the README says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ports::free_base;
use crate::resp::{Connection, Reply};

/// `rivermark dev` and its nodes. Nodes are counted from 0, as their ports are.
pub struct Cluster {
    base: u16,
    nodes: u16,
    tls: bool,
    dev: Option<Child>,
    restarted: Vec<Child>,
    /// The process of each node.
    pids: Vec<u32>,
    folder: TempDir,
}

/// A node that the cluster was not founded with.
#[derive(Clone, Copy, Debug)]
pub struct Outsider {
    /// RESP.
    pub port: u16,
    /// HTTP.
    pub http_port: u16,
}

impl Cluster {
    /// Starts a cluster on new data and waits until it is ready.
    ///
    /// # Panics
    /// If it is not ready within a minute.
    pub fn start(nodes: u16, shards: u16) -> Self {
        Self::make(nodes, shards, false)
    }

    /// The same with `--tls`: for clients, and between the nodes.
    ///
    /// # Panics
    /// If it is not ready within a minute.
    pub fn start_tls(nodes: u16, shards: u16) -> Self {
        Self::make(nodes, shards, true)
    }

    fn make(nodes: u16, shards: u16, tls: bool) -> Self {
        let offsets: Vec<u16> = (0..nodes).flat_map(|n| [n, n + 1000, n + 2000, n + 10_000]).collect();
        let folder = TempDir::new().expect("a temporary folder");
        let (dev, restarted, pids) = (None, Vec::new(), Vec::new());
        let mut cluster = Self { base: free_base(&offsets), nodes, tls, dev, restarted, pids, folder };
        cluster.run_dev(shards);
        cluster
    }

    /// Starts `rivermark dev` on the data there is.
    ///
    /// # Panics
    /// If it is not ready within a minute.
    pub fn run_dev(&mut self, shards: u16) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("dev.log"))
            .expect("a log file");
        let mut dev = Command::new(binary())
            .args(["dev", "--format", "json", "--nodes", &self.nodes.to_string()])
            .args(["--port", &self.base.to_string(), "--shards", &shards.to_string(), "--data-dir"])
            .arg(self.data())
            .args(self.tls.then_some("--tls"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary is built: cargo xtask test sees to it");
        let stdout = dev.stdout.take().expect("stdout is piped");
        self.dev = Some(dev);
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            let mut report = String::new();
            if BufReader::new(stdout).read_line(&mut report).is_ok() {
                let _ = sender.send(report);
            }
        });
        match ready.recv_timeout(Duration::from_secs(60)).ok().and_then(|report| pids_of(&report)) {
            Some(pids) => self.pids = pids,
            None => {
                let log = fs::read_to_string(self.folder.path().join("dev.log")).unwrap_or_default();
                let tail = &log[log.len().saturating_sub(4000)..];
                panic!("the cluster did not get ready within a minute:\n{tail}");
            }
        }
        assert_eq!(self.pids.len(), usize::from(self.nodes), "the report names every node's process");
    }

    /// The RESP port of a node.
    pub fn port(&self, node: u16) -> u16 {
        self.base + node
    }

    /// The RESP port of a node for TLS.
    pub fn tls_port(&self, node: u16) -> u16 {
        self.base + 1000 + node
    }

    /// The HTTP port of a node.
    pub fn http_port(&self, node: u16) -> u16 {
        self.base + 2000 + node
    }

    /// The process id of a node.
    pub fn pid(&self, node: u16) -> u32 {
        self.pids[usize::from(node)]
    }

    /// `kill -9` of a node.
    pub fn kill(&self, node: u16) {
        self.signal(node, Signal::KILL);
    }

    /// Sends a signal to a node.
    pub fn signal(&self, node: u16, signal: Signal) {
        let pid = i32::try_from(self.pid(node)).ok().and_then(Pid::from_raw).expect("a pid is positive");
        let _ = kill_process(pid, signal);
    }

    /// Starts a stopped node on its data, as an operator would: once the old process is gone, which after
    /// SIGTERM takes as long as its hand-over.
    pub fn restart(&mut self, node: u16) {
        self.wait_for_end(node);
        let id = node + 1;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.data().join(format!("node-{id}.log")))
            .expect("a log");
        let child = Command::new(binary())
            .args(["server", "--config"])
            .arg(self.data().join(format!("node-{id}.toml")))
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary is built");
        self.pids[usize::from(node)] = child.id();
        self.restarted.push(child);
        self.wait_until("the node answers", |cluster| {
            Connection::open(cluster.port(node))
                .and_then(|mut c| c.command(&["PING"]))
                .is_ok_and(|r| !r.is_error())
        });
    }

    fn wait_for_end(&mut self, node: u16) {
        let pid = self.pid(node);
        let deadline = Instant::now() + Duration::from_secs(30);
        while Path::new(&format!("/proc/{pid}")).exists() {
            assert!(Instant::now() < deadline, "node {node} did not end");
            // A node started here is our child and stays a zombie until it is waited for.
            for child in &mut self.restarted {
                let _ = child.try_wait();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a node without replicas beside the others; its RESP port.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn start_router(&mut self) -> u16 {
        let port = self.start_router_with(|_| {});
        self.wait_until("the router answers", |_| {
            Connection::open(port).and_then(|mut c| c.command(&["PING"])).is_ok_and(|r| !r.is_error())
        });
        port
    }

    /// Starts a node that could hold replicas and is not of the cluster yet.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn start_node(&mut self, id: u16) -> Outsider {
        let port = self.start_router_with(|config| {
            config.insert("node-id".to_owned(), i64::from(id).into());
            config.insert("role".to_owned(), "replica".into());
        });
        self.wait_until("the new node answers", |_| Connection::open(port).is_ok());
        Outsider { port, http_port: port + 2000 }
    }

    /// `rivermark cluster …`, by way of the first node.
    pub fn operate(&self, arguments: &[&str]) -> Output {
        let address = format!("127.0.0.1:{}", self.http_port(0));
        Command::new(binary())
            .arg("cluster")
            .args(arguments)
            .args(["--address", &address])
            .output()
            .expect("the binary runs")
    }

    /// [`Self::start_router`] with its configuration changed, and before it knows the cluster.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start_router_with(&mut self, change: impl FnOnce(&mut toml::Table)) -> u16 {
        let port = free_base(&[0, 1000, 2000, 10_000]);
        let text = fs::read_to_string(self.data().join("node-1.toml")).expect("dev wrote it");
        let mut config: toml::Table = text.parse().expect("dev wrote TOML");
        let address = |port: u16| toml::Value::from(format!("127.0.0.1:{port}"));
        config.insert("node-id".to_owned(), 100.into());
        config.insert("role".to_owned(), "router".into());
        config.insert(
            "data-dir".to_owned(),
            self.data().join(format!("router-{port}")).to_string_lossy().into_owned().into(),
        );
        config.insert("port".to_owned(), i64::from(port).into());
        config.insert("rpc-address".to_owned(), address(port + 10_000));
        config.insert("http-address".to_owned(), address(port + 2000));
        if self.tls {
            config.insert("tls-port".to_owned(), i64::from(port + 1000).into());
        }
        change(&mut config);
        let path = self.data().join(format!("router-{port}.toml"));
        fs::write(&path, config.to_string()).expect("the folder is ours");
        let log = fs::File::create(self.data().join(format!("router-{port}.log"))).expect("a log");
        let child = Command::new(binary())
            .args(["server", "--config"])
            .arg(&path)
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary is built");
        self.restarted.push(child);
        self.wait_until("the router listens", |_| Connection::open(port).is_ok());
        port
    }

    /// A connection to a node.
    ///
    /// # Panics
    /// If the node does not listen.
    pub fn connect(&self, node: u16) -> Connection {
        Connection::open(self.port(node)).unwrap_or_else(|error| panic!("node {node}: {error}"))
    }

    /// `rivermark cluster status` in JSON, asked of a node.
    ///
    /// # Panics
    /// If the command fails.
    pub fn status(&self, node: u16) -> serde_json::Value {
        let output = Command::new(binary())
            .args(["cluster", "status", "--format", "json", "--address"])
            .arg(format!("127.0.0.1:{}", self.http_port(node)))
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("status is JSON")
    }

    /// `rivermark doctor` in JSON, asked of a node, or `None` if that node cannot be asked.
    pub fn doctor(&self, node: u16) -> Option<serde_json::Value> {
        let output = Command::new(binary())
            .args(["doctor", "--format", "json", "--address"])
            .arg(format!("127.0.0.1:{}", self.http_port(node)))
            .output()
            .expect("the binary runs");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Whatever a test did, replicas must not differ.
    fn check_replicas(&self) {
        let Some(report) = (0..self.nodes).find_map(|node| self.doctor(node)) else { return };
        assert_eq!(report["replicas_differ"], false, "{report:#}");
    }

    /// Waits for a condition, at most 30 seconds.
    ///
    /// # Panics
    /// If it does not come true.
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends every process without notice and forgets them; the data stays.
    pub fn kill_all(&mut self) {
        // None are known if `dev` did not get that far: its nodes end with it.
        for node in 0..u16::try_from(self.pids.len()).expect("as many as nodes") {
            self.kill(node);
        }
        if let Some(mut dev) = self.dev.take() {
            let _ = dev.kill();
            let _ = dev.wait();
        }
        for mut child in self.restarted.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        // A killed process holds its ports until the kernel has taken it apart.
        self.wait_until("the nodes are gone", |cluster| {
            cluster.pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        });
    }

    /// Where the nodes keep their data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_replicas();
        }
        self.kill_all();
    }
}

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("RIVERMARK_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/rivermark"),
        PathBuf::from,
    )
}

/// The text of a reply that must not be an error.
///
/// # Panics
/// If it is an error or holds no text.
pub fn text_of(reply: &Reply) -> String {
    reply.text().unwrap_or_else(|| panic!("not a string: {reply:?}"))
}

/// The process ids in what `rivermark dev --format json` printed.
fn pids_of(report: &str) -> Option<Vec<u32>> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    let pid = |node: &serde_json::Value| node["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    report["nodes"].as_array()?.iter().map(pid).collect()
}
