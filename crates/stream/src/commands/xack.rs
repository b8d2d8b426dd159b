//! XACK.

use super::{Change, integer};
use crate::command::XAck;
use crate::outcome::Outcome;

/// Drops pending entries; how many there were. A missing key or group has none.
pub(super) fn apply(change: &mut Change<'_>, command: &XAck) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.target.key) else { return Outcome::Integer(0) };
    let Some(group) = stream.group_mut(&command.target.group) else { return Outcome::Integer(0) };
    let acknowledged = command.ids.iter().filter(|id| group.acknowledge(**id)).count() as u64;
    if acknowledged > 0 {
        stream.touch();
    }
    integer(acknowledged)
}
