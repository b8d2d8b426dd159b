use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rivermark_stream::Effect;
use rivermark_types::{DatabaseIndex, EntryId, GroupName, StreamKey};
use tokio::time::Instant;

use crate::shards::endpoint::{GroupWait, WaitCondition, WaiterId};
use crate::shards::waiters::{MachineView, Waiters};

/// Streams as counters: entry n has the id n-0, and a group has been given all up to its cursor.
#[derive(Debug, Default)]
struct Streams(BTreeMap<StreamKey, Stream>);

#[derive(Debug, Default)]
struct Stream {
    last: u64,
    cursors: BTreeMap<GroupName, u64>,
}

impl MachineView for Streams {
    fn has_entries_after(&self, key: &StreamKey, after: EntryId) -> bool {
        self.0.get(key).is_some_and(|stream| stream.last > after.ms)
    }

    fn deliverable(&self, key: &StreamKey, group: &GroupName, enough: u64) -> Option<u64> {
        let stream = self.0.get(key)?;
        Some((stream.last - stream.cursors.get(group)?).min(enough))
    }
}

impl Streams {
    fn add(&mut self, key: &StreamKey, entries: u64) {
        self.0.entry(key.clone()).or_default().last += entries;
    }

    /// What XREADGROUP does.
    fn take(&mut self, wait: &GroupWait) -> u64 {
        let mut taken = 0;
        for key in &wait.keys {
            let Some(stream) = self.0.get_mut(key) else { continue };
            let Some(cursor) = stream.cursors.get_mut(&wait.group) else { continue };
            let entries = (stream.last - *cursor).min(wait.count.unwrap_or(u64::MAX));
            *cursor += entries;
            taken += entries;
        }
        taken
    }
}

fn key(number: usize) -> StreamKey {
    let database = DatabaseIndex::new((number % 2) as u8).expect("in range");
    StreamKey::new(database, Bytes::from(format!("s{number}")))
}

fn group(number: usize) -> GroupName {
    GroupName::new(Bytes::from(format!("g{number}")))
}

fn after(stream: usize, ms: u64) -> WaitCondition {
    WaitCondition::Entries(vec![(key(stream), EntryId::new(ms, 0))])
}

fn of_group(streams: &[usize], count: Option<u64>) -> WaitCondition {
    let keys = streams.iter().map(|stream| key(*stream)).collect();
    WaitCondition::Group(GroupWait { group: group(0), keys, count })
}

fn grouped(streams: usize) -> Streams {
    let stream = || Stream { last: 0, cursors: [(group(0), 0)].into() };
    Streams((0..streams).map(|number| (key(number), stream())).collect())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn effect(waiters: &mut Waiters, streams: &Streams, effect: &Effect) -> Vec<u64> {
    waiters.affected_by(effect);
    names(waiters.evaluate(streams, soon()))
}

fn names(woken: Vec<WaiterId>) -> Vec<u64> {
    woken.into_iter().map(|id| id.0).collect()
}

#[test]
fn readers_of_entries_wake_together_when_something_new_is_there() {
    let (mut waiters, mut streams) = (Waiters::default(), Streams::default());
    for (stream, ms) in [(0, 0), (0, 5), (1, 0), (0, 1)] {
        let (_, woken) = waiters.register(after(stream, ms), &streams, soon());
        assert_eq!(woken, []);
    }
    streams.add(&key(0), 2);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [1, 4]);
    // The third waits for another stream, the second for a greater id.
    streams.add(&key(0), 4);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [2]);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), []);
}

#[test]
fn whoever_comes_late_wakes_at_once() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    streams.add(&key(0), 1);
    assert_eq!(names(waiters.register(after(0, 0), &streams, soon()).1), [1]);
    assert_eq!(names(waiters.register(of_group(&[0], None), &streams, soon()).1), [2]);
    // What there is is kept for the second.
    assert_eq!(names(waiters.register(of_group(&[0], None), &streams, soon()).1), []);
}

#[test]
fn readers_of_a_group_wake_in_order_and_only_as_many_as_there_is_something_for() {
    // COUNTs of the queue, entries added, who wakes.
    let none: &[u64] = &[];
    for (counts, entries, expected) in [
        (&[None, None, None][..], 100, &[1][..]),
        (&[Some(1), Some(1), Some(1)], 2, &[1, 2]),
        (&[Some(1), Some(1), Some(1)], 3, &[1, 2, 3]),
        (&[Some(10), Some(1), None, Some(1)], 10, &[1]),
        (&[Some(10), Some(1), None, Some(1)], 11, &[1, 2]),
        (&[Some(10), Some(1), None, Some(1)], 12, &[1, 2, 3]),
        (&[Some(1), None, Some(1)], u64::MAX, &[1, 2]),
        (&[Some(1)], 0, none),
    ] {
        let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
        for count in counts {
            waiters.register(of_group(&[0], *count), &streams, soon());
        }
        streams.add(&key(0), entries);
        let woken = effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0)));
        assert_eq!(woken, expected, "{counts:?} and {entries} entries");
        assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), none, "nobody twice");
    }
}

#[test]
fn what_a_served_reader_left_wakes_the_next() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    let all: Vec<WaiterId> =
        (0..3).map(|_| waiters.register(of_group(&[0], Some(10)), &streams, soon()).0).collect();
    streams.add(&key(0), 5);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [1]);
    // Gone without reading, as after a disconnect.
    assert_eq!(names(waiters.cancel(all[0], &streams, soon())), [2]);
    let WaitCondition::Group(wait) = of_group(&[0], Some(10)) else { unreachable!() };
    assert_eq!(streams.take(&wait), 5);
    assert_eq!(names(waiters.cancel(all[1], &streams, soon())), []);
    assert_eq!(waiters.len(), 1);
}

#[test]
fn who_was_beaten_to_it_keeps_its_place() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    let first = waiters.register(of_group(&[0], None), &streams, soon()).0;
    waiters.register(of_group(&[0], None), &streams, soon());
    streams.add(&key(0), 1);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [1]);
    // Somebody who did not block took it.
    let WaitCondition::Group(wait) = of_group(&[0], None) else { unreachable!() };
    streams.take(&wait);
    assert_eq!(names(waiters.rearm(first, &streams, soon())), []);
    streams.add(&key(0), 1);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [1]);
}

#[test]
fn who_does_not_read_in_time_holds_nobody_up() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    let now = Instant::now();
    let until = now + Duration::from_secs(1);
    let first = waiters.register(of_group(&[0], None), &streams, until).0;
    waiters.register(of_group(&[0], None), &streams, until);
    streams.add(&key(0), 1);
    waiters.affected_by(&Effect::EntriesAdded(key(0)));
    assert_eq!(names(waiters.evaluate(&streams, until)), [1]);
    assert_eq!(waiters.next_overdue(), Some(until));
    assert_eq!(names(waiters.expire(now, &streams, until)), []);
    assert_eq!(names(waiters.expire(until, &streams, until + Duration::from_secs(1))), [2]);
    // The first comes back after all and waits again, at its place.
    assert_eq!(names(waiters.rearm(first, &streams, until)), []);
}

#[test]
fn the_end_of_a_group_wakes_all_its_readers_and_nobody_else() {
    for (index, end) in
        [Effect::KeyRemoved(key(0)), Effect::GroupRemoved(key(0), group(0)), Effect::Flushed(None)]
            .into_iter()
            .enumerate()
    {
        let (mut waiters, mut streams) = (Waiters::default(), grouped(2));
        waiters.register(of_group(&[0], Some(1)), &streams, soon());
        waiters.register(of_group(&[1, 0], Some(1)), &streams, soon());
        waiters.register(of_group(&[1], Some(1)), &streams, soon());
        waiters.register(after(0, 0), &streams, soon());
        streams.0.remove(&key(0));
        assert_eq!(effect(&mut waiters, &streams, &end), [1, 2], "case {index}");
        // Without the group there is nothing to wait for.
        assert_eq!(names(waiters.register(of_group(&[0], None), &streams, soon()).1), [5]);
    }
}

#[test]
fn a_flush_of_one_database_is_not_the_others() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(2));
    waiters.register(of_group(&[0], None), &streams, soon());
    waiters.register(of_group(&[1], None), &streams, soon());
    streams.0.clear();
    let flushed = Effect::Flushed(DatabaseIndex::new(1));
    assert_eq!(effect(&mut waiters, &streams, &flushed), [2]);
}

#[test]
fn nothing_is_left_behind() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(2));
    streams.add(&key(1), 1);
    let ids: Vec<WaiterId> = [after(0, 0), of_group(&[0, 1], None), of_group(&[0], Some(1)), after(1, 0)]
        .into_iter()
        .map(|condition| waiters.register(condition, &streams, soon()).0)
        .collect();
    assert_eq!(waiters.blocking_keys(None), (2, 2));
    for id in ids {
        waiters.cancel(id, &streams, soon());
        waiters.cancel(id, &streams, soon());
    }
    assert!(waiters.is_empty());
    assert_eq!(waiters.blocking_keys(None), (0, 0));
    assert_eq!(waiters.next_overdue(), None);

    let kept = waiters.register(after(0, 0), &streams, soon()).0;
    assert_eq!(waiters.clear(), [kept]);
    assert_eq!(waiters.blocking_keys(None), (0, 0));
    assert!(waiters.register(after(0, 0), &streams, soon()).0 > kept, "names are not used again");
}

#[derive(Clone, Debug)]
enum Action {
    Add(usize, u64),
    RemoveKey(usize),
    RemoveGroup(usize),
    CreateGroup(usize),
    RewindGroup(usize),
    Flush,
    /// XREADGROUP of someone who did not block.
    Steal(usize, u64),
    Register(WaitCondition),
    /// One of the woken reads, and leaves if it got something.
    Read(usize),
    /// One of all leaves.
    Leave(usize),
    Pass(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let count = prop_oneof![Just(None), (1u64..4).prop_map(Some)];
    let streams = prop_oneof![
        3 => (0..2usize).prop_map(|stream| vec![stream]),
        1 => Just(vec![0, 1]),
    ];
    let groups = (streams, count).prop_map(|(streams, count)| of_group(&streams, count));
    let action = prop_oneof![
        5 => (0..2usize, 1..4u64).prop_map(|(stream, entries)| Action::Add(stream, entries)),
        1 => (0..2usize).prop_map(Action::RemoveKey),
        1 => (0..2usize).prop_map(Action::RemoveGroup),
        2 => (0..2usize).prop_map(Action::CreateGroup),
        1 => (0..2usize).prop_map(Action::RewindGroup),
        1 => Just(Action::Flush),
        2 => (0..2usize, 1..3u64).prop_map(|(stream, entries)| Action::Steal(stream, entries)),
        6 => groups.prop_map(Action::Register),
        2 => (0..2usize, 0..8u64).prop_map(|(stream, ms)| Action::Register(after(stream, ms))),
        5 => any::<usize>().prop_map(Action::Read),
        1 => any::<usize>().prop_map(Action::Leave),
        2 => (0..1500u64).prop_map(Action::Pass),
    ];
    prop::collection::vec(action, 1..80)
}

/// What the readers know: who waits, who was woken and since when.
struct Readers {
    waiters: Waiters,
    streams: Streams,
    now: Instant,
    waiting: BTreeMap<WaiterId, WaitCondition>,
    woken: BTreeMap<WaiterId, (WaitCondition, Instant)>,
}

const GRANT: Duration = Duration::from_millis(1000);

impl Readers {
    fn act(&mut self, action: Action) {
        let until = self.now + GRANT;
        let woken = match action {
            Action::Add(stream, entries) => {
                self.streams.add(&key(stream), entries);
                self.affect(Effect::EntriesAdded(key(stream)))
            }
            Action::RemoveKey(stream) => {
                self.streams.0.remove(&key(stream));
                self.affect(Effect::KeyRemoved(key(stream)))
            }
            Action::RemoveGroup(stream) => {
                self.streams.0.entry(key(stream)).or_default().cursors.clear();
                self.affect(Effect::GroupRemoved(key(stream), group(0)))
            }
            Action::CreateGroup(stream) => {
                let stream = self.streams.0.entry(key(stream)).or_default();
                stream.cursors.entry(group(0)).or_insert(stream.last);
                Vec::new()
            }
            Action::RewindGroup(stream) => {
                let cursors = &mut self.streams.0.entry(key(stream)).or_default().cursors;
                cursors.values_mut().for_each(|cursor| *cursor = 0);
                self.affect(Effect::GroupMoved(key(stream), group(0)))
            }
            Action::Flush => {
                self.streams.0.clear();
                self.affect(Effect::Flushed(None))
            }
            Action::Steal(stream, entries) => {
                let keys = vec![key(stream)];
                self.streams.take(&GroupWait { group: group(0), keys, count: Some(entries) });
                Vec::new()
            }
            Action::Register(condition) => {
                let (id, woken) = self.waiters.register(condition.clone(), &self.streams, until);
                self.waiting.insert(id, condition);
                woken
            }
            Action::Read(pick) => self.read(pick),
            Action::Leave(pick) => {
                let all: Vec<WaiterId> = self.waiting.keys().chain(self.woken.keys()).copied().collect();
                if all.is_empty() {
                    return;
                }
                let id = all[pick % all.len()];
                self.waiting.remove(&id);
                self.woken.remove(&id);
                self.waiters.cancel(id, &self.streams, until)
            }
            Action::Pass(ms) => {
                self.now += Duration::from_millis(ms);
                self.waiters.expire(self.now, &self.streams, self.now + GRANT)
            }
        };
        self.check_woken(&woken);
        self.check_waiting();
    }

    fn affect(&mut self, effect: Effect) -> Vec<WaiterId> {
        self.waiters.affected_by(&effect);
        self.waiters.evaluate(&self.streams, self.now + GRANT)
    }

    fn read(&mut self, pick: usize) -> Vec<WaiterId> {
        let ids: Vec<WaiterId> = self.woken.keys().copied().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let id = ids[pick % ids.len()];
        let (condition, _) = self.woken.remove(&id).expect("picked from it");
        let is_served = match &condition {
            WaitCondition::Entries(streams) => {
                streams.iter().any(|(key, after)| self.streams.has_entries_after(key, *after))
            }
            WaitCondition::Group(wait) => {
                let is_refused =
                    wait.keys.iter().any(|key| self.streams.deliverable(key, &wait.group, 1).is_none());
                is_refused || self.streams.take(wait) > 0
            }
        };
        let until = self.now + GRANT;
        if is_served {
            return self.waiters.cancel(id, &self.streams, until);
        }
        self.waiting.insert(id, condition);
        self.waiters.rearm(id, &self.streams, until)
    }

    /// In order, nobody twice, and not for what others were promised.
    fn check_woken(&mut self, woken: &[WaiterId]) {
        for id in woken {
            let condition = self.waiting.remove(id).expect("only who waits is woken");
            if let WaitCondition::Group(wait) = &condition
                && let [key] = &wait.keys[..]
                && let Some(deliverable) = self.streams.deliverable(key, &wait.group, u64::MAX)
            {
                let promised = self.held(|other| other.keys == wait.keys);
                assert!(deliverable > promised, "{id:?} wakes for {deliverable}, {promised} promised");
                let passed_over = self.waiting.iter().find(|(other, condition)| {
                    *other < id && matches!(condition, WaitCondition::Group(wait) if wait.keys.contains(key))
                });
                assert!(
                    passed_over.is_none() || woken.contains(passed_over.expect("some").0),
                    "{id:?} before {passed_over:?}"
                );
            }
            // Who wakes because the group is gone is promised nothing.
            let is_granted = match &condition {
                WaitCondition::Entries(_) => false,
                WaitCondition::Group(wait) => {
                    wait.keys.iter().any(|key| self.streams.deliverable(key, &wait.group, 1).is_some())
                }
            };
            let until = if is_granted { self.now + GRANT } else { self.now };
            self.woken.insert(*id, (condition, until));
        }
    }

    /// Nobody waits for what is there and free.
    fn check_waiting(&self) {
        for (id, condition) in &self.waiting {
            match condition {
                WaitCondition::Entries(streams) => {
                    let ready =
                        streams.iter().any(|(key, after)| self.streams.has_entries_after(key, *after));
                    assert!(!ready, "{id:?} waits for entries that are there");
                }
                WaitCondition::Group(wait) => {
                    for key in &wait.keys {
                        let held = self.held(|other| other.keys.contains(key));
                        let deliverable = self.streams.deliverable(key, &wait.group, u64::MAX);
                        let deliverable = deliverable.expect("a group that is gone wakes its readers");
                        assert!(deliverable <= held, "{id:?} waits, {deliverable} there, {held} held");
                    }
                }
            }
        }
    }

    fn held(&self, of: impl Fn(&GroupWait) -> bool) -> u64 {
        let held = self.woken.values().filter(|(_, until)| *until > self.now);
        held.fold(0, |held, (condition, _)| match condition {
            WaitCondition::Group(wait) if of(wait) => held.saturating_add(wait.count.unwrap_or(u64::MAX)),
            _ => held,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_wake_is_lost_and_none_is_out_of_order(actions in actions()) {
        let mut readers = Readers {
            waiters: Waiters::default(),
            streams: grouped(2),
            now: Instant::now(),
            waiting: BTreeMap::new(),
            woken: BTreeMap::new(),
        };
        for action in actions {
            readers.act(action);
        }
        // Once everyone woken has read, whoever waits has nothing to read.
        for _ in 0..1000 {
            if readers.woken.is_empty() {
                break;
            }
            readers.act(Action::Read(0));
        }
        assert!(readers.woken.is_empty(), "readers go round in circles");
        assert_eq!(readers.waiters.len(), readers.waiting.len());
    }
}
