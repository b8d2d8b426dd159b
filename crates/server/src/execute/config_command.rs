//! CONFIG GET and SET. Three kinds of parameters: replicated settings of the cluster, parameters of this node
//! that may change while it runs, and facts that clients ask for and nobody can change.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rivermark_cluster::{Command as ClusterCommand, DEFAULT_USER, Setting, Topology};
use rivermark_protocol::commands::parsed::UserChange;
use rivermark_protocol::{Frame, ReplyError};
use rivermark_stream::Command;
use rivermark_stream::command::Settings;
use rivermark_stream::glob::glob_matches;
use rivermark_types::limits::{DATABASES, REQUEST_BYTES_MAX};
use tokio::time::timeout;

use crate::execute::info::PERCENTILES;
use crate::execute::{acl, shards};
use crate::node::Node;
use crate::reply::{internal, metadata_error, reply_error};
use crate::scatter;
use crate::{config_file, tunables};

/// CONFIG GET.
pub fn get(node: &Node, patterns: &[Bytes]) -> Frame {
    let lower: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let asked = |name: &str| lower.iter().any(|pattern| glob_matches(pattern, name.as_bytes()));
    let shown = parameters(node).into_iter().filter(|(name, _)| asked(name));
    Frame::Map(shown.map(|(name, value)| (Frame::literal(name), Frame::text(value))).collect())
}

fn parameters(node: &Node) -> BTreeMap<&'static str, String> {
    let mut all: BTreeMap<&'static str, String> = facts(node).into_iter().collect();
    all.extend(tunables::NAMES.into_iter().filter_map(|name| Some((name, node.tunables.get(name)?))));
    all.extend(node.topology().settings().rendered());
    all
}

fn facts(node: &Node) -> Vec<(&'static str, String)> {
    let config = &node.config;
    vec![
        ("acl-pubsub-default", "resetchannels".to_owned()),
        ("aclfile", String::new()),
        ("appendfsync", "always".to_owned()),
        ("appendonly", "yes".to_owned()),
        ("bind", config.bind.to_string()),
        ("client-query-buffer-limit", REQUEST_BYTES_MAX.to_string()),
        ("cluster-enabled", "yes".to_owned()),
        ("databases", DATABASES.to_string()),
        ("dir", config.data_dir.display().to_string()),
        ("enable-debug-command", config.enable_debug_command.as_str().to_owned()),
        ("latency-tracking", "yes".to_owned()),
        ("latency-tracking-info-percentiles", PERCENTILES.map(|percent| percent.to_string()).join(" ")),
        ("lazyfree-lazy-user-del", "no".to_owned()),
        ("maxmemory", "0".to_owned()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("notify-keyspace-events", String::new()),
        ("port", config.port.to_string()),
        ("replica-read-only", "yes".to_owned()),
        ("save", String::new()),
        ("slave-read-only", "yes".to_owned()),
        ("tcp-keepalive", config.tcp_keepalive.to_string()),
        ("tls-auth-clients", config.tls_auth_clients.as_str().to_owned()),
        ("tls-ca-cert-file", config.tls_ca_cert_file.display().to_string()),
        ("tls-cert-file", config.tls_cert_file.display().to_string()),
        ("tls-cluster", tunables::yes_no(config.tls_cluster).to_owned()),
        ("tls-key-file", config.tls_key_file.display().to_string()),
        ("tls-port", config.tls_port.to_string()),
    ]
}

/// CONFIG SET: all parameters are checked before any is set.
///
/// # Errors
/// A parameter that does not exist or cannot be changed, a value that is none, or a shard out of reach: then
/// some shards may have the new settings, and the cluster brings the others in line once they are back.
pub async fn set(node: &Node, pairs: &[(Bytes, Bytes)]) -> Result<Frame, ReplyError> {
    let mut local = Vec::new();
    let mut replicated = BTreeMap::new();
    for (name, value) in pairs {
        let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
        let refused = |reason: String| ReplyError::ConfigRefused(name.clone(), Bytes::from(reason));
        // A password that was changed on its way would lock its owner out.
        let text = std::str::from_utf8(value).map_err(|_| refused("argument must be UTF-8".to_owned()))?;
        let text = text.to_owned();
        if let Ok(setting) = Setting::from_name(&lower) {
            replicated.insert(setting, setting.parse(&text).map_err(|error| refused(error.to_string()))?);
        } else if let Some(checked) = node.tunables.check(&lower, &text) {
            checked.map_err(refused)?;
            local.push((lower, text));
        } else if facts(node).iter().any(|(known, _)| *known == lower) {
            return Err(refused("can't set immutable config".to_owned()));
        } else {
            return Err(ReplyError::ConfigUnknown(name.clone()));
        }
    }
    if !replicated.is_empty() {
        replicate(node, replicated).await?;
    }
    if let Some((_, value)) = local.iter().find(|(name, _)| name == "requirepass") {
        set_default_password(node, value).await?;
    }
    for (name, value) in local {
        node.tunables.set(&name, &value);
        if name == "slowlog-max-len" {
            node.slow_log.shorten(node.tunables.slow_log_length_max());
        }
    }
    Ok(Frame::OK)
}

/// As in Redis, `requirepass` is another way to say what the password of the user `default` is: none if it is empty.
/// So it holds in the whole cluster.
async fn set_default_password(node: &Node, value: &str) -> Result<(), ReplyError> {
    let rule = if value.is_empty() { "nopass".to_owned() } else { format!(">{value}") };
    let rules = vec![Bytes::from_static(b"resetpass"), Bytes::from(rule)];
    acl::change_user(node, &UserChange { name: Bytes::from_static(DEFAULT_USER), rules }).await
}

/// Sets the cluster's settings, then tells every shard those that decide what it applies.
async fn replicate(node: &Node, settings: BTreeMap<Setting, u64>) -> Result<(), ReplyError> {
    let outcome = node.raft.propose_metadata(ClusterCommand::SetSettings(settings)).await;
    let epoch = outcome.map_err(|error| metadata_error(&error))?.into_result().map_err(internal)?;
    let mut topology = node.watch_topology();
    let patience = Duration::from_millis(node.config.retry_ms_max);
    let settings = {
        let known = topology.wait_for(|topology| topology.epoch() >= epoch);
        let known = timeout(patience, known).await.map_err(|_| ReplyError::OutcomeUnknown)?;
        let known = known.map_err(internal)?;
        shard_settings(&known)
    };
    let everywhere = scatter::command(&node.topology(), Command::Configure(settings))?;
    shards::propose(node, everywhere).await.map_err(reply_error)?;
    Ok(())
}

/// CONFIG REWRITE: writes this node's parameters, as they are now, to the file it was started with. What the cluster
/// keeps for all nodes needs no file.
///
/// # Errors
/// There is no file, or it cannot be written; then it is as it was.
pub async fn rewrite(node: &Node) -> Result<Frame, ReplyError> {
    let Some(file) = node.config.file.clone() else { return Err(ReplyError::NoConfigFile) };
    let tunables =
        tunables::NAMES.into_iter().filter_map(|name| Some((name, node.tunables.get(name)?))).collect();
    let written = tokio::task::spawn_blocking(move || config_file::rewrite(&file, tunables));
    let written = written.await.map_err(internal)?;
    written.map_err(|error| ReplyError::ConfigFileNotWritten(error.to_string().into()))?;
    Ok(Frame::OK)
}

/// What the cluster's settings mean to a shard.
pub fn shard_settings(topology: &Topology) -> Settings {
    Settings {
        block_entries_max: topology.settings().stream_node_max_entries(),
        block_bytes_max: topology.settings().stream_node_max_bytes(),
        idempotent_s: topology.settings().stream_idmp_duration_s(),
        idempotent_pairs_max: topology.settings().stream_idmp_maxsize(),
    }
}
