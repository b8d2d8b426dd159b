//! A stream's entries in the order of what one field of them says: what XRANGEBYSCORE reads.
//!
//! An index is not part of the state. It follows from the entries alone, so a read may make it where it is asked for, on
//! the replica that answers, and no replica need have what another has: snapshots, digests, dumps and outcomes of
//! commands do not know of it. Making one is a walk over the stream. From then on
//! [`EntryLog`](crate::entries::EntryLog), through which all entries come and go, keeps it in step; a change costs each
//! index a search.
//!
//! A stream has at most [`FIELD_INDEXES_MAX`] of them. One that is not read while the stream changes as often as the
//! index has entries ([`FIELD_INDEX_UNREAD_CHANGES_MIN`] times at least) is forgotten, so replicas that lost the
//! leadership do not keep theirs, and making it anew costs no more than was saved.
//!
//! The first occurrence of a repeated field counts. An entry without the field, or with a value that is no
//! [`Score`], is in no index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rivermark_types::limits::{FIELD_INDEX_UNREAD_CHANGES_MIN, FIELD_INDEXES_MAX};
use rivermark_types::{EntryId, Score};

use crate::block::BlockEntry;
use crate::chunk_map::ChunkMap;
use crate::fields::Fields;

/// Live entries by score, then id. A clone shares what neither changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldIndex {
    places: ChunkMap<(Score, EntryId), ()>,
}

/// The indexes a stream has just now, least recently read first. The lock is for reads, which may make one; changes
/// have the stream to themselves.
#[derive(Debug, Default)]
pub(crate) struct FieldIndexes(Mutex<Vec<Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    field: Bytes,
    index: Arc<FieldIndex>,
    /// Entries that came or went since it was last read.
    changes_unread: u64,
}

impl FieldIndex {
    /// Sorts entries by a field.
    pub fn of<'a>(entries: impl Iterator<Item = BlockEntry<'a>>, field: &[u8]) -> Self {
        let mut places: Vec<(Score, EntryId)> = entries
            .filter_map(|entry| entry.value(field).and_then(Score::parse).map(|score| (score, entry.id)))
            .collect();
        places.sort_unstable();
        let mut index = Self::default();
        for place in places {
            index.places.insert(place, ());
        }
        index
    }

    /// Calls `visit` for the entries with `start <= score <= end`, by score, then id, until it answers false.
    pub fn visit(&self, start: Score, end: Score, mut visit: impl FnMut(EntryId) -> bool) {
        let (from, to) = ((start, EntryId::MIN), (end, EntryId::MAX));
        for ((_, id), ()) in self.places.range(&from, &to) {
            if !visit(*id) {
                break;
            }
        }
    }

    fn add(&mut self, score: Score, id: EntryId) {
        self.places.insert((score, id), ());
    }

    fn remove(&mut self, score: Score, id: EntryId) {
        let removed = self.places.remove(&(score, id));
        debug_assert!(removed.is_some(), "an index holds every live entry with the field");
    }

    fn len(&self) -> usize {
        self.places.len()
    }
}

impl FieldIndexes {
    /// The index of a field; `make` is called if there is none yet.
    pub fn get(&self, field: &[u8], make: impl FnOnce() -> FieldIndex) -> Arc<FieldIndex> {
        let mut kept = self.lock();
        let one = match kept.iter().position(|one| one.field == field) {
            Some(at) => kept.remove(at),
            None => {
                let surplus = (kept.len() + 1).saturating_sub(FIELD_INDEXES_MAX);
                kept.drain(..surplus);
                // In memory of its own, so that keeping the name does not keep a network buffer.
                Kept { field: Bytes::copy_from_slice(field), index: Arc::new(make()), changes_unread: 0 }
            }
        };
        let index = Arc::clone(&one.index);
        kept.push(Kept { changes_unread: 0, ..one });
        index
    }

    /// To be called with every entry that comes.
    pub fn added(&mut self, id: EntryId, fields: &Fields) {
        self.change(|field, index| {
            let value = fields.iter().find(|(name, _)| *name == field).map(|(_, value)| value);
            if let Some(score) = value.and_then(Score::parse) {
                Arc::make_mut(index).add(score, id);
            }
        });
    }

    /// To be called with every entry that goes.
    pub fn removed(&mut self, entry: &BlockEntry<'_>) {
        self.change(|field, index| {
            if let Some(score) = entry.value(field).and_then(Score::parse) {
                Arc::make_mut(index).remove(score, entry.id);
            }
        });
    }

    /// Whether there is none, so that nobody need be told of changes.
    pub fn is_empty(&mut self) -> bool {
        self.kept().is_empty()
    }

    /// Leaves none behind: for a stream whose state only a snapshot still needs.
    pub fn take(&self) -> Self {
        Self(Mutex::new(std::mem::take(&mut *self.lock())))
    }

    /// Bytes in memory, the allocator's own not counted.
    pub fn memory_bytes(&self) -> usize {
        let place_bytes = size_of::<((Score, EntryId), ())>();
        self.lock()
            .iter()
            .map(|one| size_of::<Kept>() + one.field.len() + one.index.len() * place_bytes)
            .sum()
    }

    /// Whether each index is what [`FieldIndex::of`] makes of the entries.
    pub fn are_sound<'a, E: Iterator<Item = BlockEntry<'a>>>(&self, entries: impl Fn() -> E) -> bool {
        let kept = self.lock();
        kept.len() <= FIELD_INDEXES_MAX
            && kept.iter().all(|one| {
                let anew = FieldIndex::of(entries(), &one.field);
                one.index.places.is_sound() && one.index.places.iter().eq(anew.places.iter())
            })
    }

    fn change(&mut self, mut update: impl FnMut(&[u8], &mut Arc<FieldIndex>)) {
        self.kept().retain_mut(|one| {
            one.changes_unread += 1;
            let is_read = one.changes_unread <= FIELD_INDEX_UNREAD_CHANGES_MIN.max(one.index.len() as u64);
            if is_read {
                update(&one.field, &mut one.index);
            }
            is_read
        });
    }

    /// What a panicking reader left is whole: nothing is kept before it is made.
    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&mut self) -> &mut Vec<Kept> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shares the indexes until either side changes.
impl Clone for FieldIndexes {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

#[cfg(test)]
mod tests {
    use rivermark_types::limits::{BLOCK_ENTRIES_DEFAULT, RANGE_BYTES_MAX};

    use super::*;
    use crate::block::unpacked;
    use crate::command::Settings;
    use crate::entries::EntryLog;

    fn score(value: u64) -> Score {
        Score::new(value as f64).expect("a number")
    }

    fn fields(field: &str, value: &str) -> Fields {
        Fields::from_pairs([(field.as_bytes(), value.as_bytes())])
    }

    /// Entry `n` of `count` scores `count - n`.
    fn log_of(count: u64) -> EntryLog {
        let mut log = EntryLog::default();
        for n in 1..=count {
            log.append(EntryId::new(n, 0), &fields("at", &(count - n).to_string()), &Settings::default());
        }
        log
    }

    fn ids(log: &EntryLog, field: &str, start: Score, end: Score, count: u64) -> Vec<u64> {
        let read = log.read_by_score(field.as_bytes(), start, end, count, RANGE_BYTES_MAX);
        read.expect("little is read").iter().map(|entry| entry.id.ms).collect()
    }

    fn unpacked(act: impl FnOnce()) -> u64 {
        let before = unpacked::COUNT.get();
        act();
        unpacked::COUNT.get() - before
    }

    #[test]
    fn a_read_costs_what_it_answers() {
        let answer = 10;
        let costs = [1_000, 10_000, 60_000].map(|count| {
            let mut log = log_of(count);
            let first = unpacked(|| assert_eq!(ids(&log, "at", score(0), score(0), 1), [count]));
            assert!(first >= count, "the first read walks over the stream");
            let newest = EntryId::new(count + 1, 0);
            let changes = unpacked(|| {
                log.append(newest, &fields("at", "5"), &Settings::default());
                assert!(log.delete(newest));
            });
            let again = unpacked(|| {
                let middle = count / 2;
                let found = ids(&log, "at", score(middle), Score::MAX, answer);
                assert_eq!(found.len() as u64, answer);
                assert_eq!(found[0], count - middle);
            });
            // Two changes and as many entries as were asked for, each by a walk through its block.
            let block = u64::from(BLOCK_ENTRIES_DEFAULT);
            assert!(changes <= 4 * block, "{changes} entries looked at to change one of {count}");
            assert!(again <= (answer + 1) * (block + 1), "{again} entries looked at of {count}");
            again
        });
        assert!(costs.iter().all(|cost| cost.abs_diff(costs[0]) <= answer * 100), "{costs:?}");
    }

    #[test]
    fn nothing_found_looks_at_nothing() {
        let log = log_of(1000);
        ids(&log, "at", score(0), score(0), 1);
        assert_eq!(unpacked(|| assert!(ids(&log, "at", score(5000), Score::MAX, 10).is_empty())), 0);
        assert_eq!(unpacked(|| assert!(ids(&log, "at", Score::MAX, Score::MIN, 10).is_empty())), 0);
    }

    #[test]
    fn more_bytes_than_allowed_are_not_returned_in_part() {
        let log = log_of(10);
        let bytes_of = |bytes_max| log.read_by_score(b"at", Score::MIN, Score::MAX, 5, bytes_max);
        let bytes = bytes_of(RANGE_BYTES_MAX).expect("little is read").packed().len();
        assert!(bytes_of(bytes).is_some());
        assert!(bytes_of(bytes - 1).is_none());
    }

    #[test]
    fn the_first_occurrence_counts_and_ties_go_by_id() {
        let mut log = EntryLog::default();
        let pairs: [&[(&str, &str)]; 5] = [
            &[("at", "2"), ("at", "1")],
            &[("x", "0"), ("at", "1")],
            &[("at", "soon"), ("at", "1")],
            &[("at", "1")],
            &[("at", "1970-01-01T00:00:00.001Z")],
        ];
        for (n, pairs) in (1..).zip(pairs) {
            let pairs = pairs.iter().map(|(field, value)| (field.as_bytes(), value.as_bytes()));
            log.append(EntryId::new(n, 0), &Fields::from_pairs(pairs), &Settings::default());
        }
        assert_eq!(ids(&log, "at", Score::MIN, Score::MAX, 9), [2, 4, 5, 1]);
        assert_eq!(ids(&log, "at", Score::MIN, Score::MAX, 2), [2, 4]);
    }

    #[test]
    fn a_stream_keeps_so_many_indexes_and_forgets_the_one_read_least_recently() {
        let log = log_of(200);
        let walks = |field: &str| unpacked(|| drop(ids(&log, field, Score::MAX, Score::MAX, 1))) > 0;
        let names: Vec<String> = (0..FIELD_INDEXES_MAX).map(|n| format!("field{n}")).collect();
        assert!(names.iter().all(|name| walks(name)));
        assert!(!names.iter().any(|name| walks(name)), "the bound itself is kept");
        assert!(walks("one more"));
        assert!(!walks(&names[1]));
        assert!(walks(&names[0]), "the least recently read was forgotten");
        assert!(!walks(&names[1]));
        assert!(walks(&names[2]));
    }

    #[test]
    fn an_unread_index_is_forgotten() {
        let mut log = log_of(10);
        let walks = |log: &EntryLog| unpacked(|| drop(ids(log, "at", Score::MAX, Score::MAX, 1))) > 0;
        let settings = Settings::default();
        let mut next = 11;
        let mut change = |log: &mut EntryLog, times: u64| {
            for _ in 0..times {
                log.append(EntryId::new(next, 0), &fields("other", "1"), &settings);
                next += 1;
            }
        };
        assert!(walks(&log));
        change(&mut log, FIELD_INDEX_UNREAD_CHANGES_MIN);
        assert!(!walks(&log), "it was read in time");
        change(&mut log, FIELD_INDEX_UNREAD_CHANGES_MIN);
        assert_ne!(log.index_bytes(), 0);
        change(&mut log, 1);
        assert_eq!(log.index_bytes(), 0);
        assert!(walks(&log));
    }

    #[test]
    fn clones_share_until_one_changes() {
        let mut log = log_of(100);
        ids(&log, "at", score(0), score(0), 1);
        let copy = log.clone();
        assert!(log.delete(EntryId::new(100, 0)));
        assert_eq!(ids(&log, "at", score(0), score(1), 9), [99]);
        assert_eq!(ids(&copy, "at", score(0), score(1), 9), [100, 99]);
        assert!(log.is_sound() && copy.is_sound());
    }
}
