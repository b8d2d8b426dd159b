//! XPENDING.

use rivermark_types::{GroupName, StreamKey};

use super::View;
use crate::group::Group;
use crate::outcome::{Outcome, PendingEntry, PendingSummary as Summary, Rejection};
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
    let describe = |(id, record): &(_, crate::pending::PendingRecord)| PendingEntry {
        id: *id,
        consumer: group.consumers.get(record.consumer).name.clone(),
        idle_ms: view.now.since_ms(record.delivery_time),
        delivery_count: record.delivery_count,
    };
    let idle_enough = |entry: &PendingEntry| entry.idle_ms >= query.min_idle_ms;
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

fn find<'a>(view: &View<'a>, key: &StreamKey, group: &GroupName) -> Result<&'a Group, Rejection> {
    view.get(key)
        .and_then(|stream| stream.group(group))
        .ok_or_else(|| Rejection::NoKeyOrGroup(key.clone(), group.clone()))
}
