//! Readers that come, wake, read and leave at random, against what they know themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rivermark_stream::Effect;
use rivermark_types::{GroupName, StreamKey, UnixMillis};
use tokio::time::Instant;

use super::waiters::{Group, Streams, after, claiming, group, grouped, key};
use crate::shards::endpoint::{GroupWait, WaitCondition, WaiterId};
use crate::shards::waiters::{MachineView, Waiters};

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
    let claim = prop_oneof![2 => Just(None), 1 => Just(Some(0)), 2 => (1u64..1500).prop_map(Some)];
    let groups = (streams, count, claim).prop_map(|(streams, count, claim)| claiming(&streams, count, claim));
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
                self.streams.all.remove(&key(stream));
                self.affect(Effect::KeyRemoved(key(stream)))
            }
            Action::RemoveGroup(stream) => {
                self.streams.all.entry(key(stream)).or_default().groups.clear();
                self.affect(Effect::GroupRemoved(key(stream), group(0)))
            }
            Action::CreateGroup(stream) => {
                let stream = self.streams.all.entry(key(stream)).or_default();
                stream.groups.entry(group(0)).or_insert(Group { cursor: stream.last, pending: Vec::new() });
                Vec::new()
            }
            Action::RewindGroup(stream) => {
                let groups = &mut self.streams.all.entry(key(stream)).or_default().groups;
                groups.values_mut().for_each(|group| group.cursor = 0);
                self.affect(Effect::GroupMoved(key(stream), group(0)))
            }
            Action::Flush => {
                self.streams.all.clear();
                self.affect(Effect::Flushed(None))
            }
            Action::Steal(stream, entries) => {
                let keys = vec![key(stream)];
                let (count, claim_min_idle_ms) = (Some(entries), None);
                self.streams.take(&GroupWait { group: group(0), keys, count, claim_min_idle_ms });
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
                self.streams.now += ms;
                let mut woken = self.waiters.expire(self.now, &self.streams, self.now + GRANT);
                let now = UnixMillis::new(self.streams.now);
                if self.waiters.next_look().is_some_and(|at| at <= now) {
                    woken.extend(self.waiters.look_again(now, &self.streams, self.now + GRANT));
                }
                woken
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
                    wait.keys.iter().any(|key| self.streams.deliverable(key, &wait.group, None).is_none());
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
                && let claim = wait.claim_min_idle_ms
                && let Some(deliverable) = self.streams.deliverable(key, &wait.group, claim)
            {
                let promised = self.held(key, claim, |other| other.keys == wait.keys);
                assert!(deliverable > promised, "{id:?} wakes for {deliverable}, {promised} promised");
                let passed_over = self.waiting.iter().find(|(other, condition)| {
                    *other < id
                        && matches!(condition, WaitCondition::Group(wait)
                            if wait.keys.contains(key) && wait.claim_min_idle_ms == claim)
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
                    wait.keys.iter().any(|key| self.streams.deliverable(key, &wait.group, None).is_some())
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
                        let claim = wait.claim_min_idle_ms;
                        let held = self.held(key, claim, |other| other.keys.contains(key));
                        let deliverable = self.streams.deliverable(key, &wait.group, claim);
                        let deliverable = deliverable.expect("a group that is gone wakes its readers");
                        let free = deliverable.saturating_sub(held);
                        let is_behind = held > 0 && self.first_in_line(*id, key, claim) > free;
                        let is_soon = claim.is_some() && self.was_delivered_now(key, &wait.group);
                        assert!(
                            free == 0 || is_behind || is_soon,
                            "{id:?} waits, {deliverable} there, {held} held"
                        );
                    }
                }
            }
        }
    }

    /// How much the first of a reader's line, or itself, may take.
    fn first_in_line(&self, id: WaiterId, key: &StreamKey, claim: Option<u64>) -> u64 {
        let in_line = self.waiting.range(..=id).find_map(|(_, condition)| match condition {
            WaitCondition::Group(wait) => {
                (wait.keys.contains(key) && wait.claim_min_idle_ms == claim).then_some(wait.count)
            }
            WaitCondition::Entries(_) => None,
        });
        in_line.flatten().unwrap_or(u64::MAX)
    }

    /// Whether something was delivered this very millisecond. No effect tells of a delivery, so what it makes
    /// claimable, or takes from those for whom it was kept, is seen by who claims when the clock has moved on.
    fn was_delivered_now(&self, key: &StreamKey, of: &GroupName) -> bool {
        let group = self.streams.all.get(key).and_then(|stream| stream.groups.get(of));
        group.is_some_and(|group| group.pending.contains(&self.streams.now))
    }

    /// What is kept of a stream for other readers than one with this CLAIM.
    fn held(&self, key: &StreamKey, claim: Option<u64>, of: impl Fn(&GroupWait) -> bool) -> u64 {
        let (mut of_new, mut of_any) = (0u64, 0u64);
        for (condition, until) in self.woken.values() {
            let WaitCondition::Group(wait) = condition else { continue };
            if *until > self.now && of(wait) {
                let held = if wait.claim_min_idle_ms.is_some() { &mut of_any } else { &mut of_new };
                *held = held.saturating_add(wait.count.unwrap_or(u64::MAX));
            }
        }
        // Who waits for new entries alone keeps no more than those from who claims.
        let new = self.streams.deliverable(key, &group(0), None).unwrap_or(0);
        let of_new = if claim.is_some() { of_new.min(new) } else { of_new };
        of_new.saturating_add(of_any)
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
