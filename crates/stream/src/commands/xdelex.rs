//! XDELEX and XACKDEL: deletion that looks after groups' references.

use rivermark_types::EntryId;

use super::Change;
use crate::command::{References, XAckDel, XDelEx};
use crate::keyspace::StreamMut;
use crate::outcome::Outcome;

/// No such entry, or not pending.
const ABSENT: i64 = -1;
const DELETED: i64 = 1;
/// A group still refers to it, so it stays.
const REFERENCED: i64 = 2;

/// XDELEX: what became of each entry.
pub(super) fn delete(change: &mut Change<'_>, command: &XDelEx) -> Outcome {
    let Some(mut stream) = change.keyspace.get_mut(&command.key) else {
        return Outcome::Integers(vec![ABSENT; command.ids.len()]);
    };
    let mut touched = false;
    let mut delete = |id: &EntryId| {
        if command.references == References::Acknowledged && stream.is_referenced(*id) {
            return REFERENCED;
        }
        let dropped = command.references == References::Drop && stream.drop_references(*id);
        let deleted = stream.delete(*id);
        touched |= dropped || deleted;
        if deleted { DELETED } else { ABSENT }
    };
    let outcomes = command.ids.iter().map(&mut delete).collect();
    touch_if(touched, stream);
    Outcome::Integers(outcomes)
}

/// XACKDEL: what became of each entry. One that was deleted before is deleted for this group too.
pub(super) fn acknowledge(change: &mut Change<'_>, command: &XAckDel) -> Outcome {
    let absent = || Outcome::Integers(vec![ABSENT; command.ids.len()]);
    let Some(mut stream) = change.keyspace.get_mut(&command.target.key) else { return absent() };
    if stream.group(&command.target.group).is_none() {
        return absent();
    }
    let mut touched = false;
    let mut acknowledge = |id: &EntryId| {
        let group = stream.group_mut(&command.target.group).expect("the group was found above");
        if !group.acknowledge(*id) {
            return ABSENT;
        }
        touched = true;
        match command.references {
            References::Acknowledged if stream.is_referenced(*id) => return REFERENCED,
            References::Drop => {
                stream.drop_references(*id);
            }
            References::Keep | References::Acknowledged => {}
        }
        stream.delete(*id);
        DELETED
    };
    let outcomes = command.ids.iter().map(&mut acknowledge).collect();
    touch_if(touched, stream);
    Outcome::Integers(outcomes)
}

fn touch_if(touched: bool, mut stream: StreamMut<'_>) {
    if touched {
        stream.touch();
    }
}
