//! XPENDING.

use bytes::Bytes;
use rivermark_types::{ConsumerName, GroupName, StreamKey};

use super::View;
use crate::group::Group;
use crate::outcome::{Outcome, PendingEntry, PendingSummary as Summary, Rejection};
use crate::pending::PendingRecord;
use crate::query::{PendingRange, PendingSummary};

/// How much is pending, and with whom.
pub(super) fn summary(view: &View<'_>, query: &PendingSummary) -> Outcome {
    let group = match find(view, &query.key, &query.group) {
        Ok(group) => group,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let consumers = group
        .consumers
        .iter()
        .filter(|(_, consumer)| !consumer.pending.is_empty())
        .map(|(_, consumer)| (consumer.name.clone(), consumer.pending.len() as u64))
        .collect();
    Outcome::PendingSummary(Summary {
        count: group.pending.len() as u64,
        range: group.pending.edges(),
        consumers,
    })
}

/// Pending entries between two ids, of the group or of one consumer.
pub(super) fn range(view: &View<'_>, query: &PendingRange) -> Outcome {
    let group = match find(view, &query.key, &query.group) {
        Ok(group) => group,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let describe = |(id, record): &(_, PendingRecord)| PendingEntry {
        id: *id,
        consumer: owner_name(group, record),
        idle_ms: record.consumer().map(|_| record.idle_ms(view.now)),
        delivery_count: record.delivery_count,
    };
    let idle_enough = |entry: &PendingEntry| entry.idle_ms.is_none_or(|idle_ms| idle_ms >= query.min_idle_ms);
    let entries = match &query.consumer {
        None => group
            .pending
            .range(&query.start, &query.end)
            .map(describe)
            .filter(idle_enough)
            .take(count)
            .collect(),
        Some(name) => match group.consumers.find(name) {
            None => Vec::new(),
            Some(consumer) => consumer
                .pending
                .range(&query.start, &query.end)
                .filter_map(|(id, ())| group.pending.get(*id).map(|record| describe(&(*id, *record))))
                .filter(idle_enough)
                .take(count)
                .collect(),
        },
    };
    Outcome::PendingRange(entries)
}

/// The name of who has an entry; empty if nobody has.
pub(super) fn owner_name(group: &Group, record: &PendingRecord) -> ConsumerName {
    match record.consumer() {
        Some(consumer) => group.consumers.get(consumer).name.clone(),
        None => ConsumerName::new(Bytes::new()),
    }
}

fn find<'a>(view: &View<'a>, key: &StreamKey, group: &GroupName) -> Result<&'a Group, Rejection> {
    view.get(key)
        .and_then(|stream| stream.group(group))
        .ok_or_else(|| Rejection::NoKeyOrGroup(key.clone(), group.clone()))
}
