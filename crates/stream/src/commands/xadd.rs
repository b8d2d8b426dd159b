//! XADD.

use super::Change;
use crate::command::{MissingKey, XAdd};
use crate::outcome::Outcome;
use crate::trim::trim;

/// Adds an entry, then trims; the new entry itself may go (`MAXLEN 0`).
pub(super) fn apply(change: &mut Change<'_>, command: &XAdd) -> Outcome {
    // A missing key refuses no id the grammar lets through, so none is left behind empty.
    let mut stream = match command.missing_key {
        MissingKey::Create => change.keyspace.get_or_create(&command.key),
        MissingKey::Keep => match change.keyspace.get_mut(&command.key) {
            Some(stream) => stream,
            None => return Outcome::Nil,
        },
    };
    match stream.add(command.id, &command.fields, change.stamp, change.settings) {
        Err(rejection) => Outcome::Rejected(rejection),
        Ok(id) => {
            if let Some(wanted) = &command.trim {
                trim(&mut stream, wanted, change.settings);
            }
            stream.touch();
            change.effects.entry_added(&command.key);
            Outcome::EntryId(id)
        }
    }
}
