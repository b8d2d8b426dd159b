//! Reads a stream in bounded pieces: its length, its newest entries, and what comes after an entry it knows.

use rand::Rng;
use rivermark_oracle::Operation;
use rivermark_oracle::operation::{ReadFrom, Reply, Wait};
use rivermark_types::EntryId;

use super::running::Turn;
use crate::client::Answer;

/// Entries a read returns at most: a read's size must not grow with the stream.
const COUNT_MAX: usize = 20;

/// Looks at the newest entries, then once more in one of four ways.
pub fn act(turn: &mut Turn) {
    let (key, count) = (turn.key.clone(), turn.random.random_range(1..=COUNT_MAX));
    let newest =
        Operation::Xrevrange { key: key.clone(), start: EntryId::MIN, end: EntryId::MAX, count: Some(count) };
    let Answer::Reply(Reply::Entries { entries }) = turn.client.call(newest) else { return };
    let (Some(last), Some(first)) = (entries.first(), entries.last()) else { return };
    let (first, last, count) = (first.id, last.id, Some(COUNT_MAX));
    let next = match turn.random.random_range(0..4) {
        0 => Operation::Xlen { key },
        1 => Operation::Xrange { key, start: first, end: EntryId::MAX, count },
        2 => Operation::Xrange { key, start: first, end: last, count },
        _ => Operation::Xread { key, from: ReadFrom::After(last), count, wait: Wait::Block },
    };
    turn.client.call(next);
}
