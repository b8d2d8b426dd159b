//! `rivermark cluster status`, `doctor` and `health`: ask a node over HTTP and print what it says.

use std::time::Duration;

use anyhow::{Context, bail};
use comfy_table::{Table, presets};
use serde::de::DeserializeOwned;

use crate::args::{HealthArguments, ReportFormat, StatusArguments};
use crate::doctor::DoctorReport;
use crate::http_get::http_get;
use crate::status::ClusterStatus;

/// How long a node may take to answer what needs no examination.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Replicas of many gigabytes take their time to read themselves.
const EXAMINATION_MAX: Duration = Duration::from_secs(300);

/// Prints the status of the cluster.
///
/// # Errors
/// The node cannot be reached or answers nonsense.
pub async fn status(arguments: &StatusArguments) -> anyhow::Result<()> {
    let (status, text): (ClusterStatus, _) = ask(&arguments.address, "/v1/status", ANSWER_MAX).await?;
    match arguments.format {
        ReportFormat::Json => println!("{text}"),
        ReportFormat::Table => println!("{}", tables(&status)),
    }
    Ok(())
}

/// Has a node examine the cluster; returns whether nothing is wrong.
///
/// # Errors
/// The node cannot be reached or answers nonsense.
pub async fn doctor(arguments: &StatusArguments) -> anyhow::Result<bool> {
    let (report, text): (DoctorReport, _) = ask(&arguments.address, "/v1/doctor", EXAMINATION_MAX).await?;
    match arguments.format {
        ReportFormat::Json => println!("{text}"),
        ReportFormat::Table => println!("{}", examination(&report)),
    }
    Ok(report.is_sound)
}

/// Asks a node over HTTP for what it answers in JSON; the value, and the text as it came.
///
/// # Errors
/// It cannot be reached, refuses, or answers nonsense.
pub async fn ask<T: DeserializeOwned>(
    address: &str,
    path: &str,
    deadline: Duration,
) -> anyhow::Result<(T, String)> {
    let (code, body) = http_get(address, path, deadline)
        .await
        .context("no node answers there; --address takes a node's HTTP address, by default port 8379")?;
    if !code.is_success() {
        bail!("{address} answered {code}: {}", String::from_utf8_lossy(&body));
    }
    let value = serde_json::from_slice(&body).context("reading the node's answer")?;
    Ok((value, String::from_utf8_lossy(&body).into_owned()))
}

fn examination(report: &DoctorReport) -> String {
    let mut replicas = table(["shard", "compared at", "node", "digest"]);
    for shard in &report.shards {
        for (index, replica) in shard.replicas.iter().enumerate() {
            let first = |text: String| if index == 0 { text } else { String::new() };
            replicas.add_row([
                first(shard.id.to_string()),
                first(number(shard.index)),
                replica.node.to_string(),
                replica.digest.clone().unwrap_or_else(|| replica.reason.clone()),
            ]);
        }
    }
    let findings = report.findings.iter().map(|finding| format!("- {}: {}", finding.what, finding.advice));
    let verdict = if report.is_sound { "sound" } else { "not sound" };
    let mut lines = vec![replicas.to_string()];
    lines.extend(findings);
    lines.push(verdict.to_owned());
    lines.join("\n")
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
