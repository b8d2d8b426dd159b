//! The machine against the naive model: every outcome, every read, every invariant; replayed and restored
//! from snapshots on the way.

mod commands;
mod naive;
mod newer;
mod reading;
mod scores;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use naive::Naive;
use proptest::prelude::*;
use rivermark_stream::invariants::check;
use rivermark_stream::outcome::{ConsumerInfo, Delivery, GroupInfo, PendingEntry, StreamHead};
use rivermark_stream::query::{DeadlineForm, Direction, PendingRange, TimeToLive, XInfoConsumers, XRange};
use rivermark_stream::{Batch, Command, Machine, Outcome, PartBuilder, PartOutcome, Query, SnapshotRestore};
use rivermark_types::{ConsumerName, EntryId, SessionId, StreamKey, UnixMillis};

const RUN_ENTRIES_MAX: u32 = 5;

fn machine() -> Machine {
    Machine::new(newer::settings(RUN_ENTRIES_MAX))
}

fn batch_of(stamp: u64, commands: &[Command]) -> Batch {
    let mut part = PartBuilder::new(SessionId::NONE, 0, 0);
    commands.iter().for_each(|command| part.push(command));
    let batch = Batch { stamp: UnixMillis::new(stamp), parts: vec![part.finish()] };
    Batch::decode(&batch.encode()).expect("what was encoded decodes")
}

fn restored(machine: &Machine, cut: usize) -> Machine {
    let bytes: Vec<u8> = machine.snapshot().chunks().flatten().collect();
    let mut restore = SnapshotRestore::new();
    for chunk in bytes.chunks(cut) {
        restore.push(chunk).expect("a snapshot restores");
    }
    restore.finish().expect("a snapshot restores")
}

fn same_state(machine: &Machine, model: &Naive, now: u64) {
    check(machine).expect("the invariants hold");
    for index in 0..commands::KEYS.len() {
        let key = commands::key_of(index);
        same_stream(machine, model, &key, now);
        same_groups(machine, model, &key, now);
    }
    assert_eq!(machine.key_count(), model.keys.len());
}

fn same_stream(machine: &Machine, model: &Naive, key: &StreamKey, now: u64) {
    let ask = |query: Query| machine.query(UnixMillis::new(now), &query);
    let Some(stream) = model.keys.get(key) else {
        assert_eq!(ask(Query::Exists(vec![key.clone()])), Outcome::Integer(0));
        return;
    };
    let live = stream.live();
    assert_eq!(ask(Query::XLen(key.clone())), Outcome::Integer(live.len() as i64));
    let all = |direction| {
        let (start, end) = (EntryId::MIN, EntryId::MAX);
        ask(Query::XRange(XRange { key: key.clone(), start, end, count: None, direction }))
    };
    scores::same_scores(machine, key, &live, now);
    let forward = live.iter().map(|item| (item.id, Some(&item.fields)));
    assert_eq!(all(Direction::Forward), Outcome::Entries(naive::pack(forward.clone())));
    assert_eq!(all(Direction::Backward), Outcome::Entries(naive::pack(forward.rev())));
    let Outcome::StreamInfo(info) = ask(Query::XInfoStream(key.clone())) else { panic!("no info") };
    assert_eq!(
        info.head,
        StreamHead {
            length: live.len() as u64,
            blocks: stream.run_count() as u64,
            last_id: stream.last_id,
            max_deleted_id: stream.max_deleted_id,
            entries_added: stream.entries_added,
            first_id: stream.first_id(),
            idempotence: stream.idempotence.told(now),
        }
    );
    let first = live.first().map(|item| (item.id, Some(&item.fields)));
    assert_eq!(info.first_entry, naive::pack(first));
    let last = live.last().map(|item| (item.id, Some(&item.fields)));
    assert_eq!(info.last_entry, naive::pack(last));
    let left = Query::TimeToLive(TimeToLive { key: key.clone(), form: DeadlineForm::MillisLeft });
    let expected = stream.deadline.map_or(-1, |deadline| (deadline - now) as i64);
    assert_eq!(ask(left), Outcome::Integer(expected));
}

fn same_groups(machine: &Machine, model: &Naive, key: &StreamKey, now: u64) {
    let ask = |query: Query| machine.query(UnixMillis::new(now), &query);
    let Some(stream) = model.keys.get(key) else { return };
    let told = |(name, group): (&_, &naive::Group)| GroupInfo {
        name: Clone::clone(name),
        consumers: group.consumers.len() as u64,
        pending: group.pending.len() as u64,
        last_delivered_id: group.last_id,
        entries_read: group.entries_read,
        lag: stream.lag(group),
    };
    let expected = stream.groups.iter().map(told).collect();
    assert_eq!(ask(Query::XInfoGroups(key.clone())), Outcome::Groups(expected));
    for (name, group) in &stream.groups {
        let (key, name) = (key.clone(), name.clone());
        let told = |(consumer, (seen, active)): (&_, &(u64, Option<u64>))| ConsumerInfo {
            name: Clone::clone(consumer),
            pending: group.pending.iter().filter(|record| record.consumer.as_ref() == Some(consumer)).count()
                as u64,
            idle_ms: now - seen,
            inactive_ms: active.map(|active| now - active),
        };
        let query = XInfoConsumers { key: key.clone(), group: name.clone() };
        let expected = group.consumers.iter().map(told).collect();
        assert_eq!(ask(Query::XInfoConsumers(query)), Outcome::Consumers(expected));
        for consumer in std::iter::once(None).chain(group.consumers.keys().map(Some)) {
            let wanted =
                |record: &&naive::Pending| consumer.is_none_or(|name| record.consumer.as_ref() == Some(name));
            let told = |record: &naive::Pending| PendingEntry {
                id: record.id,
                consumer: record.consumer.clone().unwrap_or(ConsumerName::new(Bytes::new())),
                idle_ms: record.consumer.as_ref().map(|_| now - record.time),
                delivery_count: record.count,
            };
            let query = PendingRange {
                key: key.clone(),
                group: name.clone(),
                min_idle_ms: 0,
                start: EntryId::MIN,
                end: EntryId::MAX,
                count: u64::MAX,
                consumer: consumer.cloned(),
            };
            let expected = group.pending.iter().filter(wanted).map(told).collect();
            assert_eq!(ask(Query::XPendingRange(query)), Outcome::PendingRange(expected));
        }
    }
}

/// How often interesting things happened over all cases: a model test that never delivers proves little.
static DELIVERED: AtomicU64 = AtomicU64::new(0);
static CLAIMED: AtomicU64 = AtomicU64::new(0);
static DELETED_CLAIMS: AtomicU64 = AtomicU64::new(0);
static REDELIVERED: AtomicU64 = AtomicU64::new(0);
static KEPT: AtomicU64 = AtomicU64::new(0);

fn count(outcome: &Outcome) {
    let add = |counter: &AtomicU64, count: usize| counter.fetch_add(count as u64, Ordering::Relaxed);
    match outcome {
        Outcome::Streams(read) => {
            let entries = read.streams.iter().map(|stream| stream.entries.len()).sum();
            add(&DELIVERED, entries);
        }
        Outcome::StreamsClaimed(claims) => {
            let again = |one: &Delivery| one.delivery_count > 0 || one.idle_ms > 0;
            let all = claims.iter().flat_map(|claims| &claims.deliveries);
            add(&REDELIVERED, all.filter(|one| again(one)).count());
        }
        Outcome::Integers(values) => {
            add(&KEPT, values.iter().filter(|value| **value == 2).count());
        }
        Outcome::EntryIds(ids) => {
            add(&CLAIMED, ids.len());
        }
        Outcome::Entries(entries) => {
            add(&CLAIMED, entries.len());
        }
        Outcome::AutoClaimed(claimed) => {
            add(&DELETED_CLAIMS, claimed.deleted.len());
        }
        _ => {}
    }
}

fn run(batches: &[(u64, Vec<Command>)], snapshot_every: usize, cut: usize) {
    let mut model = Naive { keys: Default::default(), run_entries_max: RUN_ENTRIES_MAX as usize, turns: 0 };
    let mut machine = machine();
    let mut log = Vec::new();
    let mut now = 100;
    for (at, (elapsed, commands)) in batches.iter().enumerate() {
        now += elapsed;
        let batch = batch_of(now, commands);
        let applied = machine.apply(&batch);
        log.push(batch);
        model.expire(now);
        let expected: Vec<Outcome> = commands.iter().map(|command| model.apply(command, now)).collect();
        expected.iter().for_each(count);
        assert_eq!(applied.parts, [PartOutcome::Applied(expected)]);
        same_state(&machine, &model, now);
        if at % snapshot_every == 0 {
            let again = restored(&machine, cut);
            check(&again).expect("the invariants hold of a restored machine");
            assert_eq!(again.digest(), machine.digest());
            machine = again;
        }
    }
    let mut replayed = self::machine();
    for batch in &log {
        replayed.apply(batch);
    }
    assert_eq!(replayed.digest(), machine.digest(), "replay tells another story");
}

#[test]
fn the_machine_does_what_the_model_does() {
    let batch = (
        prop_oneof![8 => Just(0u64), 4 => Just(1u64), 4 => Just(2u64), 1 => Just(600u64)],
        prop::collection::vec(commands::command(), 1..5),
    );
    let batches = prop::collection::vec(batch, 1..60);
    let config = ProptestConfig { cases: 768, max_shrink_iters: 2000, ..ProptestConfig::default() };
    proptest!(config, |(mut batches in batches, prelude: bool, every in 1usize..20, cut in 1usize..5000)| {
        if prelude {
            batches.insert(0, (0, commands::prelude()));
        }
        run(&batches, every, cut);
    });
    for (what, counter) in [
        ("delivered", &DELIVERED),
        ("claimed", &CLAIMED),
        ("found deleted", &DELETED_CLAIMS),
        ("claimed by a read", &REDELIVERED),
        ("kept for a group", &KEPT),
    ] {
        let times = counter.load(Ordering::Relaxed);
        println!("{times} entries {what}");
        assert!(times > 20, "only {times} entries {what} in all cases");
    }
}
