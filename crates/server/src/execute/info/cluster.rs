//! Sections about all nodes together: replication, keyspace.

use rivermark_stream::outcome::DatabaseCount;
use rivermark_stream::{Outcome, Query};

use super::{Lines, lines};
use crate::execute::shards;
use crate::node::Node;
use crate::scatter;

/// Any node takes writes for any key, which is what clients mean by the role they look for. The replicas of
/// shards are in CLUSTER SHARDS.
pub(super) fn replication(node: &Node) -> Lines {
    lines([
        ("role", "master".to_owned()),
        ("connected_slaves", "0".to_owned()),
        ("master_failover_state", "no-failover".to_owned()),
        ("master_replid", node.run_id.clone()),
        ("master_repl_offset", node.applied_total().to_string()),
        ("second_repl_offset", "-1".to_owned()),
        ("repl_backlog_active", "0".to_owned()),
    ])
}

/// Keys of all shards. Left empty while a shard cannot be asked: INFO must answer even then.
pub(super) async fn keyspace(node: &Node) -> Lines {
    let Ok(scattered) = scatter::query(&node.topology(), Query::KeyspaceCounts) else { return Vec::new() };
    let Ok(Outcome::KeyspaceCounts(counts)) = shards::ask(node, scattered).await else { return Vec::new() };
    let line = |count: DatabaseCount| {
        let value = format!("keys={},expires={},avg_ttl=0,subexpiry=0", count.keys, count.expiring);
        (format!("db{}", count.database), value)
    };
    counts.into_iter().map(line).collect()
}
