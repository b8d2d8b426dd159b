//! DEL, FLUSHDB, FLUSHALL: keys go.

use rivermark_types::{DatabaseIndex, StreamKey};

use super::{Change, integer};
use crate::effect::Effect;
use crate::outcome::Outcome;

/// DEL and UNLINK: how many of the keys existed.
pub(super) fn delete(change: &mut Change<'_>, keys: &[StreamKey]) -> Outcome {
    integer(keys.iter().filter(|key| remove(change, key)).count() as u64)
}

/// FLUSHDB.
pub(super) fn flush_database(change: &mut Change<'_>, database: DatabaseIndex) -> Outcome {
    change.keyspace.flush(database);
    change.effects.push(Effect::Flushed(Some(database)));
    Outcome::Done
}

/// FLUSHALL.
pub(super) fn flush_all(change: &mut Change<'_>) -> Outcome {
    change.keyspace.flush_all();
    change.effects.push(Effect::Flushed(None));
    Outcome::Done
}

/// Removes a key and tells who waits for its groups; false if it was missing.
pub(super) fn remove(change: &mut Change<'_>, key: &StreamKey) -> bool {
    let removed = change.keyspace.remove(key);
    if removed {
        change.effects.push(Effect::KeyRemoved(key.clone()));
    }
    removed
}
