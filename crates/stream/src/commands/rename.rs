//! RENAME, RENAMENX, COPY, RESTORE: a stream comes to a key.

use std::sync::Arc;

use rivermark_types::{StreamKey, UnixMillis};

use super::Change;
use super::keys::remove;
use crate::command::{CopyKey, Deadline, Occupied, Rename, Restore};
use crate::effect::Effect;
use crate::outcome::{Outcome, Rejection};
use crate::snapshot::undump;
use crate::stream::Stream;

/// RENAME and RENAMENX. The deadline goes along.
pub(super) fn rename(change: &mut Change<'_>, command: &Rename) -> Outcome {
    if change.keyspace.get(&command.from).is_none() {
        return Outcome::Rejected(Rejection::NoSuchKey);
    }
    let occupied = change.keyspace.get(&command.to).is_some();
    match (command.occupied, occupied) {
        (Occupied::Keep, true) => return Outcome::Integer(0),
        (Occupied::Replace, _) if command.from == command.to => return Outcome::Done,
        _ => {}
    }
    let stream = change.keyspace.take(&command.from).expect("the key was found above");
    change.effects.push(Effect::KeyRemoved(command.from.clone()));
    put(change, &command.to, stream);
    match command.occupied {
        Occupied::Replace => Outcome::Done,
        Occupied::Keep => Outcome::Integer(1),
    }
}

/// COPY: 1, or 0 if there is nothing to copy or the place is taken. Idempotent ids stay behind.
pub(super) fn copy(change: &mut Change<'_>, command: &CopyKey) -> Outcome {
    let Some(stream) = change.keyspace.get(&command.from) else { return Outcome::Integer(0) };
    if command.occupied == Occupied::Keep && change.keyspace.get(&command.to).is_some() {
        return Outcome::Integer(0);
    }
    let mut copy = stream.clone();
    copy.idempotence = stream.idempotence.as_ref().map(|idempotence| Arc::new(idempotence.bounds()));
    put(change, &command.to, copy);
    Outcome::Integer(1)
}

/// RESTORE. A deadline that is past leaves no key.
pub(super) fn restore(change: &mut Change<'_>, command: &Restore) -> Outcome {
    if command.occupied == Occupied::Keep && change.keyspace.get(&command.key).is_some() {
        return Outcome::Rejected(Rejection::KeyExists);
    }
    let Ok(mut stream) = undump(&command.payload) else {
        return Outcome::Rejected(Rejection::PayloadInvalid);
    };
    let stamp = i64::try_from(change.stamp.get()).unwrap_or(i64::MAX);
    let at = command.deadline.map(|deadline| match deadline {
        Deadline::InMs(ms) => stamp.saturating_add(ms),
        Deadline::AtUnixMs(ms) => ms,
    });
    stream.deadline = match at.map(u64::try_from) {
        None => None,
        Some(Ok(at)) if at > change.stamp.get() => Some(UnixMillis::new(at)),
        Some(_) => {
            remove(change, &command.key);
            return Outcome::Done;
        }
    };
    put(change, &command.key, stream);
    Outcome::Done
}

/// Readers that wait for the key look at what is there now, whatever was before.
fn put(change: &mut Change<'_>, key: &StreamKey, stream: Stream) {
    change.keyspace.put(key, stream);
    change.effects.entry_added(key);
}
