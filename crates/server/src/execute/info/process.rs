//! Sections about the process: server, clients, memory, persistence, cpu.

use std::time::Duration;

use super::{Lines, lines};
use crate::clock::unix_time;
use crate::node::{Node, REDIS_VERSION, VERSION};
use crate::{process, scatter};

pub(super) fn server(node: &Node) -> Lines {
    let uptime = node.started.elapsed().as_secs();
    let (seconds, micros) = unix_time();
    let file = node.config.file.as_ref().map(|file| file.display().to_string());
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
        ("server_time_usec", format!("{seconds}{micros:06}")),
        ("uptime_in_seconds", uptime.to_string()),
        ("uptime_in_days", (uptime / 86_400).to_string()),
        ("executable", std::env::current_exe().unwrap_or_default().display().to_string()),
        ("config_file", file.unwrap_or_default()),
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

pub(super) fn clients(node: &Node) -> Lines {
    let (keys, group_keys) = node.host.blocking_keys();
    let all = node.clients.all();
    let shown: Vec<_> = all.iter().map(|client| client.shown()).collect();
    let watching = shown.iter().filter(|shown| shown.watched > 0).count();
    let watched: usize = shown.iter().map(|shown| shown.watched).sum();
    let monitors = shown.iter().filter(|shown| shown.monitors).count();
    lines([
        ("connected_clients", all.len().to_string()),
        ("cluster_connections", node.raft.peers_up().borrow().len().to_string()),
        ("maxclients", node.tunables.maxclients().to_string()),
        ("blocked_clients", node.clients.blocked().to_string()),
        ("tracking_clients", "0".to_owned()),
        ("pubsub_clients", "0".to_owned()),
        ("watching_clients", watching.to_string()),
        ("monitor_clients", monitors.to_string()),
        ("total_watched_keys", watched.to_string()),
        ("total_blocking_keys", keys.to_string()),
        ("total_blocking_keys_on_nokey", group_keys.to_string()),
    ])
}

/// What is used is what is resident: the allocator does not tell what of it is free.
pub(super) fn memory(node: &Node) -> Lines {
    let (resident, peak, system) =
        (process::resident_bytes(), process::peak_bytes(), process::system_bytes());
    let clients: usize = node.clients.all().iter().map(|client| client.memory_bytes()).sum();
    lines([
        ("used_memory", resident.to_string()),
        ("used_memory_human", human(resident)),
        ("used_memory_rss", resident.to_string()),
        ("used_memory_rss_human", human(resident)),
        ("used_memory_peak", peak.to_string()),
        ("used_memory_peak_human", human(peak)),
        ("used_memory_peak_perc", format!("{:.2}%", 100.0 * resident as f64 / peak.max(1) as f64)),
        ("total_system_memory", system.to_string()),
        ("total_system_memory_human", human(system)),
        ("maxmemory", "0".to_owned()),
        ("maxmemory_human", "0B".to_owned()),
        ("maxmemory_policy", "noeviction".to_owned()),
        ("mem_clients_normal", clients.to_string()),
        ("mem_allocator", "mimalloc".to_owned()),
    ])
}

/// A snapshot is told as what Redis calls RDB, the log as what it calls AOF.
pub(super) fn persistence(node: &Node) -> Lines {
    let saves = node.saves.told();
    let statuses = node.raft.statuses();
    let uncovered: u64 = statuses
        .iter()
        .map(|replica| {
            let position = crate::status::position;
            position(replica.applied).saturating_sub(position(replica.snapshot))
        })
        .sum();
    let log_bytes: u64 = statuses.iter().map(|replica| replica.log_bytes).sum();
    let seconds = |time: Option<Duration>| time.map_or(-1, |time| time.as_secs().cast_signed()).to_string();
    let loading = scatter::check_bootstrapped(&node.topology()).is_err();
    let flag = |is: bool| u8::from(is).to_string();
    let status = if saves.last_failed { "err" } else { "ok" };
    // A failed write or sync of the log stops the node, so a node that answers has had none.
    lines([
        ("loading", flag(loading)),
        ("async_loading", "0".to_owned()),
        ("rdb_changes_since_last_save", uncovered.to_string()),
        ("rdb_bgsave_in_progress", flag(saves.under_way.is_some())),
        ("rdb_last_save_time", saves.last_unix_s.to_string()),
        ("rdb_last_bgsave_status", status.to_owned()),
        ("rdb_last_bgsave_time_sec", seconds(saves.last_took)),
        ("rdb_current_bgsave_time_sec", seconds(saves.under_way)),
        ("aof_enabled", "1".to_owned()),
        ("aof_rewrite_in_progress", "0".to_owned()),
        ("aof_rewrite_scheduled", "0".to_owned()),
        ("aof_last_bgrewrite_status", status.to_owned()),
        ("aof_last_write_status", "ok".to_owned()),
        ("aof_current_size", log_bytes.to_string()),
    ])
}

pub(super) fn cpu() -> Lines {
    let (user, system) = process::processor_time();
    lines([
        ("used_cpu_sys", format!("{:.6}", system.as_secs_f64())),
        ("used_cpu_user", format!("{:.6}", user.as_secs_f64())),
    ])
}

/// As the reference writes sizes.
fn human(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    let unit = UNITS.into_iter().find(|(size, _)| bytes >= *size);
    unit.map_or_else(
        || format!("{bytes}B"),
        |(size, unit)| format!("{:.2}{unit}", bytes as f64 / size as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1 << 20, "1.00M"), (3 << 29, "1.50G")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
