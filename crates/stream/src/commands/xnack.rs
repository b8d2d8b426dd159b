//! XNACK: pending entries go back to the group, for whoever claims them next.

use super::{Change, integer};
use crate::command::{Force, NackMode, XNack};
use crate::effect::Effect;
use crate::outcome::{Outcome, Rejection};
use crate::pending::DELIVERY_COUNT_MAX;

/// Takes pending entries from their owners; how many there were. Who owns them is not asked.
pub(super) fn apply(change: &mut Change<'_>, command: &XNack) -> Outcome {
    let target = &command.target;
    let found = change.keyspace.get_mut(&target.key).filter(|stream| stream.group(&target.group).is_some());
    let Some(mut stream) = found else {
        return Outcome::Rejected(Rejection::NoKeyOrGroup(target.key.detached(), target.group.detached()));
    };
    let mut handled = 0;
    for id in &command.ids {
        let exists = command.force == Force::Yes && stream.entries.contains(*id);
        let group = stream.group_mut(&target.group).expect("the group was found above");
        let before = match group.pending.get(*id) {
            Some(record) => record.delivery_count,
            None if exists => 0,
            None => continue,
        };
        group.give_back(*id, command.retry_count.unwrap_or(counted(command.mode, before)));
        handled += 1;
    }
    if handled > 0 {
        stream.touch();
        change.effects.push(Effect::GroupMoved(target.key.clone(), target.group.clone()));
    }
    integer(handled)
}

fn counted(mode: NackMode, before: u64) -> u64 {
    match mode {
        NackMode::Silent => before.saturating_sub(1),
        NackMode::Fail => before,
        NackMode::Fatal => DELIVERY_COUNT_MAX,
    }
}
