//! XSETID.

use rivermark_types::EntryId;

use super::Change;
use crate::command::XSetId;
use crate::outcome::{Outcome, Rejection};
use crate::stream::Stream;

/// Sets a stream's last id, and its counters if given.
pub(super) fn apply(change: &mut Change<'_>, command: &XSetId) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else {
        return Outcome::Rejected(Rejection::NoSuchKey);
    };
    // MAXDELETEDID 0-0 leaves what was.
    let max_deleted_id = command.max_deleted_id.filter(|id| *id != EntryId::MIN);
    if let Some(rejection) = refusal(&stream, command, max_deleted_id) {
        return Outcome::Rejected(rejection);
    }
    stream.last_id = command.last_id;
    stream.entries_added = command.entries_added.unwrap_or(stream.entries_added);
    stream.max_deleted_id = max_deleted_id.unwrap_or(stream.max_deleted_id);
    stream.touch();
    Outcome::Done
}

fn refusal(stream: &Stream, command: &XSetId, max_deleted_id: Option<EntryId>) -> Option<Rejection> {
    if max_deleted_id.is_some_and(|id| command.last_id < id) {
        return Some(Rejection::SetIdBelowGivenMaxDeleted);
    }
    if command.last_id < stream.max_deleted_id {
        return Some(Rejection::SetIdBelowMaxDeleted);
    }
    let top = stream.entries.last().map(|entry| entry.id)?;
    if command.last_id < top {
        return Some(Rejection::SetIdBelowLastEntry);
    }
    let added = command.entries_added?;
    (added < stream.length()).then_some(Rejection::EntriesAddedBelowLength)
}
