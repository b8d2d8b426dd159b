//! Entry ids in arguments (streams: "entry IDs", XRANGE): plain ones as Redis reads them, else times. `docs/time.md`
//! says which command reads what.

use rivermark_types::{EntryId, IsoTime, TimeId};

use super::args::Arguments;
use crate::reply_error::ReplyError;

/// Where an id stands, which completes what it leaves open: `ms`, or a time such as a day.
#[derive(Clone, Copy)]
enum Edge {
    /// By the first id it names.
    First,
    /// By the last id it names.
    Last,
}

/// An id of which all but the beginning may be left open: `ms` is `ms-0`, a time its first millisecond.
pub(super) fn strict(text: &[u8]) -> Result<EntryId, ReplyError> {
    at_edge(text, Edge::First)
}

/// The id of one entry. A time must name it to the millisecond, or have a sequence number: whoever writes a day here
/// would mean more than one entry.
pub(super) fn of_one_entry(text: &[u8]) -> Result<EntryId, ReplyError> {
    let time = || TimeId::parse(text).and_then(TimeId::exact);
    EntryId::parse(text, 0).ok().or_else(time).ok_or(ReplyError::InvalidEntryId)
}

/// All that is left as ids of one entry each, in order.
pub(super) fn of_entries(arguments: &mut Arguments<'_>) -> Result<Vec<EntryId>, ReplyError> {
    (0..arguments.left()).map(|_| of_one_entry(arguments.text()?)).collect()
}

/// Also `-` and `+`, the least and the greatest id.
pub(super) fn loose(text: &[u8]) -> Result<EntryId, ReplyError> {
    bound(text, Edge::First)
}

/// The millisecond alone: `ms`, or a time without sequence number.
pub(super) fn millisecond(text: &[u8]) -> Result<u64, ReplyError> {
    match IsoTime::parse(text) {
        Some(time) => u64::try_from(time.first_ms()).map_err(|_| ReplyError::InvalidEntryId),
        None if text.contains(&b'-') => Err(ReplyError::InvalidEntryId),
        None => Ok(strict(text)?.ms),
    }
}

/// The lower bound of a range, made inclusive.
pub(super) fn range_start(text: &[u8]) -> Result<EntryId, ReplyError> {
    match excluded(text) {
        // The reference completes an excluded id as any other; an excluded time is left out as a whole.
        Some(id) => {
            let last = EntryId::parse(id, 0).or_else(|_| at_edge(id, Edge::Last))?;
            last.successor().ok_or(ReplyError::InvalidRangeStart)
        }
        None => bound(text, Edge::First),
    }
}

/// The upper bound of a range, made inclusive.
pub(super) fn range_end(text: &[u8]) -> Result<EntryId, ReplyError> {
    match excluded(text) {
        Some(id) => {
            let first = EntryId::parse(id, u64::MAX).or_else(|_| at_edge(id, Edge::First))?;
            first.predecessor().ok_or(ReplyError::InvalidRangeEnd)
        }
        None => bound(text, Edge::Last),
    }
}

/// What follows the bracket of `(id`. A bracket alone is no exclusive bound but an invalid id.
fn excluded(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"(").filter(|id| !id.is_empty())
}

fn bound(text: &[u8], edge: Edge) -> Result<EntryId, ReplyError> {
    match text {
        b"-" => Ok(EntryId::MIN),
        b"+" => Ok(EntryId::MAX),
        _ => at_edge(text, edge),
    }
}

fn at_edge(text: &[u8], edge: Edge) -> Result<EntryId, ReplyError> {
    let (missing_seq, of_time): (u64, fn(TimeId) -> EntryId) = match edge {
        Edge::First => (0, TimeId::first),
        Edge::Last => (u64::MAX, TimeId::last),
    };
    let time = || TimeId::parse(text).map(of_time);
    EntryId::parse(text, missing_seq).ok().or_else(time).ok_or(ReplyError::InvalidEntryId)
}
