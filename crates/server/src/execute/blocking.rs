//! XREAD and XREADGROUP that wait.
//!
//! Waiting is running the whole command again whenever something it waits for happened, with the deadline of
//! the first attempt: all checks happen again, so a group that went away answers NOGROUP. The first attempt
//! fixes what `$` means. XREADGROUP is proposed by every attempt, the first included, since even an attempt that
//! finds nothing creates the consumer.
//!
//! A wait follows the shards' leaders around; dropping the future ends it everywhere, which is how a client
//! that goes away takes nothing with it.

use std::time::Duration;

use rivermark_cluster::Topology;
use rivermark_protocol::ReplyError;
use rivermark_protocol::commands::parsed::{Block, BlockingRead, BlockingReadGroup, UnblockReason};
use rivermark_stream::command::{GroupReadFrom, ReadBudget, XReadGroup};
use rivermark_stream::outcome::StreamsRead;
use rivermark_stream::query::{GroupsExist, ReadFrom, XRead};
use rivermark_stream::scatter::GroupReadSequence;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::{EntryId, ShardId, StreamKey};
use tokio::time::Instant;

use crate::access::Permit;
use crate::clients::Client;
use crate::execute::shards;
use crate::node::Node;
use crate::reply::{Answer, reply_error};
use crate::scatter;
use crate::shards::{GroupWait, Wait, WaitCondition, Wake};

/// XREAD with BLOCK.
pub async fn read(node: &Node, client: &Client, request: BlockingRead, permit: &Permit) -> Answer {
    let BlockingRead { mut read, block } = request;
    let deadline = deadline_of(block);
    let first = match attempt_read(node, &read).await {
        Ok(Outcome::Streams(first)) if first.streams.is_empty() => first,
        Ok(outcome) => return outcome_answer(outcome),
        Err(error) => return error.into(),
    };
    freeze(&mut read, &first.resolved);
    if block.is_none() || client.is_gone() {
        return nothing();
    }
    let conditions = match read_conditions(node, &read, &first.resolved) {
        Ok(conditions) => conditions,
        Err(error) => return error.into(),
    };
    let mut waiting = Waiting::begin(node, client, permit, conditions, deadline);
    loop {
        let pass = waiting.pass().await;
        if let Pass::Over(answer) = pass {
            return answer;
        }
        match attempt_read(node, &read).await {
            Ok(outcome) if is_empty(&outcome) && matches!(pass, Pass::Again) => {}
            Ok(outcome) => return outcome_answer(outcome),
            Err(error) => return error.into(),
        }
    }
}

/// XREADGROUP with BLOCK, or over several shards.
pub async fn read_group(node: &Node, client: &Client, request: BlockingReadGroup, permit: &Permit) -> Answer {
    let BlockingReadGroup { read, block } = request;
    let deadline = deadline_of(block);
    let history = read.streams.iter().any(|(_, from)| matches!(from, GroupReadFrom::Pending(_)));
    match attempt_read_group(node, &read).await {
        Ok(outcome) if is_empty(&outcome) => {}
        Ok(outcome) => return outcome_answer(outcome),
        Err(error) => return error.into(),
    }
    if block.is_none() || history || client.is_gone() {
        return nothing();
    }
    let conditions = match group_conditions(node, &read) {
        Ok(conditions) => conditions,
        Err(error) => return error.into(),
    };
    let mut waiting = Waiting::begin(node, client, permit, conditions, deadline);
    loop {
        let pass = waiting.pass().await;
        if let Pass::Over(answer) = pass {
            return answer;
        }
        match attempt_read_group(node, &read).await {
            Ok(outcome) if is_empty(&outcome) && matches!(pass, Pass::Again) => {}
            Ok(outcome) => return outcome_answer(outcome),
            Err(error) => return error.into(),
        }
    }
}

fn deadline_of(block: Option<Block>) -> Option<Instant> {
    match block {
        Some(Block::Ms(ms)) => Instant::now().checked_add(Duration::from_millis(ms)),
        Some(Block::Forever) | None => None,
    }
}

fn nothing() -> Answer {
    Answer::Outcome(Outcome::Streams(StreamsRead::default()))
}

fn outcome_answer(outcome: Outcome) -> Answer {
    Answer::Outcome(outcome)
}

async fn attempt_read(node: &Node, read: &XRead) -> Result<Outcome, ReplyError> {
    let routed = scatter::query(&node.topology(), Query::XRead(read.clone()))?;
    shards::ask(node, routed).await.map_err(reply_error)
}

/// Over several shards, first makes sure that no shard will refuse: with a group missing anywhere, nothing
/// may be read.
async fn attempt_read_group(node: &Node, read: &XReadGroup) -> Result<Outcome, ReplyError> {
    let topology = node.topology();
    let shares = by_shard(&topology, read.streams.iter(), |(key, _)| key)?;
    if shares.len() > 1 {
        let keys = read.streams.iter().map(|(key, _)| key.clone()).collect();
        let exist = Query::GroupsExist(GroupsExist { group: read.group.clone(), keys });
        let outcome = shards::ask(node, scatter::query(&topology, exist)?).await.map_err(reply_error)?;
        if let Outcome::Rejected(_) = outcome {
            return Ok(outcome);
        }
        if read.budget != ReadBudget::UNLIMITED {
            return read_in_sequence(node, scatter::read_sequence(&topology, read.clone())?).await;
        }
    }
    let routed = scatter::command(&topology, Command::XReadGroup(read.clone()))?;
    shards::propose(node, routed).await.map_err(reply_error)
}

/// One shard after the other, each with what those before left of the budget. If a shard cannot be reached, what
/// others delivered by then is the reply: it is the consumer's already, and a shorter reply is always allowed.
async fn read_in_sequence(node: &Node, mut sequence: GroupReadSequence) -> Result<Outcome, ReplyError> {
    while let Some((shard, step)) = sequence.next_step() {
        match shards::propose_to(node, shard, step).await {
            Ok(outcome) => sequence.answered(outcome),
            Err(error) => {
                let delivered = sequence.finish();
                return if is_empty(&delivered) { Err(reply_error(error)) } else { Ok(delivered) };
            }
        }
    }
    Ok(sequence.finish())
}

fn is_empty(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Streams(read) if read.streams.is_empty())
}

/// `$` means the end of the stream when the command came, however often it is tried. `+` is asked anew.
fn freeze(read: &mut XRead, resolved: &[EntryId]) {
    for ((_, from), id) in read.streams.iter_mut().zip(resolved) {
        if *from == ReadFrom::Last {
            *from = ReadFrom::After(*id);
        }
    }
}

fn read_conditions(
    node: &Node,
    read: &XRead,
    resolved: &[EntryId],
) -> Result<Vec<(ShardId, WaitCondition)>, ReplyError> {
    let after = read.streams.iter().zip(resolved).map(|((key, _), id)| (key.clone(), *id));
    Ok(by_shard(&node.topology(), after, |(key, _)| key)?
        .into_iter()
        .map(|(shard, streams)| (shard, WaitCondition::Entries(streams)))
        .collect())
}

fn group_conditions(node: &Node, read: &XReadGroup) -> Result<Vec<(ShardId, WaitCondition)>, ReplyError> {
    let keys = read.streams.iter().map(|(key, _)| key.clone());
    let shards = by_shard(&node.topology(), keys, |key| key)?;
    Ok(shards
        .into_iter()
        .map(|(shard, keys)| (shard, WaitCondition::Group(group_wait(read, keys))))
        .collect())
}

fn group_wait(read: &XReadGroup, keys: Vec<StreamKey>) -> GroupWait {
    // MAXCOUNT bounds what the reader takes as COUNT does, and nothing need be kept for it beyond.
    let count = [read.count, read.budget.entries].into_iter().flatten().min();
    GroupWait { group: read.group.clone(), keys, count, claim_min_idle_ms: read.claim_min_idle_ms }
}

fn by_shard<T>(
    topology: &Topology,
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> &StreamKey,
) -> Result<Vec<(ShardId, Vec<T>)>, ReplyError> {
    let mut shards: Vec<(ShardId, Vec<T>)> = Vec::new();
    for item in items {
        let shard = scatter::shard_of(topology, key(&item).slot())?;
        match shards.iter_mut().find(|(known, _)| *known == shard) {
            Some((_, items)) => items.push(item),
            None => shards.push((shard, vec![item])),
        }
    }
    Ok(shards)
}

/// What a wait came to.
enum Pass {
    /// Something happened: try again, and wait again if there is nothing.
    Again,
    /// The deadline passed while a shard elected its leader. Nobody knows whether there is anything until it has
    /// one, so the read is tried once more, which waits for the leader, and is answered by what it finds.
    OnceMore,
    /// The wait is over, and this is the answer.
    Over(Answer),
}

/// A parked read, and everything that may end its wait.
struct Waiting<'a> {
    node: &'a Node,
    client: &'a Client,
    permit: &'a Permit,
    wait: Wait,
}

impl<'a> Waiting<'a> {
    fn begin(
        node: &'a Node,
        client: &'a Client,
        permit: &'a Permit,
        conditions: Vec<(ShardId, WaitCondition)>,
        deadline: Option<Instant>,
    ) -> Self {
        Self { node, client, permit, wait: node.shards.wait(conditions, deadline) }
    }

    async fn pass(&mut self) -> Pass {
        let blocked = self.client.block();
        let next = tokio::select! {
            wake = self.wait.woken() => match wake {
                Wake::Woken => Pass::Again,
                Wake::TimedOut => return Pass::Over(nothing()),
                Wake::NoLeader => Pass::OnceMore,
            },
            reason = blocked.unblocked() => return Pass::Over(match reason {
                UnblockReason::Timeout => nothing(),
                UnblockReason::Error => ReplyError::Unblocked.into(),
            }),
            // The user was deleted: the connection ends with this.
            () = self.client.killed() => return Pass::Over(ReplyError::AuthenticationRequired.into()),
            () = self.node.stopping.cancelled() => {
                return Pass::Over(ReplyError::UnblockedByFailover.into());
            }
        };
        self.permit.renew(self.node, self.client).map_or_else(|error| Pass::Over(error.into()), |()| next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rivermark_stream::command::Acknowledgement;
    use rivermark_types::{ConsumerName, DatabaseIndex, GroupName};

    #[test]
    fn only_the_dollar_is_frozen() {
        let key = StreamKey::new(DatabaseIndex::default(), Bytes::from_static(b"k"));
        let at = |from| (key.clone(), from);
        let id = EntryId::new(7, 0);
        let mut read = XRead {
            count: None,
            budget: ReadBudget::UNLIMITED,
            streams: vec![at(ReadFrom::Last), at(ReadFrom::LastEntry), at(ReadFrom::After(id))],
        };
        freeze(&mut read, &[id, EntryId::MIN, id]);
        let froms: Vec<ReadFrom> = read.streams.iter().map(|(_, from)| *from).collect();
        assert_eq!(froms, [ReadFrom::After(id), ReadFrom::LastEntry, ReadFrom::After(id)]);
    }

    #[test]
    fn a_reader_of_a_group_waits_for_no_more_than_it_may_take() {
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        let key = StreamKey::new(DatabaseIndex::default(), text("k"));
        for (count, entries, expected) in [
            (None, None, None),
            (Some(3), None, Some(3)),
            (None, Some(4), Some(4)),
            (Some(3), Some(4), Some(3)),
        ] {
            let read = XReadGroup {
                group: GroupName::new(text("g")),
                consumer: ConsumerName::new(text("c")),
                count,
                budget: ReadBudget { entries, ..ReadBudget::UNLIMITED },
                claim_min_idle_ms: Some(50),
                acknowledgement: Acknowledgement::Explicit,
                streams: vec![(key.clone(), GroupReadFrom::New)],
            };
            let wait = group_wait(&read, vec![key.clone()]);
            assert_eq!((wait.count, wait.claim_min_idle_ms), (expected, Some(50)));
        }
    }
}
