//! The unanswered parts of a session, in sequence order, and what to do about each answer. Pure: the
//! shell in `session` sends, sleeps and replies.
//!
//! Go-back-N: parts are sent in order, several at a time; when one is not applied, it and all after it are
//! sent again. Invariants:
//!
//! - A sequence number that was ever sent with its fate left in doubt belongs to that command for the rest
//!   of the session: the machine may still meet the old copy, and takes whichever comes first for the same.
//! - Numbers are given anew only in a new session, and only to commands no copy of which can be applied.
//! - `acknowledged_below` never passes a part whose callers wait.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rivermark_stream::Outcome;
use rivermark_stream::batch::{Part, PartOutcome};
use rivermark_types::SessionId;
use tokio::time::Instant;

use super::endpoint::{ProposeAnswer, Refusal};

/// One sending of one part. Never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt(u64);

/// Commands handed in together, answered together.
#[derive(Debug)]
pub(super) struct Submission<R> {
    pub(super) commands: Bytes,
    pub(super) count: u32,
    pub(super) caller: R,
    pub(super) since: Instant,
}

/// A caller and how many outcomes it is owed.
#[derive(Debug)]
pub(super) struct Caller<R> {
    pub(super) count: u32,
    pub(super) bytes: u64,
    pub(super) reply: R,
}

#[derive(Debug)]
struct Pending<R> {
    first_sequence: u64,
    count: u32,
    commands: Bytes,
    /// Empty once they were told that nobody knows; the part then only keeps its place in the sequence.
    callers: Vec<Caller<R>>,
    since: Instant,
    /// The sending that is under way.
    attempt: Option<Attempt>,
    /// An earlier sending may have been, or may yet be, applied.
    in_doubt: bool,
    sent_before: bool,
}

/// What an answer asks the shell to do.
#[derive(Debug)]
pub(super) enum Step<R> {
    /// Nothing: the attempt was given up before.
    Ignore,
    /// Tell the callers.
    Deliver(Vec<Caller<R>>, Vec<Outcome>),
    /// Send again, once a node is found that takes it.
    Retry(Refusal),
    /// The leader missed parts: send again to the same.
    Resend,
    /// The session is lost: [`Window::renew`].
    Renew,
}

#[derive(Debug)]
pub(super) struct Window<R> {
    session: SessionId,
    next_sequence: u64,
    parts: VecDeque<Pending<R>>,
    next_attempt: u64,
}

impl<R> Window<R> {
    pub(super) fn new(session: SessionId) -> Self {
        Self { session, next_sequence: 1, parts: VecDeque::new(), next_attempt: 1 }
    }

    /// Unanswered parts.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether the session has a part the machine may know.
    pub(super) fn is_begun(&self) -> bool {
        self.next_sequence > 1
    }

    /// Parts under way.
    pub(super) fn outstanding(&self) -> usize {
        self.parts.iter().filter(|part| part.attempt.is_some()).count()
    }

    /// When the oldest caller began to wait.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.parts.iter().find(|part| !part.callers.is_empty()).map(|part| part.since)
    }

    /// Numbers the submissions' commands as one part. None refreshes the session.
    pub(super) fn push(&mut self, submissions: Vec<Submission<R>>, now: Instant) {
        let since = submissions.first().map_or(now, |first| first.since);
        let count = submissions.iter().map(|submission| submission.count).sum();
        let commands = match submissions.as_slice() {
            [only] => only.commands.clone(),
            several => {
                let bytes = several.iter().map(|submission| submission.commands.len()).sum();
                let mut joined = BytesMut::with_capacity(bytes);
                several.iter().for_each(|submission| joined.extend_from_slice(&submission.commands));
                joined.freeze()
            }
        };
        let callers = submissions.into_iter().map(|submission| Caller {
            count: submission.count,
            bytes: submission.commands.len() as u64,
            reply: submission.caller,
        });
        self.parts.push_back(Pending {
            first_sequence: self.next_sequence,
            count,
            commands,
            callers: callers.collect(),
            since,
            attempt: None,
            in_doubt: false,
            sent_before: false,
        });
        self.next_sequence += u64::from(count);
    }

    /// The next part to send, unless so many are under way, and whether it was sent before.
    pub(super) fn send_next(&mut self, outstanding_max: usize) -> Option<(Attempt, Part, bool)> {
        if self.outstanding() >= outstanding_max {
            return None;
        }
        let acknowledged_below = self.parts.front().map_or(self.next_sequence, |part| part.first_sequence);
        let part = self.parts.iter_mut().find(|part| part.attempt.is_none())?;
        let attempt = Attempt(self.next_attempt);
        self.next_attempt += 1;
        part.attempt = Some(attempt);
        let again = std::mem::replace(&mut part.sent_before, true);
        let encoded = Part {
            session: self.session,
            first_sequence: part.first_sequence,
            acknowledged_below,
            count: part.count,
            commands: part.commands.clone(),
        };
        Some((attempt, encoded, again))
    }

    /// Takes the answer to an attempt.
    pub(super) fn answered(&mut self, attempt: Attempt, answer: ProposeAnswer) -> Step<R> {
        let Some(at) = self.parts.iter().position(|part| part.attempt == Some(attempt)) else {
            return Step::Ignore;
        };
        match answer {
            Ok(PartOutcome::Applied(outcomes)) if outcomes.len() == self.parts[at].count as usize => {
                let part = self.parts.remove(at).expect("position found it");
                Step::Deliver(part.callers, outcomes)
            }
            // No machine answers so; the part was applied, and asking again is safe.
            Ok(PartOutcome::Applied(_)) => {
                self.give_up_from(at);
                Step::Retry(Refusal::OutcomeUnknown)
            }
            Ok(PartOutcome::Gap { expected }) => self.missed(at, expected),
            Ok(PartOutcome::SessionUnknown) if at == 0 => {
                self.parts[at].attempt = None;
                Step::Renew
            }
            // The part that begins the session is still on its way, or to be sent again.
            Ok(PartOutcome::SessionUnknown) => self.missed(at, self.parts[0].first_sequence),
            Err(refusal) => {
                self.parts[at].attempt = None;
                self.parts[at].in_doubt |= refusal.leaves_doubt();
                self.give_up_from(at + 1);
                Step::Retry(refusal)
            }
        }
    }

    /// The part at `at` was refused because `expected` was missing before it.
    fn missed(&mut self, at: usize, expected: u64) -> Step<R> {
        if expected < self.parts[0].first_sequence {
            self.parts[at].attempt = None;
            return Step::Renew;
        }
        self.parts[at].attempt = None;
        // What was sent before the part at `at` and holds `expected` was refused or is lost, unless it was
        // sent to another node in the meantime: then the machine has two copies to choose from.
        let from = self.parts.iter().position(|part| part.first_sequence + u64::from(part.count) > expected);
        self.give_up_from(from.unwrap_or(at).min(at));
        Step::Resend
    }

    /// No longer waits for what is under way.
    pub(super) fn give_up(&mut self) {
        self.give_up_from(0);
    }

    fn give_up_from(&mut self, at: usize) {
        for part in self.parts.range_mut(at.min(self.parts.len())..) {
            part.in_doubt |= part.attempt.take().is_some();
        }
    }

    /// Goes on under a new session because the machine does not know this one. Answers the callers of
    /// commands that may have been applied under the old one; the others keep their order.
    ///
    /// What is under way in the old session is lost with it: the machine takes nothing of a session it
    /// does not know but its first command, and that one is not under way.
    pub(super) fn renew(&mut self, session: SessionId) -> Vec<Caller<R>> {
        let mut unknown = Vec::new();
        for mut part in std::mem::take(&mut self.parts) {
            if part.in_doubt {
                unknown.append(&mut part.callers);
            } else if !part.callers.is_empty() {
                self.parts.push_back(part);
            }
        }
        self.renumber(session);
        unknown
    }

    /// Answers the callers of parts that wait since `limit` or longer: first those whose commands were
    /// certainly not applied, then those of whose nobody knows. `new_session` is taken if the session has
    /// to end.
    pub(super) fn expire(
        &mut self,
        limit: Instant,
        new_session: impl FnOnce() -> SessionId,
    ) -> (Vec<Caller<R>>, Vec<Caller<R>>) {
        let (mut not_applied, mut unknown) = (Vec::new(), Vec::new());
        let expired =
            self.parts.iter().take_while(|part| part.callers.is_empty() || part.since <= limit).count();
        // A later part in doubt needs the numbers before it: they stay bound to their commands.
        let later_needs = self.parts.range(expired..).any(Pending::may_be_applied);
        for part in self.parts.range_mut(..expired) {
            let certain = !later_needs && !part.may_be_applied();
            let told = if certain { &mut not_applied } else { &mut unknown };
            told.append(&mut part.callers);
        }
        if expired > 0 && !later_needs {
            self.parts.drain(..expired);
            self.renumber(new_session());
        }
        (not_applied, unknown)
    }

    /// All callers left, when the client ends: first those whose commands were certainly not applied.
    pub(super) fn close(&mut self) -> (Vec<Caller<R>>, Vec<Caller<R>>) {
        let (unknown, not_applied): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parts).into_iter().partition(Pending::may_be_applied);
        let callers = |parts: Vec<Pending<R>>| parts.into_iter().flat_map(|part| part.callers).collect();
        (callers(not_applied), callers(unknown))
    }

    fn renumber(&mut self, session: SessionId) {
        self.session = session;
        self.next_sequence = 1;
        for part in &mut self.parts {
            part.first_sequence = self.next_sequence;
            part.attempt = None;
            self.next_sequence += u64::from(part.count);
        }
    }
}

impl<R> Pending<R> {
    fn may_be_applied(&self) -> bool {
        self.in_doubt || self.attempt.is_some()
    }
}
