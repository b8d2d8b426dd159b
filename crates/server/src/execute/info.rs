//! INFO: what clients and tools look for, under the names Redis gives it.
//!
//! Every line is true of this server; lines that would have to be made up are left out.

use std::fmt::Write;

use bytes::Bytes;
use rivermark_protocol::Frame;
use rivermark_stream::{Outcome, Query};

use crate::access::Reason;
use crate::execute::shards;
use crate::node::{Node, REDIS_VERSION, VERSION};
use crate::status::position;
use crate::{process, scatter};

const DEFAULT: [&str; 10] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "errorstats",
    "cluster",
    "keyspace",
];
const EVERYTHING: [&str; 11] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "commandstats",
    "errorstats",
    "cluster",
    "keyspace",
];

/// INFO with these sections, in lower case; none are the default ones.
pub async fn execute(node: &Node, asked: &[String]) -> Frame {
    let wanted = |section: &str| {
        asked.is_empty() && DEFAULT.contains(&section)
            || asked.iter().any(|name| match name.as_str() {
                "default" => DEFAULT.contains(&section),
                "all" | "everything" => true,
                name => name == section,
            })
    };
    let mut text = String::new();
    for section in EVERYTHING {
        if wanted(section) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            write_section(node, section, &mut text).await;
        }
    }
    Frame::Verbatim(Bytes::from(text))
}

async fn write_section(node: &Node, section: &str, out: &mut String) {
    let (title, lines) = match section {
        "server" => ("Server", server(node)),
        "clients" => ("Clients", clients(node)),
        "memory" => ("Memory", memory()),
        "persistence" => ("Persistence", persistence()),
        "stats" => ("Stats", stats(node)),
        "replication" => ("Replication", replication(node)),
        "cpu" => ("CPU", cpu()),
        "commandstats" => ("Commandstats", command_stats(node)),
        "errorstats" => ("Errorstats", Vec::new()),
        "cluster" => ("Cluster", vec![("cluster_enabled".to_owned(), "1".to_owned())]),
        _ => ("Keyspace", keyspace(node).await),
    };
    let _ = write!(out, "# {title}\r\n");
    for (name, value) in lines {
        let _ = write!(out, "{name}:{value}\r\n");
    }
}

type Lines = Vec<(String, String)>;

fn lines<const N: usize>(pairs: [(&str, String); N]) -> Lines {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn server(node: &Node) -> Lines {
    let uptime = node.started.elapsed().as_secs();
    let config = &node.config;
    let mut lines = lines([
        ("redis_version", REDIS_VERSION.to_owned()),
        ("redis_git_sha1", "00000000".to_owned()),
        ("redis_git_dirty", "0".to_owned()),
        ("redis_build_id", "0".to_owned()),
        ("redis_mode", "cluster".to_owned()),
        ("rivermark_version", VERSION.to_owned()),
        ("os", std::env::consts::OS.to_owned()),
        ("arch_bits", usize::BITS.to_string()),
        ("multiplexing_api", "epoll".to_owned()),
        ("process_id", std::process::id().to_string()),
        ("run_id", node.run_id.clone()),
        ("tcp_port", if config.port != 0 { config.port } else { config.tls_port }.to_string()),
        ("uptime_in_seconds", uptime.to_string()),
        ("uptime_in_days", (uptime / 86_400).to_string()),
        ("hz", "10".to_owned()),
        ("executable", std::env::current_exe().unwrap_or_default().display().to_string()),
        ("config_file", String::new()),
        ("node_id", node.id().to_string()),
    ]);
    let listeners = [("tcp", config.resp_listen()), ("tls", config.resp_tls_listen())];
    let listeners = listeners.into_iter().filter_map(|(name, address)| Some((name, address?)));
    lines.extend(listeners.enumerate().map(|(index, (name, address))| {
        let value = format!("name={name},bind={},port={}", address.ip(), address.port());
        (format!("listener{index}"), value)
    }));
    lines
}

fn clients(node: &Node) -> Lines {
    let (keys, group_keys) = node.host.blocking_keys();
    lines([
        ("connected_clients", node.clients.count().to_string()),
        ("cluster_connections", "0".to_owned()),
        ("maxclients", node.tunables.maxclients().to_string()),
        ("blocked_clients", node.clients.blocked().to_string()),
        ("tracking_clients", "0".to_owned()),
        ("total_blocking_keys", keys.to_string()),
        ("total_blocking_keys_on_nokey", group_keys.to_string()),
    ])
}

fn memory() -> Lines {
    let resident = process::resident_bytes();
    lines([
        ("used_memory", resident.to_string()),
        ("used_memory_human", format!("{:.2}M", resident as f64 / 1_048_576.0)),
        ("used_memory_rss", resident.to_string()),
        ("maxmemory", "0".to_owned()),
        ("maxmemory_human", "0B".to_owned()),
        ("maxmemory_policy", "noeviction".to_owned()),
        ("mem_allocator", "mimalloc".to_owned()),
    ])
}

fn persistence() -> Lines {
    lines([
        ("loading", "0".to_owned()),
        ("async_loading", "0".to_owned()),
        ("rdb_changes_since_last_save", "0".to_owned()),
        ("rdb_bgsave_in_progress", "0".to_owned()),
        ("rdb_last_bgsave_status", "ok".to_owned()),
        ("aof_enabled", "1".to_owned()),
        ("aof_rewrite_in_progress", "0".to_owned()),
        ("aof_last_write_status", "ok".to_owned()),
    ])
}

fn stats(node: &Node) -> Lines {
    lines([
        ("total_connections_received", node.clients.total().to_string()),
        ("total_commands_processed", node.stats.total_commands().to_string()),
        ("total_net_input_bytes", node.stats.input_bytes.get().to_string()),
        ("total_net_output_bytes", node.stats.output_bytes.get().to_string()),
        ("rejected_connections", node.stats.rejected_connections.get().to_string()),
        ("evicted_keys", "0".to_owned()),
        ("total_error_replies", node.stats.total_failed().to_string()),
        ("acl_access_denied_auth", node.access.log.count(Reason::Auth).to_string()),
        ("acl_access_denied_cmd", node.access.log.count(Reason::Command).to_string()),
        ("acl_access_denied_key", node.access.log.count(Reason::Key).to_string()),
        ("acl_access_denied_channel", "0".to_owned()),
    ])
}

/// Any node takes writes for any key, which is what clients mean by the role they look for. The replicas of
/// shards are in CLUSTER SHARDS.
fn replication(node: &Node) -> Lines {
    let applied: u64 = node.raft.statuses().iter().map(|replica| position(replica.applied)).sum();
    lines([
        ("role", "master".to_owned()),
        ("connected_slaves", "0".to_owned()),
        ("master_replid", node.run_id.clone()),
        ("master_repl_offset", applied.to_string()),
    ])
}

fn cpu() -> Lines {
    let (user, system) = process::processor_time();
    lines([
        ("used_cpu_sys", format!("{:.6}", system.as_secs_f64())),
        ("used_cpu_user", format!("{:.6}", user.as_secs_f64())),
    ])
}

fn command_stats(node: &Node) -> Lines {
    let line = |(name, stats): (&'static str, &crate::stats::CommandStats)| {
        let calls = stats.calls.get();
        let micros = stats.micros.load(std::sync::atomic::Ordering::Relaxed);
        let each = micros as f64 / calls.max(1) as f64;
        let failed = stats.failed.get();
        let value = format!(
            "calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls=0,failed_calls={failed}"
        );
        (format!("cmdstat_{name}"), value)
    };
    node.stats.called().into_iter().map(line).collect()
}

/// Keys of all shards. Left empty while a shard cannot be asked: INFO must answer even then.
async fn keyspace(node: &Node) -> Lines {
    let Ok(scattered) = scatter::query(&node.topology(), Query::KeyspaceCounts) else { return Vec::new() };
    let Ok(Outcome::KeyspaceCounts(counts)) = shards::ask(node, scattered).await else { return Vec::new() };
    let line = |count: rivermark_stream::outcome::DatabaseCount| {
        let value = format!("keys={},expires={},avg_ttl=0,subexpiry=0", count.keys, count.expiring);
        (format!("db{}", count.database), value)
    };
    counts.into_iter().map(line).collect()
}
