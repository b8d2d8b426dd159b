//! XCLAIM, and the part of claiming it shares with XAUTOCLAIM.

use std::sync::Arc;

use rivermark_types::{ConsumerName, EntryId, UnixMillis};

use super::Change;
use crate::command::{ClaimReply, ConsumerRef, DeliveryTime, Force, XClaim};
use crate::consumer::{ConsumerId, Created};
use crate::effect::Effect;
use crate::entries::EntryLog;
use crate::fields::EntriesBuilder;
use crate::group::Group;
use crate::keyspace::StreamMut;
use crate::outcome::{Claimed, Outcome, Rejection};
use crate::pending::{DELIVERY_COUNT_MAX, PendingRecord};
use crate::stream::Stream;

/// Makes pending entries the claiming consumer's.
pub(super) fn apply(change: &mut Change<'_>, command: &XClaim) -> Outcome {
    let now = change.stamp;
    let mut stream = match stream_to_claim(change, &command.target) {
        Ok(stream) => stream,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let mut claim = Claim::new(&mut stream, &command.target, now, command.reply);
    claim.delivery_time = delivery_time(command.delivery_time, now);
    claim.retry_count = command.retry_count;
    if let Some(id) = command.last_id
        && id > claim.group.last_id
    {
        claim.group.last_id = id;
        claim.changed = true;
    }
    for id in &command.ids {
        if claim.drop_if_deleted(*id) {
            continue;
        }
        match claim.group.pending.get(*id).copied() {
            Some(record) if !record.is_idle_for(command.min_idle_ms, now) => {}
            Some(record) => claim.take(*id, Some(record)),
            None if command.force == Force::Yes => claim.take(*id, None),
            None => {}
        }
    }
    let (changed, earlier) = (claim.changed, claim.delivery_time < now);
    let claimed = claim.finish();
    if changed {
        stream.touch();
    }
    // Whoever waits until entries are idle for long enough may find some sooner.
    if changed && earlier {
        let ConsumerRef { key, group, .. } = command.target.clone();
        change.effects.push(Effect::GroupMoved(key, group));
    }
    match claimed {
        Claimed::Entries(entries) => Outcome::Entries(entries),
        Claimed::Ids(ids) => Outcome::EntryIds(ids),
    }
}

/// The stream of a claim, if it has the group.
pub(super) fn stream_to_claim<'a>(
    change: &'a mut Change<'_>,
    target: &ConsumerRef,
) -> Result<StreamMut<'a>, Rejection> {
    change
        .keyspace
        .get_mut(&target.key)
        .filter(|stream| stream.group(&target.group).is_some())
        .ok_or_else(|| Rejection::NoKeyOrGroup(target.key.detached(), target.group.detached()))
}

/// A time before 1970 or after now is now.
fn delivery_time(wanted: DeliveryTime, now: UnixMillis) -> UnixMillis {
    let now_ms = i64::try_from(now.get()).unwrap_or(i64::MAX);
    let ms = match wanted {
        DeliveryTime::Now => now_ms,
        DeliveryTime::IdleMs(idle) => now_ms.saturating_sub(idle),
        DeliveryTime::AtUnixMs(ms) => ms,
    };
    u64::try_from(ms).map_or(now, |ms| UnixMillis::new(ms).min(now))
}

/// Entries on their way to a consumer.
pub(super) struct Claim<'a> {
    entries: &'a EntryLog,
    pub group: &'a mut Group,
    consumer: ConsumerId,
    now: UnixMillis,
    pub delivery_time: UnixMillis,
    /// Set instead of counting up.
    pub retry_count: Option<u64>,
    reply: ClaimReply,
    claimed_entries: EntriesBuilder,
    claimed_ids: Vec<EntryId>,
    /// Whether the key changed so far.
    pub changed: bool,
}

impl<'a> Claim<'a> {
    /// The consumer is made on first mention and seen, whatever it gets.
    pub fn new(stream: &'a mut Stream, target: &ConsumerRef, now: UnixMillis, reply: ClaimReply) -> Self {
        let Stream { entries, groups, .. } = stream;
        let group = Arc::make_mut(groups.get_mut(&target.group).expect("the caller found the group"));
        let (consumer, created) = seen(group, &target.consumer, now);
        Self {
            entries,
            group,
            consumer,
            now,
            delivery_time: now,
            retry_count: None,
            reply,
            claimed_entries: EntriesBuilder::default(),
            claimed_ids: Vec::new(),
            changed: created == Created::Yes,
        }
    }

    /// Whether the stream has no such entry; if it is pending it is so no more.
    pub fn drop_if_deleted(&mut self, id: EntryId) -> bool {
        if self.entries.contains(id) {
            return false;
        }
        self.changed |= self.group.acknowledge(id);
        true
    }

    /// Gives the consumer an entry that exists, pending as `before` says or not yet.
    pub fn take(&mut self, id: EntryId, before: Option<PendingRecord>) {
        let count = before.map_or(1, |record| record.delivery_count);
        let count = match (self.retry_count, self.reply) {
            (Some(count), _) => count,
            (None, ClaimReply::Entries) => count.saturating_add(1).min(DELIVERY_COUNT_MAX),
            (None, ClaimReply::Ids) => count,
        };
        self.group.give(id, self.consumer, self.delivery_time, count);
        self.group.consumers.get_mut(self.consumer).active_time = Some(self.now);
        self.changed = true;
        match self.reply {
            ClaimReply::Ids => self.claimed_ids.push(id),
            ClaimReply::Entries => {
                self.entries.copy(id, &mut self.claimed_entries);
            }
        }
    }

    /// What was claimed.
    pub fn finish(self) -> Claimed {
        match self.reply {
            ClaimReply::Ids => Claimed::Ids(self.claimed_ids),
            ClaimReply::Entries => Claimed::Entries(self.claimed_entries.finish()),
        }
    }
}

fn seen(group: &mut Group, name: &ConsumerName, now: UnixMillis) -> (ConsumerId, Created) {
    let (id, created) = group.consumers.find_or_create(name, now);
    group.consumers.get_mut(id).seen_time = now;
    (id, created)
}
