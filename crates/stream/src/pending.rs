//! A group's pending entries (its PEL), by id and in the order in which they may be claimed.
//!
//! First come entries given back by XNACK, in the order in which they were; then all others, the longest
//! idle first. Every change of a record goes through [`Pending::insert`], [`Pending::insert_unowned`],
//! [`Pending::update`] and [`Pending::remove`], which keep both orders.

use rivermark_types::{EntryId, UnixMillis};

use crate::chunk_map::ChunkMap;
use crate::consumer::ConsumerId;

/// The greatest delivery count.
pub(crate) const DELIVERY_COUNT_MAX: u64 = i64::MAX.cast_unsigned();

/// Who has a pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Consumer(ConsumerId),
    /// It was given back; `turn` is its place among those that were.
    Nobody {
        turn: u64,
    },
}

/// An entry delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingRecord {
    /// Who has it.
    pub owner: Owner,
    /// When it was last delivered; 0 if nobody has it.
    pub delivery_time: UnixMillis,
    /// How often it was delivered.
    pub delivery_count: u64,
}

/// A record's place in the order of claiming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Unowned(u64, EntryId),
    Delivered(UnixMillis, EntryId),
}

/// The pending entries of a group. Whoever moves a record between consumers keeps their lists in step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    by_id: ChunkMap<EntryId, PendingRecord>,
    by_turn: ChunkMap<Turn, ()>,
    unowned: u64,
    next_turn: u64,
}

impl PendingRecord {
    /// The consumer that has it.
    pub fn consumer(&self) -> Option<ConsumerId> {
        match self.owner {
            Owner::Consumer(id) => Some(id),
            Owner::Nobody { .. } => None,
        }
    }

    /// How long ago it was delivered. What nobody has counts as delivered in 1970.
    pub fn idle_ms(&self, now: UnixMillis) -> u64 {
        now.since_ms(self.delivery_time)
    }

    /// Whether it may be claimed by who asks for entries idle for so long.
    pub fn is_idle_for(&self, min_idle_ms: u64, now: UnixMillis) -> bool {
        self.consumer().is_none() || self.idle_ms(now) >= min_idle_ms
    }

    fn turn(&self, id: EntryId) -> Turn {
        match self.owner {
            Owner::Nobody { turn } => Turn::Unowned(turn, id),
            Owner::Consumer(_) => Turn::Delivered(self.delivery_time, id),
        }
    }
}

impl Turn {
    fn id(self) -> EntryId {
        match self {
            Self::Unowned(_, id) | Self::Delivered(_, id) => id,
        }
    }
}

impl Pending {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Records that nobody has.
    pub fn unowned(&self) -> u64 {
        self.unowned
    }

    pub fn get(&self, id: EntryId) -> Option<&PendingRecord> {
        self.by_id.get(&id)
    }

    /// Sets a record and returns the one it replaces.
    pub fn insert(&mut self, id: EntryId, record: PendingRecord) -> Option<PendingRecord> {
        let replaced = self.by_id.insert(id, record);
        if let Some(replaced) = &replaced {
            self.forget_turn(id, replaced);
        }
        self.unowned += u64::from(record.consumer().is_none());
        self.by_turn.insert(record.turn(id), ());
        replaced
    }

    /// Sets a record that nobody has, the last of those, and returns the one it replaces.
    pub fn insert_unowned(&mut self, id: EntryId, delivery_count: u64) -> Option<PendingRecord> {
        let owner = Owner::Nobody { turn: self.next_turn };
        self.next_turn += 1;
        self.insert(id, PendingRecord { owner, delivery_time: UnixMillis::default(), delivery_count })
    }

    /// Changes the record of `id`; nothing if it is not pending.
    pub fn update(&mut self, id: EntryId, change: impl FnOnce(&mut PendingRecord)) {
        if let Some(mut record) = self.get(id).copied() {
            change(&mut record);
            self.insert(id, record);
        }
    }

    pub fn remove(&mut self, id: EntryId) -> Option<PendingRecord> {
        let record = self.by_id.remove(&id)?;
        self.forget_turn(id, &record);
        Some(record)
    }

    /// The lowest and the greatest pending id.
    pub fn edges(&self) -> Option<(EntryId, EntryId)> {
        self.by_id.first().zip(self.by_id.last()).map(|((first, _), (last, _))| (*first, *last))
    }

    /// In id order.
    pub fn iter(&self) -> impl Iterator<Item = &(EntryId, PendingRecord)> {
        self.by_id.iter()
    }

    /// In the order in which they may be claimed.
    pub fn by_turn(&self) -> impl Iterator<Item = (EntryId, &PendingRecord)> {
        self.by_turn.iter().map(|(turn, ())| {
            let id = turn.id();
            (id, self.get(id).expect("every turn is a record's"))
        })
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
        self.by_id.len() * (size_of::<(EntryId, PendingRecord)>() + size_of::<(Turn, ())>())
    }

    pub fn is_sound(&self) -> bool {
        let turns = self.by_id.iter().all(|(id, record)| self.by_turn.contains_key(&record.turn(*id)));
        let unowned = self.iter().filter(|(_, record)| record.consumer().is_none()).count() as u64;
        let given_out = self
            .iter()
            .all(|(_, record)| !matches!(record.owner, Owner::Nobody { turn } if turn >= self.next_turn));
        self.by_id.is_sound()
            && self.by_turn.is_sound()
            && turns
            && given_out
            && self.by_turn.len() == self.by_id.len()
            && unowned == self.unowned
    }

    fn forget_turn(&mut self, id: EntryId, record: &PendingRecord) {
        self.by_turn.remove(&record.turn(id));
        self.unowned -= u64::from(record.consumer().is_none());
    }
}
