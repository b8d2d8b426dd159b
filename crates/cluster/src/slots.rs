//! Sets of slots as sorted, disjoint, non-adjacent ranges: the one way to write a set.

use std::fmt;

use rivermark_types::Slot;

/// All slots from `first` to `last`, both included; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRange {
    first: Slot,
    last: Slot,
}

impl SlotRange {
    /// The range, or `None` if `first` is after `last`.
    pub fn new(first: Slot, last: Slot) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The range of raw slot numbers, or `None` if one is no slot or they are in the wrong order.
    pub fn of_numbers(first: u16, last: u16) -> Option<Self> {
        Self::new(Slot::new(first)?, Slot::new(last)?)
    }

    /// The lowest slot.
    pub fn first(self) -> Slot {
        self.first
    }

    /// The highest slot.
    pub fn last(self) -> Slot {
        self.last
    }

    /// How many slots: at least one.
    pub fn count(self) -> usize {
        usize::from(self.last.get() - self.first.get()) + 1
    }

    /// Whether `slot` lies in the range.
    pub fn contains(self, slot: Slot) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    /// The slots, ascending.
    pub fn iter(self) -> impl Iterator<Item = Slot> {
        (self.first.get()..=self.last.get()).filter_map(Slot::new)
    }
}

/// `5` or `5-10`, as CLUSTER NODES writes ranges.
impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first.get())
        } else {
            write!(f, "{}-{}", self.first.get(), self.last.get())
        }
    }
}

/// A set of slots. Equal sets have equal ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SlotRanges(Vec<SlotRange>);

impl SlotRanges {
    /// The ranges: ascending, disjoint, with a gap between neighbours.
    pub fn as_slice(&self) -> &[SlotRange] {
        &self.0
    }

    /// Whether there is no slot.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many slots.
    pub fn count(&self) -> usize {
        self.0.iter().map(|range| range.count()).sum()
    }

    /// Whether `slot` is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        let after = self.0.partition_point(|range| range.last < slot);
        self.0.get(after).is_some_and(|range| range.contains(slot))
    }

    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0.iter().flat_map(|range| range.iter())
    }

    /// The set of the slots of an ascending iterator.
    pub(crate) fn from_ascending(slots: impl Iterator<Item = Slot>) -> Self {
        let mut ranges: Vec<SlotRange> = Vec::new();
        for slot in slots {
            match ranges.last_mut() {
                Some(range) if range.last.get() + 1 >= slot.get() => range.last = slot,
                _ => ranges.push(SlotRange { first: slot, last: slot }),
            }
        }
        Self(ranges)
    }
}

/// The union of the ranges, in whatever order they come.
impl FromIterator<SlotRange> for SlotRanges {
    fn from_iter<I: IntoIterator<Item = SlotRange>>(ranges: I) -> Self {
        let mut sorted: Vec<SlotRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<SlotRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last) if last.last.get() + 1 >= range.first.get() => {
                    last.last = last.last.max(range.last)
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

impl From<SlotRange> for SlotRanges {
    fn from(range: SlotRange) -> Self {
        Self(vec![range])
    }
}

/// Ranges separated by spaces.
impl fmt::Display for SlotRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;
    use rivermark_types::SLOT_COUNT;

    #[test]
    fn ranges_join_when_they_touch() {
        let check = |ranges: &[(u16, u16)], text: &str| {
            let set: SlotRanges =
                ranges.iter().map(|(a, b)| SlotRange::of_numbers(*a, *b).expect("a range")).collect();
            assert_eq!(set.to_string(), text);
        };
        check(&[], "");
        check(&[(5, 5)], "5");
        check(&[(6, 10), (0, 5)], "0-10");
        check(&[(7, 10), (0, 5)], "0-5 7-10");
        check(&[(0, 100), (5, 6), (100, 101)], "0-101");
        assert_eq!(SlotRange::of_numbers(1, 0), None);
        assert_eq!(SlotRange::of_numbers(0, SLOT_COUNT), None);
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_slots(
            raw in prop::collection::vec((0u16..64, 0u16..8), 0..12),
            base in 0u16..SLOT_COUNT - 72,
        ) {
            let ranges: Vec<SlotRange> = raw
                .iter()
                .map(|(first, more)| SlotRange::of_numbers(base + first, base + first + more).expect("a range"))
                .collect();
            let model: BTreeSet<Slot> = ranges.iter().flat_map(|range| range.iter()).collect();
            let set: SlotRanges = ranges.into_iter().collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count(), model.len());
            prop_assert_eq!(&SlotRanges::from_ascending(model.iter().copied()), &set);
            for slot in (base..base + 72).filter_map(Slot::new) {
                prop_assert_eq!(set.contains(slot), model.contains(&slot));
            }
        }
    }
}
