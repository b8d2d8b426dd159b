//! Commands over the keys of every shard: SCAN, KEYS, DBSIZE, RANDOMKEY, FLUSHDB, FLUSHALL.
//!
//! Each shard answers from one state of its own; together they are no snapshot of the whole keyspace.
//! A SCAN cursor is a position in the order of all keys, which begins with the slot, so it tells where to go on
//! even after slots moved.

use bytes::Bytes;
use rivermark_cluster::Topology;
use rivermark_protocol::Frame;
use rivermark_protocol::commands::parsed::{KeyspaceCommand, ScanRequest, ScanTypes};
use rivermark_stream::query::Scan;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::{DatabaseIndex, KeyPosition, SLOT_COUNT, ShardId, Slot, StreamKey};

use crate::execute::shards;
use crate::node::Node;
use crate::reply::Answer;
use crate::scatter;
use crate::shards::Unavailable;

/// Keys RANDOMKEY looks at in one step: the first of its database is taken.
const RANDOM_KEYS_LOOKED_AT: u64 = 100;

/// Runs one of these commands.
pub async fn execute(node: &Node, command: KeyspaceCommand) -> Answer {
    match command {
        KeyspaceCommand::Size(database) => ask(node, Query::KeyCount(Some(database))).await,
        KeyspaceCommand::Keys(keys) => ask(node, Query::Keys(keys)).await,
        KeyspaceCommand::FlushDatabase(database) => propose(node, Command::FlushDatabase(database)).await,
        KeyspaceCommand::FlushAll => propose(node, Command::FlushAll).await,
        KeyspaceCommand::Encoding(key) => ask(node, Query::KeyType(key)).await,
        KeyspaceCommand::Scan(request) => scan(node, request).await.unwrap_or_else(Answer::from),
        KeyspaceCommand::Random(database) => random(node, database).await.unwrap_or_else(Answer::from),
    }
}

async fn ask(node: &Node, query: Query) -> Answer {
    match scatter::query(&node.topology(), query) {
        Ok(scattered) => shards::ask(node, scattered).await.into(),
        Err(error) => error.into(),
    }
}

async fn propose(node: &Node, command: Command) -> Answer {
    match scatter::command(&node.topology(), command) {
        Ok(scattered) => shards::propose(node, scattered).await.into(),
        Err(error) => error.into(),
    }
}

fn names(keys: impl IntoIterator<Item = StreamKey>) -> Frame {
    Frame::Array(keys.into_iter().map(|key| Frame::Bulk(key.name().clone())).collect())
}

/// Fills one page from the shard of the cursor's slot on, and from the shards after it while the page has
/// fewer than COUNT keys: a keyspace smaller than COUNT is one page, as on one Redis.
async fn scan(node: &Node, request: ScanRequest) -> Result<Answer, Unavailable> {
    if request.types == ScanTypes::Nothing {
        return Ok(scan_page(None, Vec::new()));
    }
    let mut at = request.cursor;
    let mut keys = Vec::new();
    loop {
        let Some((part, shard_end)) = scan_part(&node.topology(), &request, at) else {
            return Ok(scan_page(None, keys));
        };
        let (shard, query) = part;
        let Outcome::ScanPage(page) = shards::ask_one(node, shard, query).await? else {
            return Ok(scan_page(None, keys));
        };
        // A shard may own several ranges of slots: what it has beyond this range comes with that range.
        let inside = |position: KeyPosition| shard_end.is_none_or(|end| position < end);
        keys.extend(page.keys.into_iter().filter(|key| inside(key.position())));
        match (page.next.filter(|next| inside(*next)), shard_end) {
            (None, Some(end)) if (keys.len() as u64) < request.count => at = end,
            (None, end) => return Ok(scan_page(end, keys)),
            (next, _) => return Ok(scan_page(next, keys)),
        }
    }
}

/// The query for the shard at a cursor, and where its range of slots ends (`None` at the last slot).
fn scan_part(
    topology: &Topology,
    request: &ScanRequest,
    at: KeyPosition,
) -> Option<((ShardId, Query), Option<KeyPosition>)> {
    let first = at.slot();
    let shard = topology.shard_of(first)?;
    let end = (first.get()..SLOT_COUNT)
        .filter_map(Slot::new)
        .find(|slot| topology.shard_of(*slot) != Some(shard))
        .map(KeyPosition::of_slot);
    let scan =
        Scan { database: request.database, from: at, count: request.count, pattern: request.pattern.clone() };
    Some(((shard, Query::Scan(scan)), end))
}

fn scan_page(next: Option<KeyPosition>, keys: Vec<StreamKey>) -> Answer {
    let cursor = next.map_or(0, KeyPosition::get).to_string();
    Frame::Array(vec![Frame::text(cursor), names(keys)]).into()
}

/// Some key: the first at or after a random position, so that every shard with keys may be drawn.
async fn random(node: &Node, database: DatabaseIndex) -> Result<Answer, Unavailable> {
    let start = KeyPosition::new(rand::random());
    for from in [start, KeyPosition::START] {
        let mut at = Some(from);
        while let Some(position) = at {
            let request = ScanRequest {
                database,
                cursor: position,
                count: RANDOM_KEYS_LOOKED_AT,
                pattern: None,
                types: ScanTypes::Streams,
            };
            let Some((part, end)) = scan_part(&node.topology(), &request, position) else { break };
            let (shard, query) = part;
            let Outcome::ScanPage(page) = shards::ask_one(node, shard, query).await? else { break };
            if let Some(key) = page.keys.first() {
                return Ok(Frame::Bulk(Bytes::clone(key.name())).into());
            }
            at = page.next.filter(|next| end.is_none_or(|end| *next < end)).or(end);
        }
    }
    Ok(Frame::Null.into())
}
