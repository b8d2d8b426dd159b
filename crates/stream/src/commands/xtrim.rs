//! XTRIM.

use super::{Change, integer};
use crate::command::XTrim;
use crate::outcome::Outcome;
use crate::trim::trim;

/// Trims a stream; how many entries went.
pub(super) fn apply(change: &mut Change<'_>, command: &XTrim) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else { return Outcome::Integer(0) };
    let removed = trim(&mut stream, &command.trim, change.settings);
    if removed > 0 {
        stream.touch();
    }
    integer(removed)
}
