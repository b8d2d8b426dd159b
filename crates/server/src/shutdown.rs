//! Stops a node in the order that clients notice least: no new connections, leadership to others, answers to
//! what is under way, then the replicas and the log.

use std::time::Duration;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::start::Running;

/// Why a node ends.
pub enum Ended {
    /// By a signal of this name, or by SHUTDOWN.
    Asked(&'static str, HandOver),
    /// It may not go on.
    Fatal(anyhow::Error),
}

/// Whether a stopping node waits until others lead its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// It does, within `shutdown-ms-max`.
    Waited,
    /// It does not: SHUTDOWN NOW. The others elect.
    Skipped,
}

/// SHUTDOWN: from whichever connection to the task that runs the node.
#[derive(Debug)]
pub struct ShutdownOrder {
    given: watch::Sender<Option<HandOver>>,
}

impl Default for ShutdownOrder {
    fn default() -> Self {
        Self { given: watch::Sender::new(None) }
    }
}

impl ShutdownOrder {
    /// Orders the node to stop. The first order counts.
    pub fn give(&self, hand_over: HandOver) {
        self.given.send_modify(|given| {
            given.get_or_insert(hand_over);
        });
    }

    /// Whether it was ordered.
    pub fn is_given(&self) -> bool {
        self.given.borrow().is_some()
    }

    async fn given(&self) -> HandOver {
        let mut given = self.given.subscribe();
        match given.wait_for(Option::is_some).await.map(|order| *order) {
            Ok(Some(order)) => order,
            // The sender lives as long as the node.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// Waits for a reason to end.
pub async fn wait(running: &Running) -> Ended {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return Ended::Fatal(anyhow!("signals cannot be received"));
    };
    tokio::select! {
        _ = terminate.recv() => Ended::Asked("SIGTERM", HandOver::Waited),
        _ = interrupt.recv() => Ended::Asked("SIGINT", HandOver::Waited),
        hand_over = running.node.shutdown.given() => Ended::Asked("SHUTDOWN", hand_over),
        error = running.node.raft.fatal() => Ended::Fatal(error.into()),
    }
}

/// Stops everything, within `shutdown-ms-max` for each of the two waits that depend on others.
pub async fn stop(running: Running, hand_over: HandOver) {
    let Running { node, connections, services, rpc_closing, data_lock } = running;
    let patience = Duration::from_millis(node.config.shutdown_ms_max);
    // By signal too: SHUTDOWN ABORT is to know.
    node.shutdown.give(hand_over);
    node.closing.cancel();
    if hand_over == HandOver::Waited && !node.raft.hand_over_leadership(patience).await {
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
