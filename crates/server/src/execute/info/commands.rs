//! Sections about what clients asked: stats, commandstats, errorstats, latencystats.

use std::sync::atomic::Ordering;

use super::{Lines, lines};
use crate::access::Reason;
use crate::node::Node;
use crate::stats::CommandStats;

/// As `latency-tracking-info-percentiles` of the reference is unless set.
pub(in crate::execute) const PERCENTILES: [f64; 3] = [50.0, 99.0, 99.9];

pub(super) fn stats(node: &Node) -> Lines {
    let stats = &node.stats;
    let now = node.rates.per_second();
    let kib = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    lines([
        ("total_connections_received", node.clients.total_counted().to_string()),
        ("total_commands_processed", stats.total_commands().to_string()),
        ("instantaneous_ops_per_sec", format!("{:.0}", now.commands)),
        ("total_net_input_bytes", stats.input_bytes.get().to_string()),
        ("total_net_output_bytes", stats.output_bytes.get().to_string()),
        ("instantaneous_input_kbps", kib(now.input_bytes)),
        ("instantaneous_output_kbps", kib(now.output_bytes)),
        ("rejected_connections", stats.rejected_connections.get().to_string()),
        ("evicted_keys", "0".to_owned()),
        ("pubsub_channels", "0".to_owned()),
        ("pubsub_patterns", "0".to_owned()),
        ("acl_access_denied_auth", node.access.log.count(Reason::Auth).to_string()),
        ("acl_access_denied_cmd", node.access.log.count(Reason::Command).to_string()),
        ("acl_access_denied_key", node.access.log.count(Reason::Key).to_string()),
        ("acl_access_denied_channel", "0".to_owned()),
        ("tracking_total_keys", "0".to_owned()),
        ("total_error_replies", stats.total_errors().to_string()),
        ("total_reads_processed", stats.reads.get().to_string()),
        ("total_writes_processed", stats.writes.get().to_string()),
        ("client_output_buffer_limit_disconnections", stats.monitors_cut_off.get().to_string()),
    ])
}

pub(super) fn command_stats(node: &Node) -> Lines {
    let line = |(name, stats): (&'static str, &CommandStats)| {
        let calls = stats.calls.get();
        let micros = stats.micros.load(Ordering::Relaxed);
        let each = micros as f64 / calls.max(1) as f64;
        let (rejected, failed) = (stats.rejected.get(), stats.failed.get());
        let value = format!(
            "calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"
        );
        (format!("cmdstat_{name}"), value)
    };
    node.stats.asked().into_iter().map(line).collect()
}

pub(super) fn error_stats(node: &Node) -> Lines {
    let errors = node.stats.errors().into_iter();
    errors.map(|(code, count)| (format!("errorstat_{code}"), format!("count={count}"))).collect()
}

pub(super) fn latency_stats(node: &Node) -> Lines {
    let line = |(name, stats): (&'static str, &CommandStats)| {
        let durations = stats.durations()?;
        let told =
            PERCENTILES.map(|percent| format!("p{percent}={:.3}", durations.percentile(percent) as f64));
        Some((format!("latency_percentiles_usec_{name}"), told.join(",")))
    };
    node.stats.called().into_iter().filter_map(line).collect()
}
