//! A shard's state apart from its entries: vote, commit hint, and which indexes its log spans.
//!
//! The writer keeps one per shard, as of the last frame it wrote, and repeats all of them at the start of
//! every segment and every session. So the oldest segment always begins with a full picture, and what a
//! removed segment said about votes and purges is never lost.

use rivermark_types::LogIndex;

use crate::entry::{LogId, Vote};
use crate::record::Record;

/// The indexes a log spans. `first <= next`; indexes below `first` are purged or never were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogRange {
    /// The last purged entry.
    pub(crate) purged: Option<LogId>,
    /// Index of the first entry there is or, in an empty log, could be.
    pub(crate) first: u64,
    /// Index of the entry to append next; `None` while any index may come first.
    pub(crate) next: Option<u64>,
}

impl LogRange {
    pub(crate) fn is_empty(&self) -> bool {
        self.next.is_none_or(|next| next <= self.first)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u64 {
        self.next.map_or(0, |next| next.saturating_sub(self.first))
    }

    /// True if an entry with this index may be appended.
    pub(crate) fn accepts(&self, index: u64) -> bool {
        self.next.is_none_or(|next| next == index)
    }

    pub(crate) fn append(&mut self, index: u64) {
        debug_assert!(self.accepts(index));
        if self.next.is_none() {
            self.first = index;
        }
        self.next = Some(index + 1);
    }

    /// Drops the entries after `last_kept`.
    pub(crate) fn truncate(&mut self, last_kept: Option<LogIndex>) {
        let purged_next = self.purged.map(|id| id.index.get() + 1);
        let wanted = last_kept.map(|index| index.get() + 1);
        match (self.next, wanted) {
            (None, _) => {}
            (Some(next), Some(wanted)) if wanted > self.first => self.next = Some(next.min(wanted)),
            // Nothing is left: the log continues behind what was purged, or anywhere.
            (Some(_), _) => {
                self.next = purged_next;
                self.first = purged_next.unwrap_or(0);
            }
        }
    }

    pub(crate) fn purge(&mut self, id: LogId) {
        let after = id.index.get() + 1;
        if self.purged.is_some_and(|purged| purged.index >= id.index) {
            return;
        }
        self.purged = Some(id);
        self.first = self.first.max(after);
        self.next = Some(self.next.map_or(after, |next| next.max(after)));
    }
}

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HardState {
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) range: LogRange,
    /// Durable frames of the shard were lost; only forgetting the shard clears it.
    pub(crate) corrupt: bool,
}

impl HardState {
    /// Follows a frame that was written or read. Entries must be acceptable.
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::Entry(id) => self.range.append(id.index.get()),
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Truncate(last_kept) => self.range.truncate(last_kept),
            Record::Purge(id) => self.range.purge(id),
            Record::Committed(id) => self.committed = id,
            Record::Forget => *self = Self::default(),
            Record::HardState | Record::Mark => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::LeaderId;
    use crate::record::{decode_hard_state, encode_hard_state};
    use rivermark_types::{NodeId, Term};

    fn id(index: u64) -> LogId {
        LogId { leader: LeaderId { term: Term::new(3), node: NodeId::new(2) }, index: LogIndex::new(index) }
    }

    #[test]
    fn range_follows_appends_truncations_and_purges() {
        let mut range = LogRange::default();
        assert!(range.is_empty() && range.accepts(0) && range.accepts(9));
        for index in 1..=10 {
            range.append(index);
        }
        assert!(!range.accepts(10) && range.accepts(11));
        range.truncate(Some(LogIndex::new(12)));
        assert_eq!((range.first, range.next, range.len()), (1, Some(11), 10));
        range.truncate(Some(LogIndex::new(6)));
        range.purge(id(4));
        assert_eq!((range.first, range.next, range.len()), (5, Some(7), 2));
        range.purge(id(3));
        assert_eq!(range.purged, Some(id(4)), "purging never goes back");
        range.truncate(None);
        assert_eq!((range.first, range.next), (5, Some(5)), "purged entries stay gone");
        range.purge(id(20));
        assert!(range.is_empty() && range.accepts(21) && !range.accepts(20));
    }

    #[test]
    fn truncating_all_of_an_unpurged_log_lets_it_start_anywhere() {
        let mut range = LogRange::default();
        range.append(5);
        range.truncate(None);
        assert_eq!(range, LogRange::default());
    }

    #[test]
    fn encoding_round_trips() {
        let vote = Vote { leader: id(0).leader, committed: true };
        let range = LogRange { purged: Some(id(4)), first: 5, next: Some(9) };
        for state in [
            HardState::default(),
            HardState { vote: Some(vote), committed: Some(id(7)), range, corrupt: true },
            HardState { vote: Some(Vote { committed: false, ..vote }), ..HardState::default() },
        ] {
            assert_eq!(decode_hard_state(&encode_hard_state(&state)), Some(state));
        }
        assert_eq!(decode_hard_state(&[0; 87]), None);
    }
}
