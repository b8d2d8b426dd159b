//! A group's pending entries (its PEL), by id.
//!
//! The order by delivery time, which claiming by idle time will want, belongs in this type beside the one
//! by id: every change of a record goes through [`Pending::insert`], [`Pending::update`] and
//! [`Pending::remove`].

use rivermark_types::{EntryId, UnixMillis};

use crate::chunk_map::ChunkMap;
use crate::consumer::ConsumerId;

/// An entry delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingRecord {
    /// Who has it.
    pub consumer: ConsumerId,
    /// When it was last delivered.
    pub delivery_time: UnixMillis,
    /// How often it was delivered.
    pub delivery_count: u64,
}

/// The pending entries of a group. Whoever moves a record between consumers keeps their lists in step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    by_id: ChunkMap<EntryId, PendingRecord>,
}

impl Pending {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn get(&self, id: EntryId) -> Option<&PendingRecord> {
        self.by_id.get(&id)
    }

    /// Sets a record and returns the one it replaces.
    pub fn insert(&mut self, id: EntryId, record: PendingRecord) -> Option<PendingRecord> {
        self.by_id.insert(id, record)
    }

    /// Changes the record of `id` in place; `None` if it is not pending.
    pub fn update<T>(&mut self, id: EntryId, change: impl FnOnce(&mut PendingRecord) -> T) -> Option<T> {
        self.by_id.get_mut(&id).map(change)
    }

    pub fn remove(&mut self, id: EntryId) -> Option<PendingRecord> {
        self.by_id.remove(&id)
    }

    /// The lowest and the greatest pending id.
    pub fn edges(&self) -> Option<(EntryId, EntryId)> {
        self.by_id.first().zip(self.by_id.last()).map(|((first, _), (last, _))| (*first, *last))
    }

    pub fn iter(&self) -> impl Iterator<Item = &(EntryId, PendingRecord)> {
        self.by_id.iter()
    }

    /// Records with `start <= id <= end`, in order.
    pub fn range<'a>(
        &'a self,
        start: &'a EntryId,
        end: &'a EntryId,
    ) -> impl Iterator<Item = &'a (EntryId, PendingRecord)> {
        self.by_id.range(start, end)
    }

    pub fn memory_bytes(&self) -> usize {
        self.by_id.len() * size_of::<(EntryId, PendingRecord)>()
    }

    pub fn is_sound(&self) -> bool {
        self.by_id.is_sound()
    }
}
