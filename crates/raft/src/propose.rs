//! The write path: parts wait in a queue, the proposer turns everything that waits into one log entry,
//! and several such batches are on their way at once.
//!
//! Rules it keeps:
//! * The order of [`ProposeQueue::submit`] calls is the order in the log. The engine may refuse a batch
//!   while a later one, already on its way, is accepted (its lease lapsed for a moment); the refused
//!   one is then given back as certainly not applied instead of being moved behind the later one.
//! * A batch carries the leader's stamp, never below one it or the machine has seen.
//! * There is no linger: while batches are on their way the next one fills by itself.
//! * Everyone who submitted is answered exactly once: with an outcome, with a refusal that guarantees the
//!   part was not applied, or with `OutcomeUnknown`. When leadership is lost, what is on its way is
//!   answered `OutcomeUnknown` at once, so that routers turn to the new leader without waiting for
//!   this node to learn the fate of its entries; sessions make the retry harmless.
//! * A new leader may not propose until a quorum answered it. The engine says so with "lease expired";
//!   the proposer then tries again for a bounded time, one batch on its way until the first succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::errors::{ClientWriteError, ForwardReason};
use rivermark_stream::BatchBuilder;
use rivermark_types::ShardId;
use rivermark_types::limits::BATCHES_IN_FLIGHT_MAX;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::ProposeError;
use crate::leadership::Leadership;
use crate::propose_queue::{ProposeQueue, answer_all};
use crate::replica::Stamps;
use crate::type_config::{ClientWriteResult, Completion, Payload, Raft, TypeConfig};

/// Between attempts of a leader that may not propose yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// How often the machine's next deadline is looked at.
const DEADLINE_INTERVAL: Duration = Duration::from_millis(100);

/// Turns what waits into log entries, while this node leads.
pub(crate) struct Proposer {
    pub(crate) shard: ShardId,
    pub(crate) raft: Raft,
    pub(crate) queue: Arc<ProposeQueue>,
    pub(crate) stamps: Arc<Stamps>,
    pub(crate) leadership: watch::Receiver<Leadership>,
    /// How long a leader that may not propose tries again.
    pub(crate) retry_max: Duration,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) progress: Progress,
}

/// Where the proposer stands.
#[derive(Default)]
pub(crate) struct Progress {
    next_number: u64,
    /// Whether a batch succeeded since the last refusal or change of leadership.
    is_steady: bool,
    /// Since when batches are refused, and when to try again.
    retrying: Option<(Instant, Instant)>,
    /// The batch that makes the machine's deadlines pass is on its way.
    tick: Arc<AtomicBool>,
}

enum Wake {
    Work,
    Deadlines,
    Leadership,
}

impl Proposer {
    /// Runs until the replica stops.
    pub(crate) async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut deadlines = tokio::time::interval(DEADLINE_INTERVAL);
        deadlines.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let retry_at = self.progress.retrying.map(|(_, at)| at);
            let wake = tokio::select! {
                _ = queue.wake.notified() => Wake::Work,
                _ = deadlines.tick() => Wake::Deadlines,
                changed = self.leadership.changed() => if changed.is_ok() { Wake::Leadership } else { break },
                _ = sleep_until(retry_at) => Wake::Work,
                _ = self.stopping.wait_for(|stopping| *stopping) => break,
            };
            match wake {
                Wake::Work => {}
                Wake::Deadlines => self.propose_tick().await,
                Wake::Leadership => self.leadership_changed(),
            }
            self.settle_refusals();
            if self.propose_waiting().await.is_err() {
                break;
            }
        }
        queue.stop();
    }

    fn leadership_changed(&mut self) {
        let leadership = *self.leadership.borrow_and_update();
        self.progress.is_steady = false;
        self.progress.retrying = None;
        if !leadership.is_local_leader {
            self.queue.abandon(&ProposeError::NotLeader { leader: leadership.leader });
        }
    }

    async fn propose_waiting(&mut self) -> Result<(), ProposeError> {
        loop {
            if self.progress.retrying.is_some_and(|(_, at)| at > Instant::now()) {
                return Ok(());
            }
            let in_flight_max = if self.progress.is_steady { BATCHES_IN_FLIGHT_MAX } else { 1 };
            {
                let mut state = self.queue.state.lock();
                if std::mem::take(&mut state.succeeded) && state.refused.is_empty() {
                    self.progress.is_steady = true;
                    self.progress.retrying = None;
                }
                if !state.refused.is_empty() || state.in_flight.len() >= in_flight_max {
                    return Ok(());
                }
            }
            let number = self.progress.next_number;
            let Some(parts) = self.queue.take_batch(number) else { return Ok(()) };
            self.progress.next_number += 1;
            let mut builder = BatchBuilder::new(self.stamps.next());
            parts.iter().for_each(|part| builder.push_encoded_part(&part.bytes));
            let completion = BatchCompletion {
                queue: Arc::clone(&self.queue),
                number: Some(number),
                proposed: Instant::now(),
            };
            let completion = Completion::new(move |result| completion.complete(result));
            let request = self.raft.write(Payload(builder.finish())).responder(completion);
            // The dropped completion answers everyone if the engine is gone.
            request.await.map_err(|_| ProposeError::ShuttingDown)?;
        }
    }

    /// Decides on refused batches once all batches are decided: proposed again in their order if none
    /// after them was accepted, else given back.
    fn settle_refusals(&mut self) {
        let mut state = self.queue.state.lock();
        if state.refused.is_empty() || !state.in_flight.is_empty() {
            return;
        }
        let now = Instant::now();
        let accepted_up_to = state.accepted_up_to;
        let refused = std::mem::take(&mut state.refused);
        let since = self.progress.retrying.map_or(now, |(since, _)| since);
        let (is_local_leader, known_leader) = {
            let leadership = self.leadership.borrow();
            (leadership.is_local_leader, leadership.leader)
        };
        let may_retry = is_local_leader
            && now.duration_since(since) < self.retry_max
            && refused.values().all(|refused| refused.reason == ForwardReason::LeaseExpired);
        self.progress.is_steady = false;
        let mut given_back = Vec::new();
        for (number, refused) in refused.into_iter().rev() {
            if may_retry && accepted_up_to.is_none_or(|accepted| number > accepted) {
                refused.batch.into_iter().rev().for_each(|waiting| state.push_front(waiting));
            } else {
                let leader = refused.leader.or(known_leader.filter(|_| may_retry));
                given_back.push((refused.batch, leader));
            }
        }
        drop(state);
        self.progress.retrying = may_retry.then_some((since, now + RETRY_INTERVAL));
        for (batch, leader) in given_back {
            answer_all(batch, &ProposeError::NotLeader { leader });
        }
    }

    /// Proposes an empty batch if a deadline of the machine has passed: its stamp makes it happen.
    async fn propose_tick(&mut self) {
        let is_due = self.leadership.borrow().is_local_leader && self.stamps.deadline_passed();
        if !is_due || self.progress.tick.swap(true, Ordering::AcqRel) {
            return;
        }
        let flag = ClearOnDrop(Arc::clone(&self.progress.tick));
        let completion = Completion::new(move |_| drop(flag));
        let batch = BatchBuilder::new(self.stamps.next()).finish();
        if self.raft.write(Payload(batch)).responder(completion).await.is_err() {
            tracing::debug!(shard = %self.shard, "the engine is gone");
        }
    }
}

struct ClearOnDrop(Arc<AtomicBool>);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Reports a batch's end, also if the engine drops it without a word.
struct BatchCompletion {
    queue: Arc<ProposeQueue>,
    number: Option<u64>,
    proposed: Instant,
}

impl BatchCompletion {
    fn complete(mut self, result: ClientWriteResult) {
        let number = self.number.take().expect("completed once");
        if result.is_ok() {
            self.queue.note_commit(self.proposed.elapsed());
        }
        self.queue.complete(number, result);
    }
}

impl Drop for BatchCompletion {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        // Not told whether it was appended.
        let batch = self.queue.state.lock().in_flight.remove(&number);
        answer_all(batch.unwrap_or_default(), &ProposeError::OutcomeUnknown);
        self.queue.wake.notify_one();
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Whether the engine, not this node's leadership, refused.
pub(crate) fn is_lease_expired(error: &ClientWriteError<TypeConfig>) -> bool {
    matches!(error, ClientWriteError::ForwardToLeader(forward) if forward.reason == ForwardReason::LeaseExpired)
}
