//! XADD.

use rivermark_types::{EntryId, UnixMillis};

use super::Change;
use crate::command::{IdempotentId, NewEntryId, Settings, XAdd};
use crate::keyspace::StreamMut;
use crate::outcome::Outcome;
use crate::trim::trim;

/// Adds an entry, then trims; the new entry itself may go (`MAXLEN 0`).
pub(super) fn apply(change: &mut Change<'_>, command: &XAdd) -> Outcome {
    let Change { keyspace, settings, effects, stamp } = change;
    // A new stream refuses no id the grammar lets through, so none is left behind empty.
    let added = keyspace.change(&command.key, command.missing_key, |mut stream: StreamMut<'_>| {
        let pair = match &command.id {
            NewEntryId::Idempotent(pair) => Some(pair),
            NewEntryId::Auto | NewEntryId::AutoSequence(_) | NewEntryId::Exact(_) => None,
        };
        if let Some(id) = pair.and_then(|pair| added_before(&mut stream, pair, *stamp, settings)) {
            return Ok(id);
        }
        let id = stream.add(&command.id, &command.fields, *stamp, settings)?;
        if let Some(pair) = pair {
            let idempotence = stream.idempotence_mut();
            idempotence.insert(pair, id, settings);
            idempotence.added += 1;
        }
        if let Some(wanted) = &command.trim {
            trim(&mut stream, wanted, settings);
        }
        stream.touch();
        effects.entry_added(&command.key);
        Ok(id)
    });
    match added {
        None => Outcome::Nil,
        Some(Ok(id)) => Outcome::EntryId(id),
        Some(Err(rejection)) => Outcome::Rejected(rejection),
    }
}

/// The entry that was added under the idempotent id, even if it is deleted since. Such a command changes the
/// stream no further, so nobody who watches the key is told.
fn added_before(
    stream: &mut StreamMut<'_>,
    pair: &IdempotentId,
    stamp: UnixMillis,
    settings: &Settings,
) -> Option<EntryId> {
    let idempotence = stream.idempotence_mut();
    idempotence.forget_old(stamp, settings);
    let id = idempotence.find(pair)?;
    idempotence.duplicates += 1;
    Some(id)
}
