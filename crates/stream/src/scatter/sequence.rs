//! XREADGROUP with a budget over several shards: one shard after the other, each with what those before left.
//!
//! A delivery cannot be taken back, so no shard may be asked for more than may go out. The order is the
//! request's; neighbours on one shard go together.

use rivermark_types::{ShardId, Slot};

use super::streams::{joined, spend, unclaimed};
use crate::allowance::Allowance;
use crate::command::{Command, ReadBudget, XReadGroup};
use crate::outcome::{Outcome, StreamClaims};

/// The steps of one XREADGROUP. Propose what [`Self::next_step`] says, tell its outcome to [`Self::answered`], until
/// there is no next step; then [`Self::finish`].
///
/// That no group is missing is the caller's to ask first, of all shards, with [`GroupsExist`]: a step that is
/// refused ends the sequence with its refusal, whatever earlier steps delivered.
///
/// [`GroupsExist`]: crate::query::GroupsExist
#[derive(Debug)]
pub struct GroupReadSequence {
    read: XReadGroup,
    /// The rest of the steps, last first: a shard and how many streams.
    steps: Vec<(ShardId, usize)>,
    /// How many streams steps before took.
    taken: usize,
    allowance: Allowance,
    claims: Vec<StreamClaims>,
    stray: Option<Outcome>,
}

impl GroupReadSequence {
    /// The sequence of a read; it may be of one step.
    pub fn new(read: XReadGroup, shard_of: impl Fn(Slot) -> ShardId) -> Self {
        let mut steps: Vec<(ShardId, usize)> = Vec::new();
        for (key, _) in &read.streams {
            let shard = shard_of(key.slot());
            match steps.last_mut() {
                Some((last, count)) if *last == shard => *count += 1,
                _ => steps.push((shard, 1)),
            }
        }
        steps.reverse();
        let allowance = Allowance::new(&read.budget);
        Self { read, steps, taken: 0, allowance, claims: Vec::new(), stray: None }
    }

    /// What to propose next, and to which shard.
    pub fn next_step(&self) -> Option<(ShardId, Command)> {
        if self.stray.is_some() || self.allowance.is_over() {
            return None;
        }
        let (shard, count) = *self.steps.last()?;
        let streams = self.read.streams[self.taken..self.taken + count].to_vec();
        let budget = match self.read.budget {
            ReadBudget::UNLIMITED => ReadBudget::UNLIMITED,
            _ => self.allowance.budget(),
        };
        Some((shard, Command::XReadGroup(XReadGroup { streams, budget, ..self.read.clone() })))
    }

    /// Takes the outcome of the step.
    pub fn answered(&mut self, outcome: Outcome) {
        let Some((_, count)) = self.steps.pop() else { return };
        let mut share = match outcome {
            Outcome::StreamsClaimed(claims) => claims,
            Outcome::Streams(read) => unclaimed(read.streams),
            stray => {
                self.stray = Some(stray);
                return;
            }
        };
        spend(&mut self.allowance, &share);
        let before = u32::try_from(self.taken).unwrap_or(u32::MAX);
        share.iter_mut().for_each(|claims| claims.read.index += before);
        self.claims.append(&mut share);
        self.taken += count;
    }

    /// The outcome of the whole.
    pub fn finish(self) -> Outcome {
        self.stray.unwrap_or_else(|| joined(self.claims, Vec::new()))
    }
}
