//! Asks shards and merges what they answer, for commands that have the connection to themselves.

use futures_util::future::join_all;
use rivermark_stream::scatter::Scattered;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::ShardId;

use crate::node::Node;
use crate::shards::Unavailable;

/// Proposes a command and waits for its outcome.
///
/// # Errors
/// A shard could not be reached in time. Other shards may have applied their part.
pub async fn propose(node: &Node, scattered: Scattered<Command>) -> Result<Outcome, Unavailable> {
    let Scattered { parts, plan } = scattered;
    for (shard, _) in &parts {
        node.shards.room(*shard).await;
    }
    let submitted = parts.into_iter().map(|(shard, command)| node.shards.submit(shard, vec![command]));
    let outcomes = join_all(submitted).await;
    let outcomes = outcomes.into_iter().map(|outcomes| outcomes.map(first)).collect::<Result<_, _>>()?;
    Ok(plan.gather(outcomes))
}

/// Proposes a command to one shard and waits for its outcome.
///
/// # Errors
/// The shard could not be reached in time.
pub async fn propose_to(node: &Node, shard: ShardId, command: Command) -> Result<Outcome, Unavailable> {
    node.shards.room(shard).await;
    node.shards.submit(shard, vec![command]).await.map(first)
}

/// Asks a query of one shard.
///
/// # Errors
/// The shard could not be reached in time.
pub async fn ask_one(node: &Node, shard: ShardId, query: Query) -> Result<Outcome, Unavailable> {
    node.shards.query(shard, vec![query]).await.map(first)
}

/// Asks a query.
///
/// # Errors
/// A shard could not be reached in time.
pub async fn ask(node: &Node, scattered: Scattered<Query>) -> Result<Outcome, Unavailable> {
    let Scattered { parts, plan } = scattered;
    let asked = parts.into_iter().map(|(shard, query)| node.shards.query(shard, vec![query]));
    let outcomes = join_all(asked).await;
    let outcomes = outcomes.into_iter().map(|outcomes| outcomes.map(first)).collect::<Result<_, _>>()?;
    Ok(plan.gather(outcomes))
}

fn first(outcomes: Vec<Outcome>) -> Outcome {
    outcomes.into_iter().next().expect("a shard answers every command it was given")
}
