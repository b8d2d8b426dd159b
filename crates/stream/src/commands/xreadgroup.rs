//! XREADGROUP: delivers new entries to a consumer, or shows it again what it has pending.

use std::sync::Arc;

use rivermark_types::{EntryId, UnixMillis};

use super::Change;
use crate::command::{Acknowledgement, GroupReadFrom, XReadGroup};
use crate::consumer::{ConsumerId, Created};
use crate::fields::{Entries, EntriesBuilder};
use crate::group::{Group, Progress};
use crate::outcome::{Outcome, Rejection, StreamEntries, StreamsRead};
use crate::pending::PendingRecord;
use crate::stream::Stream;

/// Reads every stream of the command, or none if a group is missing.
pub(super) fn apply(change: &mut Change<'_>, command: &XReadGroup) -> Outcome {
    for (key, _) in &command.streams {
        if change.keyspace.get(key).and_then(|stream| stream.group(&command.group)).is_none() {
            let rejection = Rejection::NoKeyOrGroupToRead(key.detached(), command.group.detached());
            return Outcome::Rejected(rejection);
        }
    }
    let mut streams = Vec::new();
    for (index, (key, from)) in (0u32..).zip(&command.streams) {
        let mut stream = change.keyspace.get_mut(key).expect("every key was found above");
        let read = Read::new(&mut stream, command, change.stamp);
        let created = read.created;
        let entries = match from {
            GroupReadFrom::New => read.deliver_new(),
            GroupReadFrom::Pending(after) => read.show_pending(*after),
        };
        if created == Created::Yes || !entries.is_empty() {
            stream.touch();
        }
        // A history read always shows its stream.
        if !entries.is_empty() || matches!(from, GroupReadFrom::Pending(_)) {
            streams.push(StreamEntries { index, key: key.detached(), entries });
        }
    }
    Outcome::Streams(StreamsRead { streams, resolved: Vec::new() })
}

/// One stream's share of the command.
struct Read<'a> {
    stream: &'a mut Stream,
    command: &'a XReadGroup,
    consumer: ConsumerId,
    created: Created,
    now: UnixMillis,
    count: usize,
}

impl<'a> Read<'a> {
    /// The consumer is made on first mention and seen, whatever there is to read.
    fn new(stream: &'a mut Stream, command: &'a XReadGroup, now: UnixMillis) -> Self {
        let group = stream.group_mut(&command.group).expect("every group was found above");
        let (consumer, created) = group.consumers.find_or_create(&command.consumer, now);
        group.consumers.get_mut(consumer).seen_time = now;
        let count = command.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        Self { stream, command, consumer, created, now, count }
    }

    fn deliver_new(self) -> Entries {
        let progress = Progress::of(self.stream);
        let Stream { entries, groups, .. } = self.stream;
        let group = groups.get_mut(&self.command.group).expect("every group was found above");
        let group = Arc::make_mut(group);
        let mut out = EntriesBuilder::default();
        let Some(start) = group.last_id.successor() else { return out.finish() };
        for entry in entries.range(&start, &EntryId::MAX).take(self.count) {
            entry.copy_to(&mut out);
            group.deliver(entry.id, &progress);
            if self.command.acknowledgement == Acknowledgement::Explicit {
                record(group, entry.id, self.consumer, self.now);
            }
        }
        if !out.is_empty() && self.command.acknowledgement == Acknowledgement::Explicit {
            group.consumers.get_mut(self.consumer).active_time = Some(self.now);
        }
        out.finish()
    }

    fn show_pending(self, after: EntryId) -> Entries {
        let Stream { entries, groups, .. } = self.stream;
        let group = groups.get_mut(&self.command.group).expect("every group was found above");
        let Group { pending, consumers, .. } = Arc::make_mut(group);
        let mut out = EntriesBuilder::default();
        let Some(start) = after.successor() else { return out.finish() };
        for (id, ()) in consumers.get(self.consumer).pending.range_from(&start).take(self.count) {
            if entries.copy(*id, &mut out) {
                pending.update(*id, |record| {
                    record.delivery_time = self.now;
                    record.delivery_count = record.delivery_count.saturating_add(1);
                });
            } else {
                out.deleted(*id);
            }
        }
        out.finish()
    }
}

/// Records a first delivery. An entry that was pending already (the cursor was set back) moves to this
/// consumer and counts anew.
fn record(group: &mut Group, id: EntryId, consumer: ConsumerId, now: UnixMillis) {
    let record = PendingRecord { consumer, delivery_time: now, delivery_count: 1 };
    if let Some(before) = group.pending.insert(id, record) {
        if before.consumer == consumer {
            return;
        }
        group.consumers.get_mut(before.consumer).pending.remove(&id);
    }
    group.consumers.get_mut(consumer).pending.insert(id, ());
}
