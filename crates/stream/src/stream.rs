//! One stream: its entries, its ids and counters, its groups.
//!
//! Invariants: `first_id` is the first live entry's id, 0-0 if there is none; `last_id` is not below any
//! entry's; `entries_added` may be anything XSETID made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rivermark_types::{EntryId, GroupName, UnixMillis};

use crate::command::{NewEntryId, Settings};
use crate::entries::EntryLog;
use crate::fields::Fields;
use crate::group::Group;
use crate::idempotence::Idempotence;
use crate::outcome::{Rejection, StreamHead};

/// One stream. A clone shares entries and groups until either changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub entries: EntryLog,
    /// The greatest id ever generated, or what XSETID set.
    pub last_id: EntryId,
    /// The first live entry's id; 0-0 if the stream is empty.
    pub first_id: EntryId,
    /// The greatest id ever deleted by XDEL; 0-0 if none was.
    pub max_deleted_id: EntryId,
    /// Entries ever added, or what XSETID set.
    pub entries_added: u64,
    pub groups: BTreeMap<GroupName, Arc<Group>>,
    /// Changes with every change of the key; never 0.
    pub version: u64,
    /// When the key expires.
    pub deadline: Option<UnixMillis>,
    /// Only if anybody ever produced with idempotent ids or configured it.
    pub idempotence: Option<Arc<Idempotence>>,
}

impl Stream {
    pub fn length(&self) -> u64 {
        self.entries.length()
    }

    /// Appends an entry and answers its id.
    pub fn add(
        &mut self,
        id: &NewEntryId,
        fields: &Fields,
        stamp: UnixMillis,
        settings: &Settings,
    ) -> Result<EntryId, Rejection> {
        let id = self.next_id(id, stamp)?;
        self.entries.append(id, fields, settings);
        if self.length() == 1 {
            self.first_id = id;
        }
        self.last_id = id;
        self.entries_added = self.entries_added.saturating_add(1);
        Ok(id)
    }

    /// Deletes an entry as XDEL does, leaving a tombstone; false if there is no such entry.
    pub fn delete(&mut self, id: EntryId) -> bool {
        let deleted = self.entries.delete(id);
        if deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
            if id == self.first_id {
                self.refresh_first_id();
            }
        }
        deleted
    }

    /// To be called after entries left the front.
    pub fn refresh_first_id(&mut self) {
        self.first_id = self.entries.first().map_or(EntryId::MIN, |entry| entry.id);
    }

    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    pub fn group_mut(&mut self, name: &GroupName) -> Option<&mut Group> {
        self.groups.get_mut(name).map(Arc::make_mut)
    }

    /// Whether a group is yet to deliver the entry, or has it pending.
    pub fn is_referenced(&self, id: EntryId) -> bool {
        self.groups.values().any(|group| group.references(id))
    }

    /// Drops the entry from what groups have pending; whether any had.
    pub fn drop_references(&mut self, id: EntryId) -> bool {
        let mut dropped = false;
        for group in self.groups.values_mut().filter(|group| group.pending.get(id).is_some()) {
            dropped |= Arc::make_mut(group).acknowledge(id);
        }
        dropped
    }

    /// What is known of idempotent ids, to be changed.
    pub fn idempotence_mut(&mut self) -> &mut Idempotence {
        Arc::make_mut(self.idempotence.get_or_insert_default())
    }

    /// What XINFO STREAM tells first.
    pub fn head(&self, now: UnixMillis, settings: &Settings) -> StreamHead {
        let none = Idempotence::default();
        let idempotence = self.idempotence.as_deref().unwrap_or(&none);
        StreamHead {
            length: self.length(),
            blocks: self.entries.block_count() as u64,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
            first_id: self.first_id,
            idempotence: idempotence.info(now, settings),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        let groups: usize = self.groups.values().map(|group| group.memory_bytes()).sum();
        let idempotence = self.idempotence.as_ref().map_or(0, |idempotence| idempotence.memory_bytes());
        size_of::<Self>() + self.entries.memory_bytes() + groups + idempotence
    }

    fn next_id(&self, wanted: &NewEntryId, stamp: UnixMillis) -> Result<EntryId, Rejection> {
        let last = self.last_id;
        let successor = last.successor().ok_or(Rejection::IdsExhausted)?;
        let id = match *wanted {
            NewEntryId::Auto | NewEntryId::Idempotent(_) if stamp.get() > last.ms => {
                EntryId::new(stamp.get(), 0)
            }
            NewEntryId::Auto | NewEntryId::Idempotent(_) => successor,
            NewEntryId::AutoSequence(ms) if ms == last.ms => {
                // Carrying into the next millisecond is not what was asked for.
                EntryId::new(ms, last.seq.checked_add(1).ok_or(Rejection::IdTooSmall)?)
            }
            NewEntryId::AutoSequence(ms) => EntryId::new(ms, 0),
            NewEntryId::Exact(id) => id,
        };
        if id > last { Ok(id) } else { Err(Rejection::IdTooSmall) }
    }
}
