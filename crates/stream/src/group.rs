//! A consumer group: its cursor, what it knows of its lag, what its consumers have pending.
//!
//! The bookkeeping of `entries_read` follows Redis 8: it counts up while nothing was deleted after the
//! cursor, is worked out anew where the counters allow it, and is unknown otherwise.

use rivermark_types::{EntryId, UnixMillis};

use crate::consumer::{ConsumerId, Consumers};
use crate::pending::{Owner, Pending, PendingRecord};
use crate::stream::Stream;

/// A consumer group of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The last id delivered; `>` reads above it.
    pub last_id: EntryId,
    /// Entries read since the stream's first ever; `None` is unknown.
    pub entries_read: Option<u64>,
    pub pending: Pending,
    pub consumers: Consumers,
}

/// What of a stream the lag depends on, taken before the group is borrowed for change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    length: u64,
    entries_added: u64,
    first_id: EntryId,
    last_id: EntryId,
    max_deleted_id: EntryId,
}

impl Group {
    pub fn new(last_id: EntryId, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, pending: Pending::default(), consumers: Consumers::default() }
    }

    /// Moves the cursor to `id`, an entry just delivered.
    pub fn deliver(&mut self, id: EntryId, stream: &Progress) {
        match self.entries_read {
            Some(read) if self.last_id >= stream.first_id && !stream.has_tombstones_after(self.last_id) => {
                self.entries_read = Some(read.saturating_add(1));
            }
            _ if stream.entries_added > 0 => self.entries_read = stream.distance(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// Entries of the stream not yet delivered; `None` if it cannot be told.
    pub fn lag(&self, stream: &Progress) -> Option<u64> {
        if stream.entries_added == 0 || stream.length == 0 {
            return Some(0);
        }
        if self.last_id < stream.first_id && stream.max_deleted_id < stream.first_id {
            return Some(stream.length);
        }
        let read = match self.entries_read {
            Some(read) if !stream.has_tombstones_after(self.last_id) => read,
            _ => stream.distance(self.last_id)?,
        };
        Some(stream.entries_added.saturating_sub(read))
    }

    /// Drops a pending entry from the group and from its consumer; false if it is not pending.
    pub fn acknowledge(&mut self, id: EntryId) -> bool {
        let Some(record) = self.pending.remove(id) else { return false };
        self.take_from(record.consumer(), id);
        true
    }

    /// Makes an entry pending with a consumer, whoever had it.
    pub fn give(
        &mut self,
        id: EntryId,
        consumer: ConsumerId,
        delivery_time: UnixMillis,
        delivery_count: u64,
    ) {
        let record = PendingRecord { owner: Owner::Consumer(consumer), delivery_time, delivery_count };
        let before = self.pending.insert(id, record).and_then(|before| before.consumer());
        if before != Some(consumer) {
            self.take_from(before, id);
            self.consumers.get_mut(consumer).pending.insert(id, ());
        }
    }

    /// Makes an entry pending with nobody, whoever had it.
    pub fn give_back(&mut self, id: EntryId, delivery_count: u64) {
        let before = self.pending.insert_unowned(id, delivery_count).and_then(|before| before.consumer());
        self.take_from(before, id);
    }

    /// Whether the entry is yet to be delivered or to be acknowledged.
    pub fn references(&self, id: EntryId) -> bool {
        self.last_id < id || self.pending.get(id).is_some()
    }

    fn take_from(&mut self, consumer: Option<ConsumerId>, id: EntryId) {
        if let Some(consumer) = consumer {
            self.consumers.get_mut(consumer).pending.remove(&id);
        }
    }

    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pending.memory_bytes() + self.consumers.memory_bytes()
    }
}

impl Progress {
    pub fn of(stream: &Stream) -> Self {
        Self {
            length: stream.length(),
            entries_added: stream.entries_added,
            first_id: stream.first_id,
            last_id: stream.last_id,
            max_deleted_id: stream.max_deleted_id,
        }
    }

    /// How many entries were ever added up to `id`, if the counters tell.
    fn distance(&self, id: EntryId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != EntryId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        if self.max_deleted_id == EntryId::MIN || self.max_deleted_id < self.first_id {
            let before_first = self.entries_added.saturating_sub(self.length);
            if id < self.first_id {
                return Some(before_first);
            }
            if id == self.first_id {
                return Some(before_first + 1);
            }
        }
        None
    }

    fn has_tombstones_after(&self, id: EntryId) -> bool {
        self.length > 0 && self.max_deleted_id != EntryId::MIN && id <= self.max_deleted_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(length: u64, entries_added: u64, first: u64, last: u64, max_deleted: u64) -> Progress {
        let id = |ms| EntryId::new(ms, 0);
        Progress {
            length,
            entries_added,
            first_id: id(first),
            last_id: id(last),
            max_deleted_id: id(max_deleted),
        }
    }

    #[test]
    fn distance_is_told_only_where_the_counters_allow_it() {
        let check = |stream: Progress, ms: u64, expected: Option<u64>| {
            assert_eq!(stream.distance(EntryId::new(ms, 0)), expected, "{stream:?} at {ms}");
        };
        check(progress(0, 0, 0, 0, 0), 5, Some(0));
        check(progress(0, 9, 0, 9, 9), 3, Some(9));
        let whole = progress(5, 5, 1, 5, 0);
        check(whole, 0, Some(0));
        check(whole, 1, Some(1));
        check(whole, 3, None);
        check(whole, 5, Some(5));
        check(whole, 6, None);
        let trimmed = progress(3, 5, 3, 5, 0);
        check(trimmed, 1, Some(2));
        check(trimmed, 3, Some(3));
        let holed = progress(4, 5, 1, 5, 3);
        check(holed, 2, None);
        check(holed, 0, None);
        check(holed, 4, None);
    }

    #[test]
    fn lag_is_null_behind_a_tombstone() {
        let mut group = Group::new(EntryId::new(1, 0), Some(1));
        assert_eq!(group.lag(&progress(5, 5, 1, 5, 0)), Some(4));
        assert_eq!(group.lag(&progress(4, 5, 1, 5, 3)), None);
        group.last_id = EntryId::new(5, 0);
        group.entries_read = None;
        assert_eq!(group.lag(&progress(4, 5, 1, 5, 3)), Some(0));
        group.last_id = EntryId::MIN;
        assert_eq!(group.lag(&progress(3, 5, 3, 5, 0)), Some(3));
    }
}
