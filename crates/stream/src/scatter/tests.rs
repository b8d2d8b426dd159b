use bytes::Bytes;
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName};

use super::*;
use crate::command::{Acknowledgement, GroupReadFrom, Step, Transaction};
use crate::fields::{Entries, EntriesBuilder};
use crate::outcome::{StreamEntries, StreamsRead};
use crate::query::ReadFrom;

/// Three shards; the key's name says which: `1x` is shard 1's.
struct Keys(Vec<StreamKey>);

const SHARDS: [ShardId; 3] = [ShardId::new(1), ShardId::new(2), ShardId::new(3)];

fn key(name: &'static str) -> StreamKey {
    let database = DatabaseIndex::new(0).expect("database 0 exists");
    StreamKey::new(database, Bytes::from_static(name.as_bytes()))
}

impl Keys {
    fn new(names: &[&'static str]) -> Self {
        Self(names.iter().map(|name| key(name)).collect())
    }

    fn shard_of(&self) -> impl Fn(Slot) -> ShardId + '_ {
        |slot| {
            let key = self.0.iter().find(|key| key.slot() == slot).expect("a key of the test");
            ShardId::new(u32::from(key.name()[0] - b'0'))
        }
    }
}

fn entries(ms: u64) -> Entries {
    let mut builder = EntriesBuilder::default();
    builder.begin(EntryId::new(ms, 0), 1);
    builder.pair(b"f", b"v");
    builder.finish()
}

fn share(index: u32, key: &StreamKey, ms: u64) -> StreamEntries {
    StreamEntries { index, key: key.clone(), entries: entries(ms) }
}

#[test]
fn delete_and_exists_are_summed() {
    let keys = Keys::new(&["1a", "2b", "1c", "3d"]);
    let scattered = scatter_command(Command::Delete(keys.0.clone()), &SHARDS, keys.shard_of()).unwrap();
    let shards: Vec<u32> = scattered.parts.iter().map(|(shard, _)| shard.get()).collect();
    assert_eq!(shards, [1, 2, 3]);
    assert_eq!(scattered.parts[0].1, Command::Delete(vec![key("1a"), key("1c")]));
    let outcomes = vec![Outcome::Integer(2), Outcome::Integer(0), Outcome::Integer(1)];
    assert_eq!(scattered.plan.gather(outcomes), Outcome::Integer(3));

    let scattered = scatter_query(Query::Exists(keys.0.clone()), &SHARDS, keys.shard_of());
    let outcomes = vec![Outcome::Integer(1), Outcome::Integer(1), Outcome::Integer(1)];
    assert_eq!(scattered.plan.gather(outcomes), Outcome::Integer(3));
}

#[test]
fn one_shard_is_not_split() {
    let keys = Keys::new(&["2a", "2b"]);
    let scattered = scatter_command(Command::Delete(keys.0.clone()), &SHARDS, keys.shard_of()).unwrap();
    assert_eq!(scattered.parts, [(ShardId::new(2), Command::Delete(keys.0.clone()))]);
    assert_eq!(scattered.plan.gather(vec![Outcome::Integer(2)]), Outcome::Integer(2));
}

#[test]
fn reads_are_merged_in_request_order() {
    let keys = Keys::new(&["1a", "2b", "1c"]);
    let streams = keys.0.iter().map(|key| (key.clone(), ReadFrom::Last)).collect();
    let query = Query::XRead(XRead { count: Some(5), budget: ReadBudget::UNLIMITED, streams });
    let scattered = scatter_query(query, &SHARDS, keys.shard_of());
    assert_eq!(scattered.parts.len(), 2);
    let id = |ms| EntryId::new(ms, 0);
    let first = StreamsRead { streams: vec![share(1, &keys.0[2], 3)], resolved: vec![id(1), id(3)] };
    let second = StreamsRead { streams: vec![share(0, &keys.0[1], 2)], resolved: vec![id(2)] };
    let merged = scattered.plan.gather(vec![Outcome::Streams(first), Outcome::Streams(second)]);
    let expected = StreamsRead {
        streams: vec![share(1, &keys.0[1], 2), share(2, &keys.0[2], 3)],
        resolved: vec![id(1), id(2), id(3)],
    };
    assert_eq!(merged, Outcome::Streams(expected));
}

#[test]
fn the_rejection_of_the_first_stream_wins() {
    let keys = Keys::new(&["3a", "1b", "3c", "2d"]);
    let group = GroupName::new(Bytes::from_static(b"g"));
    let command = Command::XReadGroup(XReadGroup {
        group: group.clone(),
        consumer: ConsumerName::new(Bytes::from_static(b"c")),
        count: None,
        budget: ReadBudget::UNLIMITED,
        claim_min_idle_ms: None,
        acknowledgement: Acknowledgement::Explicit,
        streams: keys.0.iter().map(|key| (key.clone(), GroupReadFrom::New)).collect(),
    });
    let scattered = scatter_command(command, &SHARDS, keys.shard_of()).unwrap();
    let rejected =
        |at: usize| Outcome::Rejected(Rejection::NoKeyOrGroupToRead(keys.0[at].clone(), group.clone()));
    // The parts are those of shards 3, 1, 2.
    let outcomes = vec![rejected(2), rejected(1), Outcome::Streams(StreamsRead::default())];
    assert_eq!(scattered.plan.gather(outcomes), rejected(1));

    let query = Query::GroupsExist(GroupsExist { group: group.clone(), keys: keys.0.clone() });
    let plan = scatter_query(query, &SHARDS, keys.shard_of()).plan;
    assert_eq!(plan.clone().gather(vec![Outcome::Done, Outcome::Done, Outcome::Done]), Outcome::Done);
    assert_eq!(plan.gather(vec![rejected(2), Outcome::Done, rejected(3)]), rejected(2));
}

#[test]
fn versions_come_back_in_request_order() {
    let keys = Keys::new(&["1a", "2b", "1c"]);
    let scattered = scatter_query(Query::KeyVersions(keys.0.clone()), &SHARDS, keys.shard_of());
    let outcomes = vec![Outcome::KeyVersions(vec![7, 9]), Outcome::KeyVersions(vec![8])];
    assert_eq!(scattered.plan.gather(outcomes), Outcome::KeyVersions(vec![7, 8, 9]));
}

#[test]
fn questions_without_key_go_to_all_shards() {
    let nowhere = |_| unreachable!("no key, no slot");
    let scattered = scatter_query(Query::KeyspaceCounts, &SHARDS, nowhere);
    let count = |database, keys, expiring| DatabaseCount { database, keys, expiring };
    let outcomes = vec![
        Outcome::KeyspaceCounts(vec![count(0, 1, 0), count(3, 2, 1)]),
        Outcome::KeyspaceCounts(vec![]),
        Outcome::KeyspaceCounts(vec![count(0, 4, 1), count(1, 1, 1)]),
    ];
    let expected = vec![count(0, 5, 1), count(1, 1, 1), count(3, 2, 1)];
    assert_eq!(scattered.plan.gather(outcomes), Outcome::KeyspaceCounts(expected));

    let scattered = scatter_command(Command::FlushAll, &SHARDS, nowhere).unwrap();
    assert_eq!(scattered.parts.len(), 3);
    assert_eq!(scattered.plan.gather(vec![Outcome::Done, Outcome::Done, Outcome::Done]), Outcome::Done);
}

#[test]
fn transactions_stay_on_one_shard() {
    let keys = Keys::new(&["1a", "2b", "1c"]);
    let check = |watches: &[usize], steps: Vec<Step>, expected: Result<u32, CrossShard>| {
        let watches = watches.iter().map(|at| (keys.0[*at].clone(), 1)).collect();
        let command = Command::Transaction(Transaction { watches, steps });
        let scattered = scatter_command(command, &SHARDS, keys.shard_of());
        assert_eq!(scattered.map(|scattered| scattered.parts[0].0.get()), expected);
    };
    let length = |at: usize| Step::Query(Query::XLen(keys.0[at].clone()));
    check(&[], vec![length(0), length(2)], Ok(1));
    check(&[1], vec![length(1)], Ok(2));
    check(&[1], vec![length(0)], Err(CrossShard));
    check(&[], vec![length(0), length(1)], Err(CrossShard));
    check(&[], vec![length(0), Step::Command(Command::FlushAll)], Err(CrossShard));
    check(&[], vec![], Ok(1));
}

#[test]
fn a_key_does_not_move_between_shards() {
    use crate::command::{CopyKey, Occupied, Rename};
    let keys = Keys::new(&["1a", "2b", "1c"]);
    let (a, b, c) = (keys.0[0].clone(), keys.0[1].clone(), keys.0[2].clone());
    let rename = |to| Command::Rename(Rename { from: a.clone(), to, occupied: Occupied::Replace });
    let copy = |to| Command::Copy(CopyKey { from: a.clone(), to, occupied: Occupied::Keep });
    assert_eq!(scatter_command(rename(b.clone()), &SHARDS, keys.shard_of()), Err(CrossShard));
    assert_eq!(scatter_command(copy(b), &SHARDS, keys.shard_of()), Err(CrossShard));
    let moved = scatter_command(rename(c.clone()), &SHARDS, keys.shard_of()).unwrap();
    assert_eq!(moved.parts, [(ShardId::new(1), rename(c))]);
}

fn several(index: u32, key: &StreamKey, count: u64) -> StreamEntries {
    let mut builder = EntriesBuilder::default();
    for ms in 1..=count {
        builder.begin(EntryId::new(ms, 0), 1);
        builder.pair(b"f", b"v");
    }
    StreamEntries { index, key: key.clone(), entries: builder.finish() }
}

fn lengths(outcome: &Outcome) -> Vec<(u32, usize)> {
    let Outcome::Streams(read) = outcome else { panic!("not read: {outcome:?}") };
    read.streams.iter().map(|stream| (stream.index, stream.entries.len())).collect()
}

#[test]
fn reads_over_shards_are_cut_to_the_budget_in_request_order() {
    let keys = Keys::new(&["1a", "2b", "1c"]);
    let check = |entries: Option<u64>, bytes: Option<u64>, expected: &[(u32, usize)]| {
        let budget = ReadBudget { entries, bytes, ..ReadBudget::UNLIMITED };
        let streams = keys.0.iter().map(|key| (key.clone(), ReadFrom::Last)).collect();
        let scattered =
            scatter_query(Query::XRead(XRead { count: None, budget, streams }), &SHARDS, keys.shard_of());
        let first = vec![several(0, &keys.0[0], 2), several(1, &keys.0[2], 2)];
        let second = vec![several(0, &keys.0[1], 2)];
        let outcomes =
            [first, second].map(|streams| Outcome::Streams(StreamsRead { streams, resolved: Vec::new() }));
        assert_eq!(lengths(&scattered.plan.gather(outcomes.into())), expected, "{entries:?} {bytes:?}");
    };
    check(None, Some(100_000), &[(0, 2), (1, 2), (2, 2)]);
    check(Some(5), None, &[(0, 2), (1, 2), (2, 1)]);
    check(Some(3), None, &[(0, 2), (1, 1)]);
    check(Some(2), None, &[(0, 2)]);
    check(None, Some(1), &[(0, 1)]);
    // `*3`, the first stream's head and its two entries: 4 + 16 + 2 * 31 bytes.
    check(None, Some(82), &[(0, 2)]);
    check(None, Some(81), &[(0, 1)]);
    check(None, Some(82 + 16 + 31), &[(0, 2), (1, 1)]);
}

#[test]
fn a_bounded_group_read_asks_one_shard_after_the_other() {
    let keys = Keys::new(&["1a", "1b", "2c", "1d"]);
    let read = |entries| XReadGroup {
        group: GroupName::new(Bytes::from_static(b"g")),
        consumer: ConsumerName::new(Bytes::from_static(b"c")),
        count: None,
        budget: ReadBudget { entries, ..ReadBudget::UNLIMITED },
        claim_min_idle_ms: None,
        acknowledgement: Acknowledgement::Explicit,
        streams: keys.0.iter().map(|key| (key.clone(), GroupReadFrom::New)).collect(),
    };
    let whole = Command::XReadGroup(read(Some(6)));
    assert_eq!(scatter_command(whole, &SHARDS, keys.shard_of()), Err(CrossShard));
    let run = |entries: Option<u64>, answers: &[Vec<StreamEntries>]| {
        let mut sequence = GroupReadSequence::new(read(entries), keys.shard_of());
        let mut steps = Vec::new();
        while let Some((shard, Command::XReadGroup(step))) = sequence.next_step() {
            let streams = answers[steps.len()].clone();
            steps.push((shard.get(), step.streams.len(), step.budget.entries));
            sequence.answered(Outcome::Streams(StreamsRead { streams, resolved: Vec::new() }));
        }
        (steps, lengths(&sequence.finish()))
    };
    let answers = [
        vec![several(0, &keys.0[0], 2), several(1, &keys.0[1], 1)],
        vec![several(0, &keys.0[2], 2)],
        vec![several(0, &keys.0[3], 1)],
    ];
    let all = vec![(0, 2), (1, 1), (2, 2), (3, 1)];
    let steps = vec![(1, 2, Some(6)), (2, 1, Some(3)), (1, 1, Some(1))];
    assert_eq!(run(Some(6), &answers), (steps, all.clone()));
    assert_eq!(run(None, &answers), (vec![(1, 2, None), (2, 1, None), (1, 1, None)], all));
    // The budget ends with the first shard: the others are not asked.
    assert_eq!(run(Some(3), &answers), (vec![(1, 2, Some(3))], vec![(0, 2), (1, 1)]));

    let mut refused = GroupReadSequence::new(read(Some(6)), keys.shard_of());
    refused.answered(Outcome::Rejected(Rejection::NoSuchKey));
    assert_eq!(refused.next_step(), None);
    assert_eq!(refused.finish(), Outcome::Rejected(Rejection::NoSuchKey));
}
