//! `cargo xtask bench`: Rivermark beside its peers, in one run, on new data.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::prerequisites::ensure_debian_program;
use crate::workspace::{cargo, root, target_directory};

/// Ports of the servers started here.
const REDIS_PORT: u16 = 27_379;
const RIVERMARK_PORT: u16 = 27_479;

/// What to measure.
#[derive(Args)]
pub struct BenchArguments {
    /// Shards of the cluster under test.
    #[arg(long, default_value_t = 3)]
    shards: u16,
    /// Passed on to `rivermark bench`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds, starts the servers, measures, stops them.
///
/// # Errors
/// If something cannot be built, started or measured.
pub fn run(arguments: &BenchArguments) -> Result<()> {
    ensure_debian_program("redis-server", "redis-server").map_err(anyhow::Error::msg)?;
    let built = cargo(&root()).args(["build", "--release", "--bin", "rivermark"]).status()?;
    if !built.success() {
        bail!("the build failed");
    }
    let binary = target_directory().join("release/rivermark");
    let data = target_directory().join("bench-data");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    std::fs::create_dir_all(data.join("redis"))?;
    let _redis = start_redis(&data.join("redis"))?;
    let _rivermark = start_rivermark(&binary, &data.join("rivermark"), arguments.shards)?;
    let nodes: Vec<String> = (0..3).map(|node| format!("127.0.0.1:{}", RIVERMARK_PORT + node)).collect();
    let status = Command::new(&binary)
        .args(["bench", "--target", &format!("redis-appendfsync-always=127.0.0.1:{REDIS_PORT}")])
        .args(["--target", &format!("rivermark-3-nodes={}", nodes.join(","))])
        .args(&arguments.rest)
        .status()?;
    if !status.success() {
        bail!("the measurement failed");
    }
    Ok(())
}

/// A server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first, so that `dev` ends its children.
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_redis(folder: &Path) -> Result<Server> {
    let child = Command::new("redis-server")
        .args(["--port", &REDIS_PORT.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .context("starting redis-server")?;
    let server = Server(child);
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", REDIS_PORT)).is_err() {
        if Instant::now() > deadline {
            bail!("redis-server does not answer");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

fn start_rivermark(binary: &PathBuf, folder: &Path, shards: u16) -> Result<Server> {
    let mut child = Command::new(binary)
        .args(["dev", "--port", &RIVERMARK_PORT.to_string(), "--shards", &shards.to_string(), "--data-dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rivermark dev")?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let server = Server(child);
    for line in BufReader::new(stdout).lines() {
        if line?.trim() == "ready" {
            return Ok(server);
        }
    }
    bail!("the cluster did not get ready")
}
