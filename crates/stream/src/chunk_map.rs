//! An ordered map of small sorted runs that is cheap to clone.
//!
//! A clone copies pointers to the runs, not the runs; whoever changes a shared run first copies it
//! (`Arc::make_mut`). So a snapshot is a clone, and apply goes on while it is written out. Appending at the
//! end and removing at the front, what streams and pending lists do all day, touch one run each.
//!
//! Invariants: no run is empty; keys ascend within a run and from run to run; a run's key in the outer map
//! is not above its first key and above every key of the run before. Where runs are cut is not part of
//! a map's value: it depends on the order of changes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A run holds at most so many items.
const RUN_MAX: usize = 64;
/// A run this short joins a neighbour if both fit well into one.
const RUN_SHORT: usize = 16;
/// Joined runs keep room to grow before they split again.
const RUN_JOINED_MAX: usize = 48;

type Run<K, V> = Arc<Vec<(K, V)>>;

/// The map. `K` and `V` are cloned when a shared run is changed, so both should be cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ChunkMap<K, V> {
    runs: BTreeMap<K, Run<K, V>>,
    len: usize,
}

impl<K, V> Default for ChunkMap<K, V> {
    fn default() -> Self {
        Self { runs: BTreeMap::new(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> ChunkMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        let (_, run) = self.runs.range(..=key).next_back()?;
        let at = find(run, key).ok()?;
        Some(&run[at].1)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (_, run) = self.runs.range_mut(..=key).next_back()?;
        let at = find(run, key).ok()?;
        Some(&mut Arc::make_mut(run)[at].1)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The item with the greatest key not above `key`.
    pub fn floor(&self, key: &K) -> Option<&(K, V)> {
        // A run's outer key may lie below its first key, so the answer may end the run before.
        self.runs.range(..=key).rev().find_map(|(_, run)| {
            let above = run.partition_point(|(k, _)| k <= key);
            above.checked_sub(1).map(|at| &run[at])
        })
    }

    /// The item with the lowest key above `key`.
    pub fn above(&self, key: &K) -> Option<&(K, V)> {
        // Runs are not empty, so the answer is in the key's run or begins the next.
        let own = self.runs.range(..=key).next_back();
        let within = own.and_then(|(_, run)| run.get(run.partition_point(|(k, _)| k <= key)));
        within.or_else(|| {
            let after = (Bound::Excluded(key), Bound::Unbounded);
            self.runs.range(after).next().and_then(|(_, run)| run.first())
        })
    }

    pub fn first(&self) -> Option<&(K, V)> {
        self.runs.first_key_value().and_then(|(_, run)| run.first())
    }

    pub fn last(&self) -> Option<&(K, V)> {
        self.runs.last_key_value().and_then(|(_, run)| run.last())
    }

    pub fn last_mut(&mut self) -> Option<&mut V> {
        let run = self.runs.last_entry()?.into_mut();
        Arc::make_mut(run).last_mut().map(|(_, value)| value)
    }

    pub fn first_mut(&mut self) -> Option<&mut V> {
        let run = self.runs.first_entry()?.into_mut();
        Arc::make_mut(run).first_mut().map(|(_, value)| value)
    }

    /// Sets the value of `key` and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.last().is_none_or(|(last, _)| *last < key) {
            self.append(key, value);
            return None;
        }
        let Some((outer, run)) = self.runs.range_mut(..=&key).next_back() else {
            self.insert_below_all(key, value);
            return None;
        };
        match find(run, &key) {
            Ok(at) => Some(std::mem::replace(&mut Arc::make_mut(run)[at].1, value)),
            Err(at) => {
                Arc::make_mut(run).insert(at, (key, value));
                self.len += 1;
                if run.len() > RUN_MAX {
                    let outer = outer.clone();
                    self.split(&outer);
                }
                None
            }
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (outer, run) = self.runs.range_mut(..=key).next_back()?;
        let at = find(run, key).ok()?;
        let (_, value) = Arc::make_mut(run).remove(at);
        self.len -= 1;
        if run.len() < RUN_SHORT {
            let outer = outer.clone();
            self.tidy(&outer);
        }
        Some(value)
    }

    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let mut entry = self.runs.first_entry()?;
        let item = Arc::make_mut(entry.get_mut()).remove(0);
        self.len -= 1;
        if entry.get().is_empty() {
            entry.remove();
        }
        Some(item)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, V)> {
        self.runs.values().flat_map(|run| run.iter())
    }

    /// Items with `from <= key <= to`, in order; none if `from > to`.
    pub fn range<'a>(&'a self, from: &'a K, to: &'a K) -> impl DoubleEndedIterator<Item = &'a (K, V)> {
        // The run that may hold `from` begins at or below it.
        let lower = self.runs.range(..=from).next_back().map_or(from, |(outer, _)| outer);
        self.runs.range(lower..=to.max(lower)).flat_map(move |(_, run)| {
            let start = run.partition_point(|(key, _)| key < from);
            let end = run.partition_point(|(key, _)| key <= to);
            run[start..end.max(start)].iter()
        })
    }

    /// Items with `from <= key`, in order.
    pub fn range_from<'a>(&'a self, from: &'a K) -> impl DoubleEndedIterator<Item = &'a (K, V)> {
        let lower = self.runs.range(..=from).next_back().map_or(from, |(outer, _)| outer);
        self.runs.range(lower..).flat_map(move |(_, run)| {
            let start = run.partition_point(|(key, _)| key < from);
            run[start..].iter()
        })
    }

    fn append(&mut self, key: K, value: V) {
        self.len += 1;
        if let Some(mut entry) = self.runs.last_entry()
            && entry.get().len() < RUN_MAX
        {
            Arc::make_mut(entry.get_mut()).push((key, value));
            return;
        }
        self.runs.insert(key.clone(), Arc::new(vec![(key, value)]));
    }

    fn insert_below_all(&mut self, key: K, value: V) {
        self.len += 1;
        match self.runs.pop_first() {
            Some((_, mut run)) if run.len() < RUN_MAX => {
                Arc::make_mut(&mut run).insert(0, (key.clone(), value));
                self.runs.insert(key, run);
            }
            full => {
                self.runs.extend(full);
                self.runs.insert(key.clone(), Arc::new(vec![(key, value)]));
            }
        }
    }

    fn split(&mut self, outer: &K) {
        let run = Arc::make_mut(self.runs.get_mut(outer).expect("the caller found the run"));
        let upper = run.split_off(run.len() / 2);
        self.runs.insert(upper[0].0.clone(), Arc::new(upper));
    }

    /// Drops an emptied run, joins a short one with a neighbour.
    fn tidy(&mut self, outer: &K) {
        if self.runs[outer].is_empty() {
            self.runs.remove(outer);
            return;
        }
        let before = self.runs.range(..outer).next_back().map(|(before, _)| before.clone());
        let joined = before.is_some_and(|before| self.join_next(&before));
        if !joined {
            self.join_next(outer);
        }
    }

    /// Joins a run with the one after it, if both fit well into one.
    fn join_next(&mut self, outer: &K) -> bool {
        let mut runs = self.runs.range(outer..);
        let (Some((_, run)), Some((next, next_run))) = (runs.next(), runs.next()) else { return false };
        if run.len() + next_run.len() > RUN_JOINED_MAX {
            return false;
        }
        let next = next.clone();
        let joined = self.runs.remove(&next).expect("the run was just found");
        let run = self.runs.get_mut(outer).expect("the run was just found");
        Arc::make_mut(run).extend(joined.iter().cloned());
        true
    }

    /// Whether the invariants hold; for tests and [`crate::invariants`].
    pub fn is_sound(&self) -> bool {
        let ascending = self.iter().map(|(key, _)| key).is_sorted_by(|a, b| a < b);
        let outer_fits =
            self.runs.iter().all(|(outer, run)| run.first().is_some_and(|(key, _)| outer <= key));
        let mut runs = self.runs.iter().peekable();
        let mut apart = true;
        while let Some((_, run)) = runs.next() {
            if let (Some((last, _)), Some((next, _))) = (run.last(), runs.peek()) {
                apart &= last < *next;
            }
        }
        let counted = self.runs.values().map(|run| run.len()).sum::<usize>() == self.len;
        ascending && outer_fits && apart && counted && self.runs.values().all(|run| run.len() <= RUN_MAX)
    }
}

fn find<K: Ord, V>(run: &[(K, V)], key: &K) -> Result<usize, usize> {
    run.binary_search_by(|(k, _)| k.cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Change {
        Insert(u16),
        Append,
        Remove(u16),
        PopFirst,
        Clone,
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            3 => (0u16..600).prop_map(Change::Insert),
            6 => Just(Change::Append),
            3 => (0u16..600).prop_map(Change::Remove),
            3 => Just(Change::PopFirst),
            1 => Just(Change::Clone),
        ]
    }

    fn same(map: &ChunkMap<u16, u32>, model: &BTreeMap<u16, u32>) {
        assert!(map.is_sound());
        assert!(map.iter().map(|(k, v)| (k, v)).eq(model.iter()));
        assert!(map.iter().rev().map(|(k, v)| (k, v)).eq(model.iter().rev()));
        assert_eq!(map.first().map(|(k, _)| k), model.keys().next());
        assert_eq!(map.last().map(|(k, _)| k), model.keys().next_back());
    }

    proptest! {
        #[test]
        fn behaves_as_a_btreemap(
            changes in prop::collection::vec(change(), 0..400),
            probes in prop::collection::vec((0u16..700, 0u16..700), 8),
        ) {
            let mut map = ChunkMap::default();
            let mut model = BTreeMap::new();
            let mut frozen = None;
            for (step, change) in (0u32..).zip(changes) {
                match change {
                    Change::Insert(key) => assert_eq!(map.insert(key, step), model.insert(key, step)),
                    Change::Append => {
                        let key = model.keys().next_back().map_or(100, |last| last + 1);
                        assert_eq!(map.insert(key, step), model.insert(key, step));
                    }
                    Change::Remove(key) => assert_eq!(map.remove(&key), model.remove(&key)),
                    Change::PopFirst => assert_eq!(map.pop_first(), model.pop_first()),
                    Change::Clone => frozen = Some((map.clone(), model.clone())),
                }
            }
            same(&map, &model);
            if let Some((map, model)) = frozen {
                same(&map, &model);
            }
            for (from, to) in probes {
                assert_eq!(map.get(&from), model.get(&from));
                assert_eq!(map.get_mut(&from), model.get_mut(&from));
                assert_eq!(map.floor(&from).map(|(k, _)| k), model.range(..=from).next_back().map(|(k, _)| k));
                let expected: Vec<_> =
                    if from <= to { model.range(from..=to).collect() } else { Vec::new() };
                let found: Vec<_> = map.range(&from, &to).map(|(k, v)| (k, v)).collect();
                assert_eq!(&found, &expected);
                let backward: Vec<_> = map.range(&from, &to).rev().map(|(k, v)| (k, v)).collect();
                assert!(backward.iter().eq(expected.iter().rev()));
                assert!(map.range_from(&from).map(|(k, v)| (k, v)).eq(model.range(from..)));
            }
        }
    }

    #[test]
    fn appended_runs_are_full_and_random_removal_does_not_leave_crumbs() {
        let mut map = ChunkMap::default();
        for key in 0..6400u32 {
            map.insert(key, ());
        }
        assert_eq!(map.runs.len(), 100);
        for key in (0..6400).filter(|key| key % 16 != 0) {
            map.remove(&key);
        }
        assert!(map.is_sound());
        assert!(map.runs.len() <= 40, "{} runs for 400 items", map.runs.len());
    }

    thread_local! {
        static COMPARISONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// A key that counts how often it is compared.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Counted(u64);

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    #[test]
    fn searching_costs_a_logarithm_and_changing_no_more() {
        let compared = |act: &mut dyn FnMut()| {
            let before = COMPARISONS.get();
            act();
            COMPARISONS.get() - before
        };
        for items in [1_000u64, 32_000] {
            let mut map = ChunkMap::default();
            // An odd multiplier scatters the keys over the whole range.
            let key = |n: u64| Counted(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for n in 0..items {
                map.insert(key(n), ());
            }
            let logarithm = u64::from(items.ilog2());
            let last = Counted(u64::MAX);
            let middle = key(items / 2);
            let ranged = compared(&mut || assert_eq!(map.range(&middle, &last).take(20).count(), 20));
            // A range looks for both of its ends in each run it touches; twenty items lie in a few.
            assert!(ranged <= 20 * logarithm, "{ranged} comparisons to range over {items}");
            let changed = compared(&mut || {
                map.insert(key(items + 1), ());
                map.remove(&middle);
            });
            assert!(changed <= 20 * logarithm, "{changed} comparisons to change {items}");
        }
    }
}
