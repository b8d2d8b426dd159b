//! XREADGROUP: delivers to a consumer what it may claim and what is new, or shows it again what it has
//! pending.

use std::sync::Arc;

use rivermark_types::{EntryId, StreamKey, UnixMillis};

use super::Change;
use crate::allowance::{Allowance, ReplySize, delivery_bytes, entry_reply_bytes, stream_head_bytes};
use crate::command::{Acknowledgement, GroupReadFrom, XReadGroup};
use crate::consumer::{ConsumerId, Created};
use crate::fields::{Entries, EntriesBuilder};
use crate::group::{Group, Progress};
use crate::outcome::{Delivery, Outcome, Rejection, StreamClaims, StreamEntries, StreamsRead};
use crate::pending::DELIVERY_COUNT_MAX;
use crate::stream::Stream;

/// Reads every stream of the command, or none if a group is missing.
pub(super) fn apply(change: &mut Change<'_>, command: &XReadGroup) -> Outcome {
    for (key, _) in &command.streams {
        if change.keyspace.get(key).and_then(|stream| stream.group(&command.group)).is_none() {
            let rejection = Rejection::NoKeyOrGroupToRead(key.detached(), command.group.detached());
            return Outcome::Rejected(rejection);
        }
    }
    let mut allowance = Allowance::new(&command.budget);
    let mut claims = Vec::new();
    for (index, (key, from)) in (0u32..).zip(&command.streams) {
        if allowance.is_over() {
            break;
        }
        let mut stream = change.keyspace.get_mut(key).expect("every key was found above");
        let mut read = Read::new(&mut stream, command, key, &mut allowance, change.stamp);
        let created = read.created;
        match from {
            GroupReadFrom::New => read.deliver(),
            GroupReadFrom::Pending(after) => read.show_pending(*after),
        }
        let (entries, deliveries) = read.finish();
        if created == Created::Yes || !entries.is_empty() {
            stream.touch();
        }
        // A history read always shows its stream.
        if !entries.is_empty() || matches!(from, GroupReadFrom::Pending(_)) {
            let read = StreamEntries { index, key: key.detached(), entries };
            claims.push(StreamClaims { read, deliveries });
        }
    }
    if claims.iter().any(|claims| !claims.deliveries.is_empty()) {
        return Outcome::StreamsClaimed(claims);
    }
    let streams = claims.into_iter().map(|claims| claims.read).collect();
    Outcome::Streams(StreamsRead { streams, resolved: Vec::new() })
}

/// One stream's share of the command.
struct Read<'a> {
    stream: &'a mut Stream,
    command: &'a XReadGroup,
    key: &'a StreamKey,
    allowance: &'a mut Allowance,
    consumer: ConsumerId,
    created: Created,
    now: UnixMillis,
    /// COUNT's rest.
    count: usize,
    entries: EntriesBuilder,
    /// With CLAIM, one for each entry.
    deliveries: Vec<Delivery>,
}

impl<'a> Read<'a> {
    /// The consumer is made on first mention and seen, whatever there is to read.
    fn new(
        stream: &'a mut Stream,
        command: &'a XReadGroup,
        key: &'a StreamKey,
        allowance: &'a mut Allowance,
        now: UnixMillis,
    ) -> Self {
        let group = stream.group_mut(&command.group).expect("every group was found above");
        let (consumer, created) = group.consumers.find_or_create(&command.consumer, now);
        group.consumers.get_mut(consumer).seen_time = now;
        let count = command.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let (entries, deliveries) = (EntriesBuilder::default(), Vec::new());
        Self { stream, command, key, allowance, consumer, created, now, count, entries, deliveries }
    }

    fn finish(self) -> (Entries, Vec<Delivery>) {
        (self.entries.finish(), self.deliveries)
    }

    /// What may be claimed, then what is new.
    fn deliver(&mut self) {
        if let Some(min_idle_ms) = self.command.claim_min_idle_ms {
            self.claim(min_idle_ms);
        }
        self.deliver_new();
    }

    /// Pending entries of the whole group, the longest idle first. Those that are deleted stay as they are.
    fn claim(&mut self, min_idle_ms: u64) {
        let group = &self.stream.groups[&self.command.group];
        let mut claimed = Vec::new();
        let idle_enough = |(_, record): &(EntryId, &crate::pending::PendingRecord)| {
            record.is_idle_for(min_idle_ms, self.now)
        };
        for (id, record) in group.pending.by_turn().take_while(idle_enough) {
            if self.count == 0 {
                break;
            }
            let Some(entry) = self.stream.entries.get(id) else { continue };
            let delivery =
                Delivery { idle_ms: record.idle_ms(self.now), delivery_count: record.delivery_count };
            let head = head_bytes(&self.entries, self.key) + delivery_size(&delivery);
            if !self.allowance.take(&entry, head) {
                break;
            }
            self.count -= 1;
            entry.copy_to(&mut self.entries);
            self.deliveries.push(delivery);
            claimed.push((id, record.delivery_count.saturating_add(1).min(DELIVERY_COUNT_MAX)));
        }
        if claimed.is_empty() {
            return;
        }
        let group = self.stream.group_mut(&self.command.group).expect("every group was found above");
        for (id, delivery_count) in claimed {
            group.give(id, self.consumer, self.now, delivery_count);
        }
        group.consumers.get_mut(self.consumer).active_time = Some(self.now);
    }

    fn deliver_new(&mut self) {
        let progress = Progress::of(self.stream);
        let Stream { entries, groups, .. } = &mut *self.stream;
        let group = groups.get_mut(&self.command.group).expect("every group was found above");
        let group = Arc::make_mut(group);
        let explicit = self.command.acknowledgement == Acknowledgement::Explicit;
        let claims = self.command.claim_min_idle_ms.is_some();
        let Some(start) = group.last_id.successor() else { return };
        let mut delivered = false;
        for entry in entries.range(&start, &EntryId::MAX).take(self.count) {
            let delivery = if claims { delivery_size(&Delivery::default()) } else { 0 };
            if !self.allowance.take(&entry, head_bytes(&self.entries, self.key) + delivery) {
                break;
            }
            entry.copy_to(&mut self.entries);
            if claims {
                self.deliveries.push(Delivery::default());
            }
            group.deliver(entry.id, &progress);
            if explicit {
                // An entry that was pending already (the cursor was set back) moves to this consumer and
                // counts anew.
                group.give(entry.id, self.consumer, self.now, 1);
            }
            delivered = true;
        }
        if delivered && explicit {
            group.consumers.get_mut(self.consumer).active_time = Some(self.now);
        }
    }

    fn show_pending(&mut self, after: EntryId) {
        let Stream { entries, groups, .. } = &mut *self.stream;
        let group = groups.get_mut(&self.command.group).expect("every group was found above");
        let Group { pending, consumers, .. } = Arc::make_mut(group);
        let Some(start) = after.successor() else { return };
        for (id, ()) in consumers.get(self.consumer).pending.range_from(&start).take(self.count) {
            let head = head_bytes(&self.entries, self.key);
            match entries.get(*id) {
                Some(entry) if self.allowance.take(&entry, head) => {
                    entry.copy_to(&mut self.entries);
                    pending.update(*id, |record| {
                        record.delivery_time = self.now;
                        record.delivery_count =
                            record.delivery_count.saturating_add(1).min(DELIVERY_COUNT_MAX);
                    });
                }
                None if self.allowance.take(&Deleted(*id), head) => self.entries.deleted(*id),
                Some(_) | None => break,
            }
        }
    }
}

/// A pending entry that is no more.
struct Deleted(EntryId);

impl ReplySize for Deleted {
    fn reply_bytes(&self) -> u64 {
        entry_reply_bytes(self.0, None, std::iter::empty())
    }

    fn kept_bytes(&self) -> u64 {
        size_of::<EntryId>() as u64
    }
}

fn head_bytes(entries: &EntriesBuilder, key: &StreamKey) -> u64 {
    if entries.is_empty() { stream_head_bytes(key) } else { 0 }
}

fn delivery_size(delivery: &Delivery) -> u64 {
    delivery_bytes(delivery.idle_ms, delivery.delivery_count)
}
