//! XINFO.

use rivermark_types::limits::RANGE_BYTES_MAX;
use rivermark_types::{ConsumerName, EntryId, GroupName, StreamKey};

use super::View;
use super::xpending::owner_name;
use crate::block::BlockEntry;
use crate::consumer::Consumer;
use crate::fields::{Entries, EntriesBuilder};
use crate::group::{Group, Progress};
use crate::outcome::{
    ConsumerFull, ConsumerInfo, GroupFull, GroupInfo, Outcome, PendingRecord, Rejection, StreamFull,
    StreamInfo,
};
use crate::pending;
use crate::query::{Direction, XInfoConsumers, XInfoStreamFull};

/// XINFO STREAM.
pub(super) fn stream(view: &View<'_>, key: &StreamKey) -> Outcome {
    let Some(stream) = view.get(key) else { return Outcome::Rejected(Rejection::NoSuchKey) };
    Outcome::StreamInfo(Box::new(StreamInfo {
        head: stream.head(view.now, view.settings),
        groups: stream.groups.len() as u64,
        first_entry: at_most_one(stream.entries.first()),
        last_entry: at_most_one(stream.entries.last()),
    }))
}

/// XINFO STREAM FULL.
pub(super) fn stream_full(view: &View<'_>, query: &XInfoStreamFull) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Rejected(Rejection::NoSuchKey) };
    let count = if query.count == 0 { u64::MAX } else { query.count };
    let progress = Progress::of(stream);
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let groups =
        stream.groups.iter().map(|(name, group)| group_full(name, group, &progress, limit)).collect();
    let direction = Direction::Forward;
    let read = stream.entries.read(EntryId::MIN, EntryId::MAX, count, direction, RANGE_BYTES_MAX);
    let Some(entries) = read else { return Outcome::Rejected(Rejection::RangeTooLarge) };
    Outcome::StreamFull(Box::new(StreamFull { head: stream.head(view.now, view.settings), entries, groups }))
}

/// XINFO GROUPS.
pub(super) fn groups(view: &View<'_>, key: &StreamKey) -> Outcome {
    let Some(stream) = view.get(key) else { return Outcome::Rejected(Rejection::NoSuchKey) };
    let progress = Progress::of(stream);
    let describe = |(name, group): (&GroupName, &std::sync::Arc<Group>)| GroupInfo {
        name: name.clone(),
        consumers: group.consumers.len() as u64,
        pending: group.pending.len() as u64,
        last_delivered_id: group.last_id,
        entries_read: group.entries_read,
        lag: group.lag(&progress),
    };
    Outcome::Groups(stream.groups.iter().map(describe).collect())
}

/// XINFO CONSUMERS.
pub(super) fn consumers(view: &View<'_>, query: &XInfoConsumers) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Rejected(Rejection::NoSuchKey) };
    let Some(group) = stream.group(&query.group) else {
        return Outcome::Rejected(Rejection::NoGroup(query.key.clone(), query.group.clone()));
    };
    let describe = |consumer: &Consumer| ConsumerInfo {
        name: consumer.name.clone(),
        pending: consumer.pending.len() as u64,
        idle_ms: view.now.since_ms(consumer.seen_time),
        inactive_ms: consumer.active_time.map(|time| view.now.since_ms(time)),
    };
    Outcome::Consumers(group.consumers.iter().map(|(_, consumer)| describe(consumer)).collect())
}

fn group_full(name: &GroupName, group: &Group, progress: &Progress, limit: usize) -> GroupFull {
    let pending = group.pending.iter().take(limit);
    GroupFull {
        name: name.clone(),
        last_delivered_id: group.last_id,
        entries_read: group.entries_read,
        lag: group.lag(progress),
        pending_count: group.pending.len() as u64,
        nacked_count: group.pending.unowned(),
        pending: pending.map(|(id, record)| describe(*id, record, owner_name(group, record))).collect(),
        consumers: group.consumers.iter().map(|(_, one)| consumer_full(group, one, limit)).collect(),
    }
}

fn consumer_full(group: &Group, consumer: &Consumer, limit: usize) -> ConsumerFull {
    let record = |(id, ()): &(EntryId, ())| {
        group.pending.get(*id).map(|record| describe(*id, record, consumer.name.clone()))
    };
    ConsumerFull {
        name: consumer.name.clone(),
        seen_time_ms: consumer.seen_time.get(),
        active_time_ms: consumer.active_time.map(|time| time.get()),
        pending_count: consumer.pending.len() as u64,
        pending: consumer.pending.iter().take(limit).filter_map(record).collect(),
    }
}

fn describe(id: EntryId, record: &pending::PendingRecord, consumer: ConsumerName) -> PendingRecord {
    PendingRecord {
        id,
        consumer,
        delivery_time_ms: record.delivery_time.get(),
        delivery_count: record.delivery_count,
    }
}

fn at_most_one(entry: Option<BlockEntry<'_>>) -> Entries {
    let mut out = EntriesBuilder::default();
    if let Some(entry) = entry {
        entry.copy_to(&mut out);
    }
    out.finish()
}
