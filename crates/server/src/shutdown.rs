//! Stops a node in the order that clients notice least: no new connections, leadership to others, answers to
//! what is under way, then the replicas and the log.

use std::time::Duration;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::start::Running;

/// Why a node ends.
pub enum Ended {
    /// By a signal of this name.
    Asked(&'static str),
    /// It may not go on.
    Fatal(anyhow::Error),
}

/// Waits for a reason to end.
pub async fn wait(running: &Running) -> Ended {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return Ended::Fatal(anyhow!("signals cannot be received"));
    };
    tokio::select! {
        _ = terminate.recv() => Ended::Asked("SIGTERM"),
        _ = interrupt.recv() => Ended::Asked("SIGINT"),
        error = running.node.raft.fatal() => Ended::Fatal(error.into()),
    }
}

/// Stops everything, within `shutdown-ms-max` for each of the two waits that depend on others.
pub async fn stop(running: Running) {
    let Running { node, connections, services, rpc_closing, data_lock } = running;
    let patience = Duration::from_millis(node.config.shutdown_ms_max);
    node.closing.cancel();
    if !node.raft.hand_over_leadership(patience).await {
        tracing::warn!("some shards could not be handed over in time");
    }
    node.stopping.cancel();
    connections.close();
    if timeout(patience, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "connections were cut off");
    }
    node.raft.shutdown().await;
    rpc_closing.cancel();
    services.close();
    if timeout(patience, services.wait()).await.is_err() {
        tracing::warn!(left = services.len(), "listeners were cut off");
    }
    drop(data_lock);
    tracing::info!("stopped");
}
