//! Questions about keys, whatever their streams hold.

use rivermark_types::limits::DATABASES;
use rivermark_types::{DatabaseIndex, KeyPosition, Slot, StreamKey};

use super::{AskedBy, View};
use crate::commands::integer;
use crate::glob::glob_matches;
use crate::outcome::{DatabaseCount, KeyType, Outcome, Rejection, ScanPage};
use crate::query::{DeadlineForm, KeyProperty, Keys, KeysInSlot, Property, Scan, TimeToLive};

/// EXISTS.
pub(super) fn exists(view: &View<'_>, keys: &[StreamKey]) -> Outcome {
    integer(keys.iter().filter(|key| view.get(key).is_some()).count() as u64)
}

/// TYPE.
pub(super) fn key_type(view: &View<'_>, key: &StreamKey) -> Outcome {
    Outcome::KeyType(view.get(key).map_or(KeyType::None, |_| KeyType::Stream))
}

/// TTL and its kin: -2 without key, -1 without deadline. Seconds are rounded to the nearest.
pub(super) fn time_to_live(view: &View<'_>, query: &TimeToLive) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Integer(-2) };
    let Some(deadline) = stream.deadline else { return Outcome::Integer(-1) };
    let left_ms = deadline.since_ms(view.now);
    let rounded = |ms: u64| ms.saturating_add(500) / 1000;
    integer(match query.form {
        DeadlineForm::SecondsLeft => rounded(left_ms),
        DeadlineForm::MillisLeft => left_ms,
        DeadlineForm::UnixSeconds => rounded(deadline.get()),
        DeadlineForm::UnixMillis => deadline.get(),
    })
}

/// KEYS.
pub(super) fn keys(view: &View<'_>, query: &Keys) -> Outcome {
    let found = view.keyspace.iter().filter(|(key, stream)| {
        key.database() == query.database && view.is_alive(stream) && glob_matches(&query.pattern, key.name())
    });
    Outcome::Keys(found.map(|(key, _)| key.clone()).collect())
}

/// SCAN: a page ends between two positions, so that the next begins where no key is split off.
pub(super) fn scan(view: &View<'_>, query: &Scan) -> Outcome {
    let mut page = ScanPage { next: None, keys: Vec::new() };
    let mut looked_at = 0u64;
    let mut last: Option<KeyPosition> = None;
    view.keyspace.visit_from(query.from, |key, stream| {
        if looked_at >= query.count.max(1) && last != Some(key.position()) {
            page.next = Some(key.position());
            return false;
        }
        looked_at += 1;
        last = Some(key.position());
        let wanted = query.pattern.as_ref().is_none_or(|pattern| glob_matches(pattern, key.name()));
        if wanted && key.database() == query.database && view.is_alive(stream) {
            page.keys.push(key.clone());
        }
        true
    });
    Outcome::ScanPage(page)
}

/// DBSIZE.
pub(super) fn key_count(view: &View<'_>, database: Option<DatabaseIndex>) -> Outcome {
    let count = |database| view.keyspace.counts(database, view.now).keys;
    integer(match database {
        Some(database) => count(database),
        None => databases().map(count).sum(),
    })
}

/// INFO keyspace.
pub(super) fn keyspace_counts(view: &View<'_>) -> Outcome {
    let counts = databases().filter_map(|database| {
        let counts = view.keyspace.counts(database, view.now);
        let told = DatabaseCount { database: database.get(), keys: counts.keys, expiring: counts.expiring };
        (counts.keys > 0).then_some(told)
    });
    Outcome::KeyspaceCounts(counts.collect())
}

/// CLUSTER COUNTKEYSINSLOT.
pub(super) fn count_in_slot(view: &View<'_>, slot: Slot) -> Outcome {
    let mut count = 0;
    visit_slot(view, slot, |_| {
        count += 1;
        true
    });
    integer(count)
}

/// CLUSTER GETKEYSINSLOT.
pub(super) fn keys_in_slot(view: &View<'_>, query: &KeysInSlot) -> Outcome {
    let mut keys = Vec::new();
    visit_slot(view, query.slot, |key| {
        let wanted = (keys.len() as u64) < query.count;
        if wanted {
            keys.push(key.clone());
        }
        wanted
    });
    Outcome::Keys(keys)
}

/// OBJECT and MEMORY USAGE.
pub(super) fn property(view: &View<'_>, query: &KeyProperty) -> Outcome {
    let Some(stream) = view.get(&query.key) else { return Outcome::Nil };
    match query.property {
        Property::ReferenceCount => Outcome::Integer(1),
        Property::IdleTime => Outcome::Rejected(Rejection::IdleTimeNotTracked),
        Property::AccessFrequency => Outcome::Rejected(Rejection::AccessFrequencyNotTracked),
        Property::MemoryBytes => {
            let key_bytes = query.key.name().len() + size_of::<StreamKey>();
            let index_bytes = match view.asked_by {
                AskedBy::Client => stream.entries.index_bytes(),
                AskedBy::Transaction => 0,
            };
            integer((key_bytes + stream.memory_bytes() + index_bytes) as u64)
        }
    }
}

/// WATCH.
pub(super) fn versions(view: &View<'_>, keys: &[StreamKey]) -> Outcome {
    Outcome::KeyVersions(keys.iter().map(|key| view.get(key).map_or(0, |stream| stream.version)).collect())
}

fn visit_slot(view: &View<'_>, slot: Slot, mut visit: impl FnMut(&StreamKey) -> bool) {
    view.keyspace.visit_from(KeyPosition::of_slot(slot), |key, stream| {
        key.slot() == slot && (!view.is_alive(stream) || visit(key))
    });
}

fn databases() -> impl Iterator<Item = DatabaseIndex> {
    (0..DATABASES).filter_map(DatabaseIndex::new)
}
