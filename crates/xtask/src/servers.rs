//! Servers started for a measurement, and ended with it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::{cargo, root, target_directory};

/// Where the redis-server started here listens.
pub const REDIS_PORT: u16 = 27_379;
/// Where the first node of the cluster started here listens.
pub const RIVERMARK_PORT: u16 = 27_479;

/// The release binary, built anew.
///
/// # Errors
/// If it cannot be built.
pub fn release_binary() -> Result<PathBuf> {
    let built = cargo(&root()).args(["build", "--release", "--bin", "rivermark"]).status()?;
    if !built.success() {
        bail!("the build failed");
    }
    Ok(target_directory().join("release/rivermark"))
}

/// A server that ends with this value.
pub struct Server {
    child: Child,
    /// The processes of a cluster's nodes; none of other servers.
    pub node_pids: Vec<u32>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first, so that `dev` ends its children.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a redis-server that syncs every write.
///
/// # Errors
/// If it does not answer.
pub fn start_redis(folder: &Path) -> Result<Server> {
    let child = Command::new("redis-server")
        .args(["--port", &REDIS_PORT.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .context("starting redis-server")?;
    let server = Server { child, node_pids: Vec::new() };
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", REDIS_PORT)).is_err() {
        if Instant::now() > deadline {
            bail!("redis-server does not answer");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// Starts a three-node cluster on new data.
///
/// # Errors
/// If it does not get ready.
pub fn start_rivermark(binary: &Path, folder: &Path, shards: u16) -> Result<Server> {
    let mut child = Command::new(binary)
        .args(["dev", "--format", "json", "--port", &RIVERMARK_PORT.to_string()])
        .args(["--shards", &shards.to_string(), "--data-dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rivermark dev")?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut server = Server { child, node_pids: Vec::new() };
    let mut report = String::new();
    BufReader::new(stdout).read_line(&mut report)?;
    server.node_pids = pids_of(&report).context("the cluster did not get ready")?;
    Ok(server)
}

/// The process ids in what `rivermark dev --format json` printed.
fn pids_of(report: &str) -> Option<Vec<u32>> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    let pid = |node: &serde_json::Value| node["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    report["nodes"].as_array()?.iter().map(pid).collect()
}
