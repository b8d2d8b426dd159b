//! XCFGSET and XIDMPRECORD: what a stream remembers of idempotent ids.

use super::Change;
use crate::command::{XCfgSet, XIdmpRecord};
use crate::outcome::{Outcome, Rejection};

/// XCFGSET: sets a stream's bounds. A bound that changes makes the stream forget all ids.
pub(super) fn configure(change: &mut Change<'_>, command: &XCfgSet) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else {
        return Outcome::Rejected(Rejection::NoSuchKey);
    };
    stream.idempotence_mut().configure(command.duration_s, command.pairs_max, change.settings);
    stream.touch();
    Outcome::Done
}

/// XIDMPRECORD: lets an id stand for an entry that exists.
pub(super) fn record(change: &mut Change<'_>, command: &XIdmpRecord) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else {
        return Outcome::Rejected(Rejection::NoSuchKey);
    };
    if !stream.entries.contains(command.entry) {
        return Outcome::Rejected(Rejection::NoSuchEntry);
    }
    let idempotence = stream.idempotence_mut();
    idempotence.forget_old(change.stamp, change.settings);
    match idempotence.find(&command.pair) {
        Some(entry) if entry == command.entry => Outcome::Done,
        Some(_) => Outcome::Rejected(Rejection::IdempotentIdTaken),
        None => {
            idempotence.insert(&command.pair, command.entry, change.settings);
            stream.touch();
            Outcome::Done
        }
    }
}
