//! Brings the cluster's settings to the shards led here.
//!
//! CONFIG SET writes the cluster's metadata first and then tells every shard. If it is interrupted between the
//! two, or a shard was out of reach, the shard's leader finds the difference here and closes it.

use std::sync::Arc;
use std::time::Duration;

use rivermark_stream::Command;
use tokio::time::{MissedTickBehavior, interval};

use crate::execute::config_command::shard_settings;
use crate::execute::shards::propose_to;
use crate::node::Node;

const COMPARED_EVERY: Duration = Duration::from_secs(1);

/// Compares until the node stops.
pub async fn follow(node: Arc<Node>) {
    let mut ticks = interval(COMPARED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.stopping.cancelled() => return,
        }
        let topology = node.topology();
        if topology.cluster_id().is_none() {
            continue;
        }
        let wanted = shard_settings(&topology);
        for replica in node.raft.replicas() {
            let leads = replica.leadership().borrow().is_local_leader;
            if leads && replica.with_machine(|machine| machine.settings()) != wanted {
                tracing::info!(shard = %replica.shard(), ?wanted, "the shard gets the cluster's settings");
                if let Err(error) = propose_to(&node, replica.shard(), Command::Configure(wanted)).await {
                    tracing::warn!(shard = %replica.shard(), %error, "the settings did not reach the shard");
                }
            }
        }
    }
}
