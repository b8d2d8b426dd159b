//! Entry ids in arguments: strict, loose and as bounds of a range (streams: "entry IDs", XRANGE).

use rivermark_types::EntryId;

use super::args::Arguments;
use crate::reply_error::ReplyError;

/// `ms` or `ms-seq`; an absent `seq` is zero.
pub(super) fn strict(text: &[u8]) -> Result<EntryId, ReplyError> {
    EntryId::parse(text, 0).map_err(|_| ReplyError::InvalidEntryId)
}

/// Also `-` and `+`, the least and the greatest id.
pub(super) fn loose(text: &[u8], missing_seq: u64) -> Result<EntryId, ReplyError> {
    match text {
        b"-" => Ok(EntryId::MIN),
        b"+" => Ok(EntryId::MAX),
        _ => EntryId::parse(text, missing_seq).map_err(|_| ReplyError::InvalidEntryId),
    }
}

/// The lower bound of a range, made inclusive.
pub(super) fn range_start(text: &[u8]) -> Result<EntryId, ReplyError> {
    match exclusive(text, 0)? {
        Some(id) => id.successor().ok_or(ReplyError::InvalidRangeStart),
        None => loose(text, 0),
    }
}

/// The upper bound of a range, made inclusive.
pub(super) fn range_end(text: &[u8]) -> Result<EntryId, ReplyError> {
    match exclusive(text, u64::MAX)? {
        Some(id) => id.predecessor().ok_or(ReplyError::InvalidRangeEnd),
        None => loose(text, u64::MAX),
    }
}

/// All that is left as strict ids, in order.
pub(super) fn strict_list(arguments: &mut Arguments<'_>) -> Result<Vec<EntryId>, ReplyError> {
    (0..arguments.left()).map(|_| strict(arguments.text()?)).collect()
}

/// `(id`. A bracket alone is no exclusive bound but an invalid id.
fn exclusive(text: &[u8], missing_seq: u64) -> Result<Option<EntryId>, ReplyError> {
    match text.strip_prefix(b"(") {
        Some(id) if !id.is_empty() => {
            EntryId::parse(id, missing_seq).map(Some).map_err(|_| ReplyError::InvalidEntryId)
        }
        _ => Ok(None),
    }
}
