//! What apply leaves for the host to do. Only the leader's host acts on effects; replicas that do not
//! lead drop them.

use rivermark_types::{DatabaseIndex, GroupName, StreamKey};

/// Something a blocked reader may be waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The stream has entries it had not before the batch, or is another stream than before.
    EntriesAdded(StreamKey),
    /// The key is gone: deleted or expired. Blocked XREADGROUPs answer NOGROUP.
    KeyRemoved(StreamKey),
    /// The group is gone. Blocked XREADGROUPs answer NOGROUP.
    GroupRemoved(StreamKey, GroupName),
    /// Entries of the group may be deliverable again: its cursor moved back, or pending entries were given back
    /// or made to look older.
    GroupMoved(StreamKey, GroupName),
    /// A database was flushed; `None` is all.
    Flushed(Option<DatabaseIndex>),
}

/// Collects a batch's effects. Waiters look at the state the batch leaves, so a key that got a thousand
/// entries is told once, and one that is gone again not at all.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    added: Vec<StreamKey>,
    others: Vec<Effect>,
}

impl Effects {
    /// The stream of `key` got an entry.
    pub fn entry_added(&mut self, key: &StreamKey) {
        if self.added.last() != Some(key) {
            self.added.push(key.clone());
        }
    }

    /// Anything else.
    pub fn push(&mut self, effect: Effect) {
        if self.others.last() != Some(&effect) {
            self.others.push(effect);
        }
    }

    /// The effects; `exists` tells which keys the batch left.
    pub fn finish(mut self, exists: impl Fn(&StreamKey) -> bool) -> Vec<Effect> {
        self.added.sort();
        self.added.dedup();
        let mut effects = self.others;
        effects.extend(self.added.into_iter().filter(exists).map(Effect::EntriesAdded));
        effects
    }
}
