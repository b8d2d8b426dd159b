//! EXPIRE and its kin, PERSIST.

use rivermark_types::{StreamKey, UnixMillis};

use super::Change;
use super::keys::remove;
use crate::command::{Deadline, ExistingOnly, Expire, ExpireCondition};
use crate::outcome::Outcome;

/// Sets a key's deadline: 1, or 0 if the key is missing or the condition does not hold. A deadline that is
/// past removes the key at once.
pub(super) fn expire(change: &mut Change<'_>, command: &Expire) -> Outcome {
    let Some(stream) = change.keyspace.get(&command.key) else { return Outcome::Integer(0) };
    let stamp = i64::try_from(change.stamp.get()).unwrap_or(i64::MAX);
    let at = match command.deadline {
        Deadline::InMs(ms) => stamp.saturating_add(ms),
        Deadline::AtUnixMs(ms) => ms,
    };
    if !holds(command, stream.deadline, at) {
        return Outcome::Integer(0);
    }
    match u64::try_from(at).map(UnixMillis::new) {
        Ok(deadline) if deadline > change.stamp => change.keyspace.set_deadline(&command.key, Some(deadline)),
        _ => {
            remove(change, &command.key);
        }
    }
    Outcome::Integer(1)
}

/// Clears a key's deadline: 1, or 0 if there was none.
pub(super) fn persist(change: &mut Change<'_>, key: &StreamKey) -> Outcome {
    let expires = change.keyspace.get(key).is_some_and(|stream| stream.deadline.is_some());
    if expires {
        change.keyspace.set_deadline(key, None);
    }
    Outcome::Integer(i64::from(expires))
}

/// Whether the condition holds; no deadline counts as never.
fn holds(command: &Expire, current: Option<UnixMillis>, at: i64) -> bool {
    if command.existing_only == ExistingOnly::Yes && current.is_none() {
        return false;
    }
    let current = current.map(|current| i64::try_from(current.get()).unwrap_or(i64::MAX));
    match command.condition {
        ExpireCondition::Always => true,
        ExpireCondition::IfNone => current.is_none(),
        ExpireCondition::IfSome => current.is_some(),
        ExpireCondition::IfLater => current.is_some_and(|current| at > current),
        ExpireCondition::IfEarlier => current.is_none_or(|current| at < current),
    }
}
