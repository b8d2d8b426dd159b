use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rivermark_stream::Effect;
use rivermark_types::{DatabaseIndex, EntryId, GroupName, StreamKey, UnixMillis};
use tokio::time::Instant;

use crate::shards::endpoint::{GroupWait, WaitCondition, WaiterId};
use crate::shards::waiters::{MachineView, Waiters};

/// Streams as counters: entry n has the id n-0, and a group has been given all up to its cursor.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) all: BTreeMap<StreamKey, Stream>,
    /// Milliseconds since 1970.
    pub(super) now: u64,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) last: u64,
    pub(super) groups: BTreeMap<GroupName, Group>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) cursor: u64,
    /// When each pending entry was delivered.
    pub(super) pending: Vec<u64>,
}

impl MachineView for Streams {
    fn has_entries_after(&self, key: &StreamKey, after: EntryId) -> bool {
        self.all.get(key).is_some_and(|stream| stream.last > after.ms)
    }

    fn deliverable(&self, key: &StreamKey, group: &GroupName, claim: Option<u64>) -> Option<u64> {
        let stream = self.all.get(key)?;
        let group = stream.groups.get(group)?;
        let claimable = claim.map_or(0, |idle| group.claimable(idle, self.now).count());
        Some(stream.last - group.cursor + claimable as u64)
    }

    fn look_again_at(&self, key: &StreamKey, group: &GroupName, claim: u64) -> Option<UnixMillis> {
        let group = self.all.get(key)?.groups.get(group)?;
        // As the machine has it: by the oldest, or by what is delivered from now on, and soon if that is held.
        let oldest = group.pending.iter().copied().min().unwrap_or(self.now);
        Some(UnixMillis::new((oldest + claim).max(self.now + 1)))
    }
}

impl Group {
    fn claimable(&self, min_idle: u64, now: u64) -> impl Iterator<Item = usize> + '_ {
        let idle = self.pending.iter().enumerate().filter(move |(_, delivered)| *delivered + min_idle <= now);
        idle.map(|(place, _)| place)
    }
}

impl Streams {
    pub(super) fn add(&mut self, key: &StreamKey, entries: u64) {
        self.all.entry(key.clone()).or_default().last += entries;
    }

    /// What XREADGROUP does: pending entries first, then new ones, all pending from now on.
    pub(super) fn take(&mut self, wait: &GroupWait) -> u64 {
        let mut taken = 0;
        for key in &wait.keys {
            let Some(stream) = self.all.get_mut(key) else { continue };
            let Some(group) = stream.groups.get_mut(&wait.group) else { continue };
            let count = wait.count.unwrap_or(u64::MAX);
            let claimed: Vec<usize> = wait.claim_min_idle_ms.map_or_else(Vec::new, |idle| {
                group.claimable(idle, self.now).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()
            });
            claimed.iter().for_each(|place| group.pending[*place] = self.now);
            let claimed = claimed.len() as u64;
            let new = (stream.last - group.cursor).min(count - claimed);
            group.cursor += new;
            group.pending.extend(std::iter::repeat_n(self.now, new as usize));
            taken += claimed + new;
        }
        taken
    }
}

pub(super) fn key(number: usize) -> StreamKey {
    let database = DatabaseIndex::new((number % 2) as u8).expect("in range");
    StreamKey::new(database, Bytes::from(format!("s{number}")))
}

pub(super) fn group(number: usize) -> GroupName {
    GroupName::new(Bytes::from(format!("g{number}")))
}

pub(super) fn after(stream: usize, ms: u64) -> WaitCondition {
    WaitCondition::Entries(vec![(key(stream), EntryId::new(ms, 0))])
}

pub(super) fn of_group(streams: &[usize], count: Option<u64>) -> WaitCondition {
    claiming(streams, count, None)
}

pub(super) fn claiming(streams: &[usize], count: Option<u64>, claim: Option<u64>) -> WaitCondition {
    let keys = streams.iter().map(|stream| key(*stream)).collect();
    WaitCondition::Group(GroupWait { group: group(0), keys, count, claim_min_idle_ms: claim })
}

pub(super) fn grouped(streams: usize) -> Streams {
    let stream = || Stream { last: 0, groups: [(group(0), Group::default())].into() };
    Streams { all: (0..streams).map(|number| (key(number), stream())).collect(), now: 1000 }
}

const NOBODY: [u64; 0] = [];

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
        assert_eq!(names(woken), NOBODY);
    }
    streams.add(&key(0), 2);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [1, 4]);
    // The third waits for another stream, the second for a greater id.
    streams.add(&key(0), 4);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), [2]);
    assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), NOBODY);
}

#[test]
fn whoever_comes_late_wakes_at_once() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    streams.add(&key(0), 1);
    assert_eq!(names(waiters.register(after(0, 0), &streams, soon()).1), [1]);
    assert_eq!(names(waiters.register(of_group(&[0], None), &streams, soon()).1), [2]);
    // What there is is kept for the second.
    assert_eq!(names(waiters.register(of_group(&[0], None), &streams, soon()).1), NOBODY);
}

#[test]
fn readers_of_a_group_wake_in_order_and_only_as_many_as_there_is_something_for() {
    // COUNTs of the queue, entries added, who wakes.
    for (counts, entries, expected) in [
        (&[None, None, None][..], 100, &[1][..]),
        (&[Some(1), Some(1), Some(1)], 2, &[1, 2]),
        (&[Some(1), Some(1), Some(1)], 3, &[1, 2, 3]),
        (&[Some(10), Some(1), None, Some(1)], 10, &[1]),
        (&[Some(10), Some(1), None, Some(1)], 11, &[1, 2]),
        // Who reads without bound must not be faster than those before it, nor who is behind it.
        (&[Some(10), Some(1), None, Some(1)], 12, &[1, 2]),
        (&[Some(1), None, Some(1)], 1_000_000, &[1]),
        (&[Some(1), Some(2), Some(1)], 2, &[1]),
        (&[Some(1), Some(2), Some(1)], 4, &[1, 2, 3]),
        (&[Some(1)], 0, &NOBODY),
    ] {
        let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
        for count in counts {
            waiters.register(of_group(&[0], *count), &streams, soon());
        }
        streams.add(&key(0), entries);
        let woken = effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0)));
        assert_eq!(woken, expected, "{counts:?} and {entries} entries");
        assert_eq!(effect(&mut waiters, &streams, &Effect::EntriesAdded(key(0))), NOBODY, "nobody twice");
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
    assert_eq!(names(waiters.cancel(all[1], &streams, soon())), NOBODY);
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
    assert_eq!(names(waiters.rearm(first, &streams, soon())), NOBODY);
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
    assert_eq!(names(waiters.expire(now, &streams, until)), NOBODY);
    assert_eq!(names(waiters.expire(until, &streams, until + Duration::from_secs(1))), [2]);
    // The first comes back after all and waits again, at its place.
    assert_eq!(names(waiters.rearm(first, &streams, until)), NOBODY);
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
        streams.all.remove(&key(0));
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
    streams.all.clear();
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
