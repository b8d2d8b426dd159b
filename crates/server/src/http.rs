//! Health, metrics and status over HTTP.
//!
//! `/livez` the process turns its loop; `/readyz` clients may be sent here; `/healthz` the same as `/livez`,
//! for tools that know but one; `/metrics` for Prometheus; `/v1/status` the whole cluster as JSON,
//! `/v1/doctor` what is wrong with it, `/v1/node` what this node is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use rivermark_raft::RaftRole;
use rivermark_types::ShardId;
use tokio::net::TcpListener;

use crate::node::Node;
use crate::status::position;
use crate::{doctor, metrics, status};

/// Applied positions may trail the commit by so many log entries on a replica that counts as caught up.
pub(crate) const LAG_READY_MAX: u64 = 1024;

/// Serves until the node stops.
pub async fn serve(node: Arc<Node>, listener: TcpListener) -> std::io::Result<()> {
    let stopping = node.stopping.clone();
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/v1/status", get(async |State(node): State<Arc<Node>>| Json(status::gather(&node).await)))
        .route("/v1/node", get(async |State(node): State<Arc<Node>>| Json(status::of_itself(&node))))
        .route("/v1/doctor", get(async |State(node): State<Arc<Node>>| Json(doctor::examine(&node).await)))
        .with_state(node);
    axum::serve(listener, routes).with_graceful_shutdown(stopping.cancelled_owned()).await
}

async fn readyz(State(node): State<Arc<Node>>) -> impl IntoResponse {
    match unready(&node) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn metrics_text(State(node): State<Arc<Node>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::render(&node))
}

/// Why clients should not be sent here yet, if so.
pub fn unready(node: &Node) -> Option<String> {
    if node.closing.is_cancelled() {
        return Some("shutting down".to_owned());
    }
    let topology = node.topology();
    if topology.cluster_id().is_none() {
        return Some("the cluster is not known yet".to_owned());
    }
    if let Some(shard) = topology.shards().keys().find(|shard| node.raft.leader_of(**shard).is_none()) {
        return Some(format!("shard {shard} has no leader"));
    }
    let statuses = node.raft.statuses();
    let hosted = |shard: ShardId| statuses.iter().find(|status| status.shard == shard);
    for shard in topology.shards_on(node.id()) {
        let Some(replica) = hosted(shard.id) else {
            return Some(format!("the replica of shard {} does not run", shard.id));
        };
        if !matches!(replica.role, RaftRole::Leader | RaftRole::Follower) {
            return Some(format!(
                "the replica of shard {} is a {}",
                shard.id,
                status::role_name(replica.role)
            ));
        }
        if position(replica.committed).saturating_sub(position(replica.applied)) > LAG_READY_MAX {
            return Some(format!("the replica of shard {} is catching up", shard.id));
        }
    }
    None
}
