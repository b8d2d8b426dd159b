//! Sessions: a router's commands, each applied once however often they arrive.
//!
//! A session takes commands in the order of their numbers and remembers each outcome until the router says
//! that it holds it. What arrives again is answered from memory; what arrives too early is sent back
//! ([`Admission::Gap`]). A session that sent nothing for [`SESSION_IDLE_MS_MAX`] of stamped time is
//! forgotten; its router learns so ([`Admission::Unknown`]) and must not repeat blindly.

use std::collections::{BTreeMap, VecDeque};

use rivermark_types::limits::SESSION_IDLE_MS_MAX;
use rivermark_types::{SessionId, UnixMillis};

use crate::batch::Part;
use crate::outcome::Outcome;

/// The state of one session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The number of the next command to apply.
    pub next: u64,
    /// Outcomes of the commands just before `next`, oldest first, not yet acknowledged.
    pub outcomes: VecDeque<Outcome>,
    /// Stamp of the last part.
    pub last_seen: UnixMillis,
}

/// All sessions of the shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
}

/// What is to be done with a part.
pub(crate) enum Admission<'a> {
    /// Its first commands were applied before; here are their outcomes. The rest is to be applied.
    Take {
        /// At most as many as the part has commands.
        remembered: Vec<Outcome>,
        /// Where the outcomes of the rest go.
        session: &'a mut Session,
    },
    /// Commands before it are missing.
    Gap {
        /// The number expected next.
        expected: u64,
    },
    /// There is no such session, or the part repeats what the router has acknowledged.
    Unknown,
}

impl Session {
    fn first_remembered(&self) -> u64 {
        self.next - self.outcomes.len() as u64
    }

    fn forget_below(&mut self, sequence: u64) {
        while self.first_remembered() < sequence && self.outcomes.pop_front().is_some() {}
    }

    /// Takes the outcome of the command `next`.
    pub fn remember(&mut self, outcome: Outcome) {
        self.outcomes.push_back(outcome);
        self.next += 1;
    }
}

impl Sessions {
    /// Decides on a part of a session other than [`SessionId::NONE`].
    pub fn admit(&mut self, part: &Part, stamp: UnixMillis) -> Admission<'_> {
        if part.first_sequence == 1 {
            self.by_id.entry(part.session).or_insert_with(|| Session {
                next: 1,
                outcomes: VecDeque::new(),
                last_seen: stamp,
            });
        }
        let Some(session) = self.by_id.get_mut(&part.session) else { return Admission::Unknown };
        session.last_seen = stamp;
        session.forget_below(part.acknowledged_below);
        if part.first_sequence > session.next {
            return Admission::Gap { expected: session.next };
        }
        let repeated = (session.next - part.first_sequence).min(u64::from(part.count)) as usize;
        if repeated == 0 {
            return Admission::Take { remembered: Vec::new(), session };
        }
        match part.first_sequence.checked_sub(session.first_remembered()) {
            None => Admission::Unknown,
            Some(skipped) => {
                let remembered = session.outcomes.iter().skip(skipped as usize).take(repeated);
                Admission::Take { remembered: remembered.cloned().collect(), session }
            }
        }
    }

    /// Drops sessions idle for too long.
    pub fn forget_idle(&mut self, stamp: UnixMillis) {
        self.by_id.retain(|_, session| stamp.since_ms(session.last_seen) <= SESSION_IDLE_MS_MAX);
    }

    /// In order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.by_id.iter().map(|(id, session)| (*id, session))
    }

    /// Adds a session as a snapshot holds it; false if it is there already.
    pub fn restore(&mut self, id: SessionId, session: Session) -> bool {
        self.by_id.insert(id, session).is_none()
    }

    pub fn memory_bytes(&self) -> usize {
        let outcomes: usize = self.by_id.values().map(|session| session.outcomes.capacity()).sum();
        outcomes * size_of::<Outcome>() + self.by_id.len() * size_of::<Session>()
    }
}
