//! `cargo xtask bench`: Rivermark beside its peers, in one run, on new data.

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::prerequisites::ensure_debian_program;
use crate::servers::{REDIS_PORT, RIVERMARK_PORT, release_binary, start_redis, start_rivermark};
use crate::workspace::target_directory;

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
    let binary = release_binary()?;
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
