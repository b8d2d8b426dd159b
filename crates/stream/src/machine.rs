//! The machine of a shard: batches in, outcomes and effects out. Start here.
//!
//! [`Machine::apply`] is the only way to change it, and a function of the machine and the batch alone: every
//! replica that applied the same batches holds the same state ([`Machine::digest`] compares them). It
//! cannot fail. A command that may not be done has a [`crate::Rejection`] for its outcome, replicated
//! like any other.
//!
//! Time is the batch's stamp, never let back. A key whose deadline the stamp reached is removed before the
//! batch's first command, so no command sees an expired key; queries, which run between batches, treat
//! such keys as missing.
//!
//! The machine does not know who leads, who waits or who asked: effects say what waiters may want to look
//! at ([`Machine::readiness`]), the host decides.

use rivermark_types::limits::CLAIM_LOOK_MS_MIN;
use rivermark_types::{EntryId, GroupName, SessionId, StreamKey, UnixMillis};

use crate::batch::{Batch, Part, PartOutcome};
use crate::command::Settings;
use crate::commands::{self, Change};
use crate::effect::{Effect, Effects};
use crate::group::Group;
use crate::keyspace::Keyspace;
use crate::outcome::Outcome;
use crate::queries::{self, AskedBy, View};
use crate::query::Query;
use crate::session::{Admission, Sessions};
use crate::stream::Stream;

/// Counting what a waiter could get stops here: more waiters than this are not tried in one round.
const AVAILABLE_COUNTED_MAX: u64 = 65_536;

/// The same of entries that may be claimed, each of which takes a look at its stream.
const CLAIMABLE_COUNTED_MAX: usize = 1024;

/// The state of one shard.
#[derive(Debug)]
pub struct Machine {
    pub(crate) keyspace: Keyspace,
    pub(crate) sessions: Sessions,
    pub(crate) settings: Settings,
    pub(crate) last_stamp: UnixMillis,
}

/// What applying a batch brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// One a part, in order.
    pub parts: Vec<PartOutcome>,
    /// For the leader's host. About the state the batch left, each once.
    pub effects: Vec<Effect>,
}

/// What a blocked read of one stream waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// XREAD: entries above an id.
    Entries {
        /// The stream.
        key: StreamKey,
        /// The id.
        after: EntryId,
    },
    /// XREADGROUP `>`: entries above the group's cursor, or the group's end.
    Group {
        /// The stream.
        key: StreamKey,
        /// The group.
        group: GroupName,
    },
    /// XREADGROUP `>` with CLAIM: as [`Self::Group`], or a pending entry idle for long enough.
    Claim {
        /// The stream.
        key: StreamKey,
        /// The group.
        group: GroupName,
        /// CLAIM.
        min_idle_ms: u64,
    },
}

/// Whether a blocked read would be served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It would not.
    Wait,
    /// It would, or be refused: then nothing is available.
    Ready {
        /// Entries to be had, counted up to a few ten thousand.
        available: u64,
    },
}

impl Machine {
    /// An empty shard.
    pub fn new(settings: Settings) -> Self {
        Self {
            keyspace: Keyspace::default(),
            sessions: Sessions::default(),
            settings,
            last_stamp: UnixMillis::default(),
        }
    }

    /// Applies a batch.
    ///
    /// # Panics
    /// If a part does not decode. The leader proposes only what [`Part::check`] accepts, and the log's
    /// checksums keep it so; a replica that cannot follow must stop rather than diverge.
    pub fn apply(&mut self, batch: &Batch) -> Applied {
        let stamp = batch.stamp.max(self.last_stamp);
        self.last_stamp = stamp;
        let mut effects = Effects::default();
        while let Some(key) = self.keyspace.pop_expired(stamp) {
            effects.push(Effect::KeyRemoved(key));
        }
        self.sessions.forget_idle(stamp);
        let parts = batch.parts.iter().map(|part| self.apply_part(part, &mut effects)).collect();
        let effects = effects.finish(|key| self.keyspace.get(key).is_some());
        Applied { parts, effects }
    }

    fn apply_part(&mut self, part: &Part, effects: &mut Effects) -> PartOutcome {
        let Self { keyspace, sessions, settings, last_stamp } = self;
        let mut change = Change { keyspace, settings, effects, stamp: *last_stamp };
        // Every command takes at least a byte, so a wrong count reserves no more than it was sent.
        let mut outcomes = Vec::with_capacity(part.commands.len().min(part.count as usize));
        if part.session == SessionId::NONE {
            for command in part.iter() {
                let command = command.expect("the leader checked the part before proposing it");
                outcomes.push(commands::apply(&mut change, &command));
            }
            return PartOutcome::Applied(outcomes);
        }
        match sessions.admit(part, *last_stamp) {
            Admission::Gap { expected } => PartOutcome::Gap { expected },
            Admission::Unknown => PartOutcome::SessionUnknown,
            Admission::Take { remembered, session } => {
                let repeated = remembered.len();
                outcomes.extend(remembered);
                if repeated < part.count as usize {
                    for command in part.iter().skip(repeated) {
                        let command = command.expect("the leader checked the part before proposing it");
                        let outcome = commands::apply(&mut change, &command);
                        session.remember(outcome.clone());
                        outcomes.push(outcome);
                    }
                }
                PartOutcome::Applied(outcomes)
            }
        }
    }

    /// Answers a query. Keys expired by `now`, or by the last stamp if that is later, are missing.
    pub fn query(&self, now: UnixMillis, query: &Query) -> Outcome {
        queries::answer(&self.view(now), query)
    }

    /// Whether a blocked read would be served now.
    pub fn readiness(&self, now: UnixMillis, condition: &WaitCondition) -> Readiness {
        let view = self.view(now);
        let available = |key: &StreamKey, after: EntryId| {
            view.get(key).map_or(0, |stream| stream.entries.count_after(after, AVAILABLE_COUNTED_MAX))
        };
        let (available, refused) = match condition {
            WaitCondition::Entries { key, after } => (available(key, *after), false),
            WaitCondition::Group { key, group } => {
                match view.get(key).and_then(|stream| stream.group(group)) {
                    Some(group) => (available(key, group.last_id), false),
                    None => (0, true),
                }
            }
            WaitCondition::Claim { key, group, min_idle_ms } => {
                match view.get(key).and_then(|stream| Some((stream, stream.group(group)?))) {
                    Some((stream, group)) => {
                        let claimable = claimable(stream, group, *min_idle_ms, view.now);
                        (available(key, group.last_id) + claimable, false)
                    }
                    None => (0, true),
                }
            }
        };
        if available > 0 || refused { Readiness::Ready { available } } else { Readiness::Wait }
    }

    /// When [`Self::readiness`] is worth asking again although no effect told so: the passing of time alone
    /// makes pending entries claimable. `None` if time changes nothing. Nothing that a later batch may do
    /// without an effect makes the wait end before that instant; if nothing is ready then, ask this again.
    pub fn look_again_at(&self, now: UnixMillis, condition: &WaitCondition) -> Option<UnixMillis> {
        let WaitCondition::Claim { key, group, min_idle_ms } = condition else { return None };
        let view = self.view(now);
        let stream = view.get(key)?;
        let group = stream.group(group)?;
        let oldest = group.pending.by_turn().find(|(id, _)| stream.entries.contains(*id));
        let from = oldest.map_or(view.now, |(_, record)| record.delivery_time.min(view.now));
        let soonest = view.now.get().saturating_add(CLAIM_LOOK_MS_MIN);
        Some(UnixMillis::new(from.get().saturating_add(*min_idle_ms).max(soonest)))
    }

    /// The greatest stamp applied.
    pub fn last_stamp(&self) -> UnixMillis {
        self.last_stamp
    }

    /// When the next key expires. Once the clock is past it the leader proposes an (empty) batch, so that
    /// waiters of the key learn of it.
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        self.keyspace.next_deadline()
    }

    /// The replicated settings.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Keys of all databases, expired ones not yet removed included.
    pub fn key_count(&self) -> usize {
        self.keyspace.len()
    }

    /// About how much memory the state takes. Walks all blocks: for metrics, not for every command.
    pub fn memory_bytes(&self) -> usize {
        self.keyspace.memory_bytes() + self.sessions.memory_bytes()
    }

    fn view(&self, now: UnixMillis) -> View<'_> {
        View {
            keyspace: &self.keyspace,
            settings: &self.settings,
            now: now.max(self.last_stamp),
            asked_by: AskedBy::Client,
        }
    }
}

/// How many entries could be claimed; counting stops at a bound.
fn claimable(stream: &Stream, group: &Group, min_idle_ms: u64, now: UnixMillis) -> u64 {
    let idle = group.pending.by_turn().take_while(|(_, record)| record.is_idle_for(min_idle_ms, now));
    let there = idle.filter(|(id, _)| stream.entries.contains(*id));
    there.take(CLAIMABLE_COUNTED_MAX).count() as u64
}
