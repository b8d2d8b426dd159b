//! XDEL.

use super::{Change, integer};
use crate::command::XDel;
use crate::outcome::Outcome;

/// Deletes entries; how many there were. Pending records stay and dangle.
pub(super) fn apply(change: &mut Change<'_>, command: &XDel) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else { return Outcome::Integer(0) };
    let deleted = command.ids.iter().filter(|id| stream.delete(**id)).count() as u64;
    if deleted > 0 {
        stream.touch();
    }
    integer(deleted)
}
