//! `XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]`

use rivermark_stream::Command;
use rivermark_stream::command::XSetId;
use rivermark_types::EntryId;

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let last_id = ids::strict(arguments.text()?)?;
    let (mut entries_added, mut max_deleted_id) = (None, None);
    while arguments.left() > 0 {
        if arguments.option("ENTRIESADDED", 1) {
            let added = u64::try_from(arguments.integer()?);
            entries_added = Some(added.map_err(|_| ReplyError::EntriesAddedNegative)?);
        } else if arguments.option("MAXDELETEDID", 1) {
            let id = ids::strict(arguments.text()?)?;
            if last_id < id {
                return Err(ReplyError::SetIdBelowGivenMaxDeleted);
            }
            // 0-0 means: leave what is known.
            max_deleted_id = (id != EntryId::MIN).then_some(id);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(Parsed::Command(Command::XSetId(XSetId { key, last_id, entries_added, max_deleted_id })))
}
