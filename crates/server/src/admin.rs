//! `rivermark cluster status` and `rivermark health`: ask a node over HTTP and print what it says.

use std::time::Duration;

use anyhow::{Context, bail};
use comfy_table::{Table, presets};

use crate::args::{HealthArguments, ReportFormat, StatusArguments};
use crate::http_get::http_get;
use crate::status::ClusterStatus;

const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Prints the status of the cluster.
///
/// # Errors
/// The node cannot be reached or answers nonsense.
pub async fn status(arguments: &StatusArguments) -> anyhow::Result<()> {
    let (code, body) = http_get(&arguments.address, "/v1/status", ANSWER_MAX)
        .await
        .context("no node answers there; --address takes a node's HTTP address, by default port 8379")?;
    if !code.is_success() {
        bail!("{} answered {code}: {}", arguments.address, String::from_utf8_lossy(&body));
    }
    match arguments.format {
        ReportFormat::Json => println!("{}", String::from_utf8_lossy(&body)),
        ReportFormat::Table => {
            let status: ClusterStatus = serde_json::from_slice(&body).context("reading the node's answer")?;
            println!("{}", tables(&status));
        }
    }
    Ok(())
}

/// Asks a node whether it is ready to serve.
///
/// # Errors
/// The node cannot be reached, or says what it lacks.
pub async fn health(arguments: &HealthArguments) -> anyhow::Result<()> {
    let (code, body) = http_get(&arguments.address, "/readyz", ANSWER_MAX).await?;
    if !code.is_success() {
        bail!("{} is not ready: {}", arguments.address, String::from_utf8_lossy(&body).trim_end());
    }
    println!("ready");
    Ok(())
}

fn tables(status: &ClusterStatus) -> String {
    let health = if status.healthy { "healthy" } else { "degraded" };
    format!(
        "cluster {} epoch {} {health}\n{}\n{}",
        status.cluster_id,
        status.epoch,
        nodes(status),
        shards(status)
    )
}

fn nodes(status: &ClusterStatus) -> Table {
    let mut table =
        table(["node", "state", "version", "uptime s", "clients", "leads", "resp", "tls", "rpc", "http"]);
    for node in &status.nodes {
        table.add_row([
            node.id.to_string(),
            if node.reachable { "up" } else { "unreachable" }.to_owned(),
            node.version.clone(),
            (node.uptime_ms / 1000).to_string(),
            node.clients.to_string(),
            join(&node.leads),
            node.resp_address.clone(),
            node.resp_tls_address.clone(),
            node.rpc_address.clone(),
            node.http_address.clone(),
        ]);
    }
    table
}

fn shards(status: &ClusterStatus) -> Table {
    let mut table = table([
        "shard",
        "slots",
        "node",
        "role",
        "term",
        "log",
        "committed",
        "applied",
        "snapshot",
        "log KiB",
        "lag",
    ]);
    for shard in &status.shards {
        for (index, replica) in shard.replicas.iter().enumerate() {
            let first = |text: String| if index == 0 { text } else { String::new() };
            table.add_row([
                first(if shard.id == 0 { "0 (metadata)".to_owned() } else { shard.id.to_string() }),
                first(shard.slots.clone()),
                replica.node.to_string(),
                replica.role.clone(),
                first(shard.term.to_string()),
                number(replica.last_log),
                number(replica.committed),
                number(replica.applied),
                number(replica.snapshot),
                number(replica.log_bytes.map(|bytes| bytes / 1024)),
                number(replica.lag),
            ]);
        }
    }
    table
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_header(header);
    table
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn join(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
