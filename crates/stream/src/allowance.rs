//! What a read may still return: MAXCOUNT, MAXSIZE and the bound of every answer, counted down over all its
//! streams.
//!
//! The entry that is refused ends the reply: nothing after it goes out, so a reader never misses one in between.

use rivermark_types::limits::READ_BYTES_MAX;
use rivermark_types::{EntryId, StreamKey};

use crate::command::{FirstEntry, ReadBudget};

/// Bytes of a reply's own head: the number of streams.
const REPLY_HEAD_BYTES: u64 = 4;

/// The rest of a reply's budget.
#[derive(Debug)]
pub(crate) struct Allowance {
    entries: u64,
    /// MAXSIZE's rest, in bytes of the reply.
    reply_bytes: Option<u64>,
    /// The rest of what any read may hold, in bytes as they are kept.
    kept_bytes: u64,
    /// The next entry goes out whatever it takes.
    always: bool,
    over: bool,
}

/// The size of an entry, worked out only where a bound asks for it.
pub(crate) trait ReplySize {
    /// Bytes in a reply.
    fn reply_bytes(&self) -> u64;
    /// About how many bytes it takes in memory.
    fn kept_bytes(&self) -> u64;
}

impl Allowance {
    pub fn new(budget: &ReadBudget) -> Self {
        Self {
            entries: budget.entries.unwrap_or(u64::MAX),
            reply_bytes: budget.bytes.map(|bytes| bytes.saturating_sub(REPLY_HEAD_BYTES)),
            kept_bytes: READ_BYTES_MAX as u64,
            always: budget.first == FirstEntry::Always,
            over: budget.entries == Some(0),
        }
    }

    /// Whether nothing more goes out.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether an entry goes out, which is then taken off. `head` is the bytes of what precedes it: its
    /// stream's name, if it is the stream's first.
    pub fn take(&mut self, entry: &impl ReplySize, head: u64) -> bool {
        if self.over {
            return false;
        }
        let kept = entry.kept_bytes();
        let reply = self.reply_bytes.map(|left| (left, head + entry.reply_bytes()));
        let fits = kept <= self.kept_bytes && reply.is_none_or(|(left, bytes)| bytes <= left);
        if !fits && !self.always {
            self.over = true;
            return false;
        }
        self.always = false;
        self.kept_bytes = self.kept_bytes.saturating_sub(kept);
        self.reply_bytes = reply.map(|(left, bytes)| left.saturating_sub(bytes));
        self.entries -= 1;
        self.over = self.entries == 0;
        true
    }

    /// What is left for another shard.
    pub fn budget(&self) -> ReadBudget {
        ReadBudget {
            entries: (self.entries < u64::MAX / 2).then_some(self.entries),
            // The head is taken off anew.
            bytes: self.reply_bytes.map(|left| left + REPLY_HEAD_BYTES),
            first: if self.always { FirstEntry::Always } else { FirstEntry::IfItFits },
        }
    }
}

/// Bytes of a stream's name and what stands around it.
pub(crate) fn stream_head_bytes(key: &StreamKey) -> u64 {
    list_bytes(2) + string_bytes(key.name().len() as u64) + list_bytes(1)
}

/// Bytes of an entry of these pairs: field and value lengths; `None` if it is deleted.
pub(crate) fn entry_reply_bytes(
    id: EntryId,
    pairs: Option<u64>,
    lengths: impl Iterator<Item = (usize, usize)>,
) -> u64 {
    let id_bytes = string_bytes(digits(id.ms) + 1 + digits(id.seq));
    let strings: u64 =
        lengths.map(|(field, value)| string_bytes(field as u64) + string_bytes(value as u64)).sum();
    // A null array takes as much as a list of less than ten.
    list_bytes(2) + id_bytes + list_bytes(pairs.unwrap_or(0) * 2) + strings
}

/// Bytes CLAIM adds to an entry.
pub(crate) fn delivery_bytes(idle_ms: u64, delivery_count: u64) -> u64 {
    6 + digits(idle_ms) + digits(delivery_count)
}

fn string_bytes(length: u64) -> u64 {
    5 + digits(length) + length
}

fn list_bytes(count: u64) -> u64 {
    3 + digits(count)
}

fn digits(number: u64) -> u64 {
    number.checked_ilog10().map_or(1, |power| u64::from(power) + 1)
}
