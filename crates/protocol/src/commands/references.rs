//! KEEPREF, DELREF, ACKED of XADD, XTRIM, XDELEX and XACKDEL, and the block `IDS numids id [id ...]`.

use rivermark_stream::command::References;
use rivermark_types::EntryId;

use super::args::Arguments;
use super::ids;
use crate::reply_error::ReplyError;

/// Takes KEEPREF, DELREF or ACKED if one is next. A second one is not taken: it is something else to whoever asks.
pub(super) fn take(arguments: &mut Arguments<'_>, taken: &mut Option<References>) -> bool {
    const WORDS: [(&str, References); 3] =
        [("KEEPREF", References::Keep), ("DELREF", References::Drop), ("ACKED", References::Acknowledged)];
    if taken.is_some() {
        return false;
    }
    *taken = WORDS.into_iter().find(|(word, _)| arguments.option(word, 0)).map(|(_, references)| references);
    taken.is_some()
}

/// What follows an XDELEX's or XACKDEL's key: the ids, and options on either side.
pub(super) fn ids_and_references(
    arguments: &mut Arguments<'_>,
) -> Result<(Vec<EntryId>, References), ReplyError> {
    let (mut listed, mut references) = (None, None);
    while arguments.left() > 0 {
        if listed.is_none() && arguments.option("IDS", 0) {
            listed = Some(counted_ids(arguments)?);
        } else if !take(arguments, &mut references) {
            return Err(ReplyError::Syntax);
        }
    }
    Ok((listed.ok_or(ReplyError::IdsMissing)?, references.unwrap_or_default()))
}

fn counted_ids(arguments: &mut Arguments<'_>) -> Result<Vec<EntryId>, ReplyError> {
    let count = match arguments.left() {
        0 => return Err(ReplyError::Syntax),
        _ => arguments.integer_or(ReplyError::IdCountNotPositive)?,
    };
    let count =
        usize::try_from(count).ok().filter(|count| *count > 0).ok_or(ReplyError::IdCountNotPositive)?;
    if count > arguments.left() {
        return Err(ReplyError::IdCountMismatch);
    }
    (0..count).map(|_| ids::of_one_entry(arguments.text()?)).collect()
}
