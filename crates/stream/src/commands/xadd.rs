//! XADD.

use super::Change;
use crate::command::XAdd;
use crate::keyspace::StreamMut;
use crate::outcome::Outcome;
use crate::trim::trim;

/// Adds an entry, then trims; the new entry itself may go (`MAXLEN 0`).
pub(super) fn apply(change: &mut Change<'_>, command: &XAdd) -> Outcome {
    let Change { keyspace, settings, effects, stamp } = change;
    // A new stream refuses no id the grammar lets through, so none is left behind empty.
    let added = keyspace.change(&command.key, command.missing_key, |mut stream: StreamMut<'_>| {
        let id = stream.add(command.id, &command.fields, *stamp, settings)?;
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
