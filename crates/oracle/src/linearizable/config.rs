//! One state the stream can be in, part way through an order.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::chain::Chain;
use crate::linearizable::reads::Shown;
use crate::operation::{Precision, TrimBound};

/// The stream after some operations of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Config {
    /// How many entries of the chain have been added.
    pub(crate) added: usize,
    /// What is there, ascending. The entry of place `p` is `2p + 1`; one that nobody ever saw, added
    /// when `g` of the chain were, is `2g`: after place `g - 1` and before place `g`.
    live: Vec<usize>,
    /// Operations still outstanding that are already in the order.
    pub(crate) done: BTreeSet<usize>,
}

impl Config {
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn add(&mut self, max_len: Option<u64>) {
        self.live.push(2 * self.added + 1);
        self.added += 1;
        self.shorten(max_len);
    }

    pub(crate) fn add_unseen(&mut self, max_len: Option<u64>) {
        self.live.push(2 * self.added);
        self.shorten(max_len);
    }

    fn shorten(&mut self, max_len: Option<u64>) {
        if let Some(len) = max_len {
            let excess = self.live.len().saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
            self.live.drain(..excess);
        }
    }

    /// Removes the entries of `places`; how many there were.
    pub(crate) fn delete(&mut self, places: &[usize]) -> usize {
        let before = self.live.len();
        for place in places {
            if let Ok(index) = self.live.binary_search(&(2 * place + 1)) {
                self.live.remove(index);
            }
        }
        before - self.live.len()
    }

    /// Removes one unseen entry added when `gap` entries of the chain were; whether there was one.
    pub(crate) fn delete_unseen(&mut self, gap: usize) -> bool {
        match self.live.binary_search(&(2 * gap)) {
            Ok(index) => {
                self.live.remove(index);
                true
            }
            Err(_) => false,
        }
    }

    /// How many entries a trim can remove here.
    pub(crate) fn trimmable(
        &self,
        chain: &Chain<'_>,
        bound: TrimBound,
        precision: Precision,
    ) -> RangeInclusive<usize> {
        let (least, most) = match bound {
            TrimBound::MaxLen(len) => {
                let excess = self.live.len().saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
                (excess, excess)
            }
            TrimBound::MinId(id) => {
                let place = chain.links.partition_point(|link| link.id < id);
                let to = self.live.partition_point(|entry| *entry <= 2 * place);
                // A bound between two known entries may have an unseen one on either side of it.
                let named = chain.position(id).is_some();
                let from = if named { to } else { self.live.partition_point(|entry| *entry < 2 * place) };
                (from, to)
            }
        };
        match precision {
            Precision::Exact => least..=most,
            Precision::Approximate => 0..=most,
        }
    }

    pub(crate) fn trim(&mut self, count: usize) {
        self.live.drain(..count);
    }

    /// Whether a forward read, or a backward one, shows this state.
    pub(crate) fn shows(&self, shown: &Shown, forward: bool) -> bool {
        let (start, end) = (shown.window.start, shown.window.end);
        let from_code = if shown.open_start { 2 * start } else { 2 * start + 1 };
        let to_code = if shown.open_end { 2 * end + 1 } else { 2 * end };
        let from = self.live.partition_point(|entry| *entry < from_code);
        let to = self.live.partition_point(|entry| *entry < to_code).max(from);
        let window = &self.live[from..to];
        let length = shown.places.len();
        if window.len().min(shown.count) != length {
            return false;
        }
        let seen = if forward { &window[..length] } else { &window[window.len() - length..] };
        seen.iter().zip(&shown.places).all(|(entry, place)| *entry == 2 * place + 1)
    }
}
