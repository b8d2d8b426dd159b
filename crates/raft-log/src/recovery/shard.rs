//! One shard as recovery follows its frames.

use rivermark_types::ShardId;

use super::RecoveredShard;
use crate::error::Corruption;
use crate::hard_state::HardState;
use crate::index::{Place, ShardIndex};
use crate::record::{Frame, Record};
use crate::shard_log::ShardLogState;

/// A sound frame and where it was found.
#[derive(Debug, Clone)]
pub(super) struct FoundFrame {
    pub(super) frame: Frame,
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) hard_state: Option<HardState>,
}

/// Tracks the shard's own frame numbering besides its state. Once distrusted it only waits to be forgotten.
#[derive(Debug, Default)]
pub(super) struct ReplayedShard {
    pub(super) index: ShardIndex,
    pub(super) sequence: u64,
    /// How many losses there had been at its last frame.
    pub(super) losses_seen: usize,
}

impl ReplayedShard {
    /// Follows a frame of this shard. Returns why it cannot be trusted, if so.
    pub(super) fn follow(&mut self, found: &FoundFrame) -> Option<&'static str> {
        let frame = found.frame;
        let is_first = self.sequence == 0;
        let follows = frame.shard_sequence == self.sequence + 1;
        self.sequence = frame.shard_sequence;
        match frame.record {
            Record::Forget => {
                self.index.apply(Record::Forget);
                return None;
            }
            _ if self.index.corruption.is_some() => return None,
            Record::HardState => {
                let Some(state) = found.hard_state else { return Some("a hard state is unreadable") };
                if state.corrupt {
                    return Some("the shard was found damaged earlier");
                }
                if !is_first && (!follows || self.index.hard != state) {
                    return Some("a hard state contradicts the log");
                }
                self.index.hard = state;
                return None;
            }
            _ => {}
        }
        if !follows {
            return Some("records of this shard were lost");
        }
        match frame.record {
            Record::Entry(id) if !self.index.hard.range.accepts(id.index.get()) => {
                return Some("log entries are missing");
            }
            Record::Entry(id) => {
                let small = |value: u64| u32::try_from(value).expect("ids and offsets stay below 2^32");
                let (segment, offset) = (small(found.segment), small(found.offset));
                self.index.append_stored(id, Place { segment, offset, length: frame.payload_length });
            }
            record => self.index.apply(record),
        }
        None
    }

    pub(super) fn distrust(&mut self, shard: ShardId, segment: u64, offset: u64, reason: &'static str) {
        if self.index.corruption.is_none() {
            self.index.apply(Record::Forget);
            self.index.hard.corrupt = true;
            self.index.corruption = Some(Corruption { shard: Some(shard), segment, offset, reason });
        }
    }

    pub(super) fn report(&self, shard: ShardId) -> RecoveredShard {
        let range = self.index.hard.range;
        let corruption = self.index.corruption.clone();
        let state = match corruption {
            Some(_) => ShardLogState::default(),
            None => ShardLogState {
                purged: range.purged,
                first: self.index.id_at(range.first),
                last: self.index.last(),
            },
        };
        RecoveredShard { shard, state, corruption }
    }
}
