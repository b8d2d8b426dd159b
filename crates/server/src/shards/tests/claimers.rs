//! Readers with CLAIM: who wakes when pending entries have been idle for long enough.

use std::time::Duration;

use rivermark_stream::Effect;
use rivermark_types::UnixMillis;
use tokio::time::Instant;

use super::waiters::{Streams, claiming, group, grouped, key, of_group};
use crate::shards::endpoint::{GroupWait, WaitCondition, WaiterId};
use crate::shards::waiters::Waiters;

const NOBODY: [u64; 0] = [];

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn names(woken: Vec<WaiterId>) -> Vec<u64> {
    woken.into_iter().map(|id| id.0).collect()
}

fn wait_of(condition: WaitCondition) -> GroupWait {
    let WaitCondition::Group(wait) = condition else { unreachable!() };
    wait
}

fn register(waiters: &mut Waiters, streams: &Streams, condition: WaitCondition) -> Vec<u64> {
    names(waiters.register(condition, streams, soon()).1)
}

/// Delivers so many entries now, to someone who did not block.
fn deliver(streams: &mut Streams, entries: u64) {
    streams.add(&key(0), entries);
    assert_eq!(streams.take(&wait_of(of_group(&[0], None))), entries);
}

/// Lets the clock show `now` and answers who wakes, as the waiting room's task does.
fn at(now: u64, waiters: &mut Waiters, streams: &mut Streams) -> Vec<u64> {
    streams.now = now;
    match waiters.next_look() {
        Some(due) if due.get() <= now => names(waiters.look_again(UnixMillis::new(now), streams, soon())),
        _ => Vec::new(),
    }
}

#[test]
fn an_entry_idle_for_long_enough_wakes_its_reader_at_that_instant() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    deliver(&mut streams, 1);
    assert_eq!(register(&mut waiters, &streams, claiming(&[0], None, Some(50))), NOBODY);
    assert_eq!(waiters.next_look(), Some(UnixMillis::new(1050)));
    assert_eq!(at(1049, &mut waiters, &mut streams), NOBODY);
    assert_eq!(at(1050, &mut waiters, &mut streams), [1]);
    assert_eq!(waiters.next_look(), None, "nobody waits");
}

#[test]
fn each_reader_has_its_own_time_and_a_reader_of_new_entries_none() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    deliver(&mut streams, 3);
    for claim in [Some(500), None, Some(50), Some(80)] {
        assert_eq!(register(&mut waiters, &streams, claiming(&[0], Some(1), claim)), NOBODY);
    }
    assert_eq!(at(1050, &mut waiters, &mut streams), [3]);
    assert_eq!(at(1080, &mut waiters, &mut streams), [4]);
    assert_eq!(at(1499, &mut waiters, &mut streams), NOBODY);
    assert_eq!(at(1500, &mut waiters, &mut streams), [1]);
}

#[test]
fn readers_who_claim_wake_in_order_and_only_as_many_as_there_is_something_for() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    deliver(&mut streams, 2);
    for _ in 0..4 {
        assert_eq!(register(&mut waiters, &streams, claiming(&[0], Some(1), Some(50))), NOBODY);
    }
    assert_eq!(at(1050, &mut waiters, &mut streams), [1, 2]);
    // What the first claims counts anew from now.
    assert_eq!(streams.take(&wait_of(claiming(&[0], Some(1), Some(50)))), 1);
    assert_eq!(names(waiters.cancel(WaiterId(1), &streams, soon())), NOBODY);
    // The second went away and claimed nothing.
    assert_eq!(names(waiters.cancel(WaiterId(2), &streams, soon())), [3]);
    assert_eq!(streams.take(&wait_of(claiming(&[0], Some(1), Some(50)))), 1);
    assert_eq!(names(waiters.cancel(WaiterId(3), &streams, soon())), NOBODY);
    assert_eq!(at(1099, &mut waiters, &mut streams), NOBODY);
    assert_eq!(at(1100, &mut waiters, &mut streams), [4]);
}

#[test]
fn what_is_kept_for_a_reader_of_new_entries_keeps_no_pending_ones() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    deliver(&mut streams, 1);
    assert_eq!(register(&mut waiters, &streams, of_group(&[0], None)), NOBODY);
    assert_eq!(register(&mut waiters, &streams, claiming(&[0], Some(1), Some(50))), NOBODY);
    assert_eq!(register(&mut waiters, &streams, claiming(&[0], Some(1), Some(50))), NOBODY);
    streams.add(&key(0), 1);
    waiters.affected_by(&Effect::EntriesAdded(key(0)));
    assert_eq!(names(waiters.evaluate(&streams, soon())), [1]);
    assert_eq!(at(1050, &mut waiters, &mut streams), [2]);
}

#[test]
fn a_reader_who_claims_without_bound_is_not_faster_than_one_before_it() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    deliver(&mut streams, 1);
    assert_eq!(register(&mut waiters, &streams, of_group(&[0], None)), NOBODY);
    assert_eq!(register(&mut waiters, &streams, claiming(&[0], None, Some(50))), NOBODY);
    streams.add(&key(0), 1);
    waiters.affected_by(&Effect::EntriesAdded(key(0)));
    assert_eq!(names(waiters.evaluate(&streams, soon())), [1]);
    assert_eq!(at(1050, &mut waiters, &mut streams), NOBODY);
    assert_eq!(streams.take(&wait_of(of_group(&[0], None))), 1);
    assert_eq!(names(waiters.cancel(WaiterId(1), &streams, soon())), [2]);
}

#[test]
fn a_new_entry_and_one_given_back_wake_a_reader_who_claims() {
    for (index, effect) in
        [Effect::EntriesAdded(key(0)), Effect::GroupMoved(key(0), group(0))].into_iter().enumerate()
    {
        let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
        deliver(&mut streams, 1);
        assert_eq!(register(&mut waiters, &streams, claiming(&[0], None, Some(50_000))), NOBODY);
        match index {
            0 => streams.add(&key(0), 1),
            _ => streams.all.get_mut(&key(0)).unwrap().groups.get_mut(&group(0)).unwrap().pending[0] = 0,
        }
        streams.now = 60_000;
        waiters.affected_by(&effect);
        assert_eq!(names(waiters.evaluate(&streams, soon())), [1]);
    }
}

#[test]
fn an_empty_group_is_looked_at_again_in_case_somebody_is_delivered_to() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(1));
    assert_eq!(register(&mut waiters, &streams, claiming(&[0], None, Some(50))), NOBODY);
    streams.now = 1020;
    deliver(&mut streams, 1);
    assert_eq!(at(1050, &mut waiters, &mut streams), NOBODY);
    assert_eq!(waiters.next_look(), Some(UnixMillis::new(1070)));
    assert_eq!(at(1070, &mut waiters, &mut streams), [1]);
}

#[test]
fn no_look_outlives_its_readers() {
    let (mut waiters, mut streams) = (Waiters::default(), grouped(2));
    deliver(&mut streams, 1);
    let both = waiters.register(claiming(&[0, 1], None, Some(50)), &streams, soon()).0;
    let one = waiters.register(claiming(&[1], None, Some(10)), &streams, soon()).0;
    assert_eq!(waiters.next_look(), Some(UnixMillis::new(1010)));
    waiters.cancel(one, &streams, soon());
    waiters.cancel(both, &streams, soon());
    assert_eq!(waiters.next_look(), None);
    waiters.register(claiming(&[0, 1], None, Some(50)), &streams, soon());
    waiters.clear();
    assert_eq!(waiters.next_look(), None);
}
