//! What a stream remembers of its producers' idempotent ids.
//!
//! A producer's id stands for an entry until it is too old (by stamped time, of the entry's id), until the
//! producer has too many younger ones, or until XCFGSET changes a bound. What is too old counts as
//! forgotten at once and is dropped by the next command that looks.
//!
//! Invariant: `oldest` holds, for each producer, its pair with the lowest entry id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use rivermark_types::{EntryId, UnixMillis};

use crate::command::{IdempotentId, Settings};
use crate::outcome::IdempotenceInfo;

/// A stream's pairs, and the bounds set for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idempotence {
    /// XCFGSET's; `None` is the shard's setting.
    pub duration_s: Option<u32>,
    /// XCFGSET's; `None` is the shard's setting.
    pub pairs_max: Option<u32>,
    /// Entries ever added with an idempotent id.
    pub added: u64,
    /// Entries ever not added because they had been.
    pub duplicates: u64,
    producers: BTreeMap<Bytes, Arc<Producer>>,
    oldest: BTreeSet<(EntryId, Bytes)>,
}

/// The pairs of one producer, both ways.
#[derive(Clone, Debug, Default)]
struct Producer {
    entries: BTreeMap<Bytes, EntryId>,
    ids: BTreeSet<(EntryId, Bytes)>,
}

impl Idempotence {
    /// Drops what is too old.
    pub fn forget_old(&mut self, now: UnixMillis, settings: &Settings) {
        let duration_ms = self.duration_ms(settings);
        while let Some((id, producer)) = self.oldest.first().cloned() {
            if !is_old(id, duration_ms, now) {
                break;
            }
            self.forget_first(&producer);
        }
    }

    /// The entry a pair stands for. Old pairs are forgotten first.
    pub fn find(&self, pair: &IdempotentId) -> Option<EntryId> {
        self.producers.get(&pair.producer)?.entries.get(&pair.id).copied()
    }

    /// Remembers a pair not known, and forgets the producer's lowest entry if it has too many.
    pub fn insert(&mut self, pair: &IdempotentId, entry: EntryId, settings: &Settings) {
        let pairs_max = self.pairs_max(settings) as usize;
        self.restore(Bytes::copy_from_slice(&pair.producer), Bytes::copy_from_slice(&pair.id), entry);
        while self.producers.get(&pair.producer).is_some_and(|one| one.ids.len() > pairs_max) {
            self.forget_first(&pair.producer);
        }
    }

    /// Adds a pair as a snapshot holds it; false if the producer has one of this id.
    pub fn restore(&mut self, producer: Bytes, id: Bytes, entry: EntryId) -> bool {
        let pairs = Arc::make_mut(self.producers.entry(producer.clone()).or_default());
        if pairs.entries.contains_key(&id) {
            return false;
        }
        let oldest = pairs.ids.first().map(|(entry, _)| *entry);
        pairs.ids.insert((entry, id.clone()));
        pairs.entries.insert(id, entry);
        if oldest.is_none_or(|oldest| entry < oldest) {
            if let Some(oldest) = oldest {
                self.oldest.remove(&(oldest, producer.clone()));
            }
            self.oldest.insert((entry, producer));
        }
        true
    }

    /// Sets bounds; a changed one drops all pairs.
    pub fn configure(&mut self, duration_s: Option<u32>, pairs_max: Option<u32>, settings: &Settings) {
        let before = (self.duration_ms(settings), self.pairs_max(settings));
        self.duration_s = duration_s.or(self.duration_s);
        self.pairs_max = pairs_max.or(self.pairs_max);
        if before != (self.duration_ms(settings), self.pairs_max(settings)) {
            self.producers.clear();
            self.oldest.clear();
        }
    }

    /// The bounds alone: what COPY takes along.
    pub fn bounds(&self) -> Self {
        Self { duration_s: self.duration_s, pairs_max: self.pairs_max, ..Self::default() }
    }

    /// What XINFO STREAM tells.
    pub fn info(&self, now: UnixMillis, settings: &Settings) -> IdempotenceInfo {
        let duration_ms = self.duration_ms(settings);
        let live = |producer: &Producer| {
            producer.ids.iter().rev().take_while(|(id, _)| !is_old(*id, duration_ms, now)).count() as u64
        };
        let counts = self.producers.values().map(|producer| live(producer)).filter(|count| *count > 0);
        let (producers, pairs) =
            counts.fold((0, 0), |(producers, pairs), count| (producers + 1, pairs + count));
        IdempotenceInfo {
            duration_s: duration_ms / 1000,
            pairs_max: self.pairs_max(settings).into(),
            producers,
            pairs,
            added: self.added,
            duplicates: self.duplicates,
        }
    }

    /// Every pair: producer, id, entry.
    pub fn pairs(&self) -> impl Iterator<Item = (&Bytes, &Bytes, EntryId)> {
        self.producers
            .iter()
            .flat_map(|(producer, pairs)| pairs.entries.iter().map(move |(id, entry)| (producer, id, *entry)))
    }

    pub fn memory_bytes(&self) -> usize {
        const PAIR_BYTES: usize = 2 * size_of::<(EntryId, Bytes)>();
        let pairs: usize = self.pairs().map(|(_, id, _)| PAIR_BYTES + id.len()).sum();
        let producers = self.producers.keys().map(|name| size_of::<(EntryId, Bytes, Bytes)>() + name.len());
        size_of::<Self>() + pairs + producers.sum::<usize>()
    }

    pub fn is_sound(&self) -> bool {
        let both_ways = |pairs: &Producer| {
            pairs.ids.len() == pairs.entries.len()
                && pairs.ids.iter().all(|(entry, id)| pairs.entries.get(id) == Some(entry))
        };
        let told = |(name, pairs): (&Bytes, &Arc<Producer>)| {
            pairs.ids.first().is_some_and(|(entry, _)| self.oldest.contains(&(*entry, name.clone())))
        };
        self.oldest.len() == self.producers.len()
            && self.producers.iter().all(told)
            && self.producers.values().all(|pairs| both_ways(pairs))
    }

    fn forget_first(&mut self, name: &Bytes) {
        let Some(producer) = self.producers.get_mut(name) else { return };
        let pairs = Arc::make_mut(producer);
        let Some((entry, id)) = pairs.ids.pop_first() else { return };
        pairs.entries.remove(&id);
        self.oldest.remove(&(entry, name.clone()));
        match pairs.ids.first() {
            Some((next, _)) => {
                self.oldest.insert((*next, name.clone()));
            }
            None => {
                self.producers.remove(name);
            }
        }
    }

    fn duration_ms(&self, settings: &Settings) -> u64 {
        u64::from(self.duration_s.unwrap_or(settings.idempotent_s)) * 1000
    }

    fn pairs_max(&self, settings: &Settings) -> u32 {
        self.pairs_max.unwrap_or(settings.idempotent_pairs_max)
    }
}

fn is_old(entry: EntryId, duration_ms: u64, now: UnixMillis) -> bool {
    entry.ms.saturating_add(duration_ms) <= now.get()
}
