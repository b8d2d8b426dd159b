//! The only place where series are named. `docs/metrics.md` describes them; a test holds it to this list.
//!
//! Nothing on the way of a command touches the exporter except one histogram; everything else is counted in
//! plain atomics elsewhere and copied here when scraped.

use std::sync::OnceLock;

use metrics::{Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::access::Reason;
use crate::node::{Node, VERSION};
use crate::status::{position, role_name};

const DURATION: &str = "rivermark_command_duration_seconds";
const BUCKETS_S: [f64; 14] =
    [0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Every series, in the order of the documentation.
pub const SERIES: [&str; 39] = [
    "rivermark_build_info",
    "rivermark_uptime_seconds",
    "rivermark_resident_memory_bytes",
    "rivermark_connections",
    "rivermark_connections_blocked",
    "rivermark_connections_total",
    "rivermark_connections_rejected_total",
    "rivermark_access_denied_total",
    "rivermark_tls_handshakes_failed_total",
    "rivermark_client_input_bytes_total",
    "rivermark_client_output_bytes_total",
    "rivermark_commands_total",
    "rivermark_commands_failed_total",
    DURATION,
    "rivermark_topology_epoch",
    "rivermark_peers_unreachable",
    "rivermark_replica_role",
    "rivermark_replica_term",
    "rivermark_replica_last_log_index",
    "rivermark_replica_committed_index",
    "rivermark_replica_applied_index",
    "rivermark_replica_snapshot_index",
    "rivermark_replica_log_bytes",
    "rivermark_follower_matched_index",
    "rivermark_shard_leader_known",
    "rivermark_submitted_commands_total",
    "rivermark_submitted_commands_waiting",
    "rivermark_submitted_bytes_waiting",
    "rivermark_proposals_total",
    "rivermark_proposal_retries_total",
    "rivermark_leader_changes_total",
    "rivermark_sessions_total",
    "rivermark_queries_total",
    "rivermark_link_connects_total",
    "rivermark_link_breaks_total",
    "rivermark_blocked_readers",
    "rivermark_blocked_readers_parked",
    "rivermark_wakes_total",
    "rivermark_stream_keys",
];

fn exporter() -> &'static PrometheusHandle {
    static EXPORTER: OnceLock<PrometheusHandle> = OnceLock::new();
    EXPORTER.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS_S)
            .expect("there is at least one bucket")
            .install_recorder()
            .expect("nothing else records metrics in this process")
    })
}

/// The histogram of a command's durations.
pub fn command_duration(command: &'static str) -> Histogram {
    exporter();
    histogram!(DURATION, "command" => command)
}

/// Moves recorded durations into their buckets; memory grows until someone does.
pub fn upkeep() {
    exporter().run_upkeep();
}

/// The text Prometheus scrapes.
pub fn render(node: &Node) -> String {
    process(node);
    commands(node);
    cluster(node);
    path(node);
    exporter().render()
}

fn process(node: &Node) {
    gauge!("rivermark_build_info", "version" => VERSION).set(1.0);
    gauge!("rivermark_uptime_seconds").set(node.started.elapsed().as_secs_f64());
    gauge!("rivermark_resident_memory_bytes").set(crate::process::resident_bytes() as f64);
    gauge!("rivermark_connections").set(node.clients.count() as f64);
    gauge!("rivermark_connections_blocked").set(node.clients.blocked() as f64);
    counter!("rivermark_connections_total").absolute(node.clients.total());
    for reason in Reason::ALL {
        let refused = node.access.log.count(reason);
        counter!("rivermark_access_denied_total", "reason" => reason.name()).absolute(refused);
    }
    counter!("rivermark_connections_rejected_total").absolute(node.stats.rejected_connections.get());
    counter!("rivermark_tls_handshakes_failed_total").absolute(node.stats.failed_handshakes.get());
    counter!("rivermark_client_input_bytes_total").absolute(node.stats.input_bytes.get());
    counter!("rivermark_client_output_bytes_total").absolute(node.stats.output_bytes.get());
}

fn commands(node: &Node) {
    for (name, stats) in node.stats.called() {
        counter!("rivermark_commands_total", "command" => name).absolute(stats.calls.get());
        counter!("rivermark_commands_failed_total", "command" => name).absolute(stats.failed.get());
    }
}

fn cluster(node: &Node) {
    let topology = node.topology();
    let observation = node.observation();
    gauge!("rivermark_topology_epoch").set(topology.epoch() as f64);
    gauge!("rivermark_peers_unreachable").set(observation.unreachable.len() as f64);
    for shard in topology.shards().values() {
        let known = observation.leader_of(shard).is_some();
        gauge!("rivermark_shard_leader_known", "shard" => shard.id.to_string())
            .set(f64::from(u8::from(known)));
    }
    for replica in node.raft.statuses() {
        let shard = replica.shard.to_string();
        for role in ["leader", "follower", "candidate", "learner", "stopped"] {
            let is = f64::from(u8::from(role == role_name(replica.role)));
            gauge!("rivermark_replica_role", "shard" => shard.clone(), "role" => role).set(is);
        }
        for (name, value) in [
            ("rivermark_replica_term", replica.term.get()),
            ("rivermark_replica_last_log_index", position(replica.last_log)),
            ("rivermark_replica_committed_index", position(replica.committed)),
            ("rivermark_replica_applied_index", position(replica.applied)),
            ("rivermark_replica_snapshot_index", position(replica.snapshot)),
            ("rivermark_replica_log_bytes", replica.log_bytes),
        ] {
            gauge!(name, "shard" => shard.clone()).set(value as f64);
        }
        for follower in &replica.followers {
            let peer = follower.node.to_string();
            gauge!("rivermark_follower_matched_index", "shard" => shard.clone(), "peer" => peer)
                .set(position(follower.matched) as f64);
        }
        gauge!("rivermark_stream_keys", "shard" => shard).set(replica.keys as f64);
    }
}

fn path(node: &Node) {
    let counters = node.shards.counters();
    for (name, counted) in [
        ("rivermark_submitted_commands_total", &counters.commands),
        ("rivermark_proposals_total", &counters.proposals),
        ("rivermark_proposal_retries_total", &counters.retries),
        ("rivermark_leader_changes_total", &counters.leader_changes),
        ("rivermark_sessions_total", &counters.sessions),
        ("rivermark_queries_total", &counters.queries),
        ("rivermark_link_connects_total", &counters.link_connects),
        ("rivermark_link_breaks_total", &counters.link_breaks),
        ("rivermark_wakes_total", &counters.wakes),
    ] {
        counter!(name).absolute(counted.get());
    }
    for (name, level) in [
        ("rivermark_submitted_commands_waiting", &counters.queued_commands),
        ("rivermark_submitted_bytes_waiting", &counters.queued_bytes),
        ("rivermark_blocked_readers", &counters.waits),
        ("rivermark_blocked_readers_parked", &counters.waiters),
    ] {
        gauge!(name).set(level.get() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_documented_and_named_once_here() {
        let documentation = include_str!("../../../docs/metrics.md");
        let source = include_str!("metrics.rs");
        for name in SERIES {
            assert!(documentation.contains(&format!("`{name}`")), "{name} is not in docs/metrics.md");
            let uses = source.matches(&format!("\"{name}\"")).count();
            assert!(uses >= 2 || name == DURATION, "{name} is listed and never set");
        }
    }
}
