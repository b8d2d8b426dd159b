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

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader};
use parking_lot::Mutex;
use rivermark_stream::{BatchBuilder, Part, PartOutcome};
use rivermark_types::limits::{
    BATCH_BYTES_TARGET, BATCH_COMMANDS_MAX, BATCHES_IN_FLIGHT_MAX, PROPOSE_QUEUE_BYTES_MAX,
    PROPOSE_QUEUE_COMMANDS_MAX,
};
use rivermark_types::{NodeId, ShardId};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::error::ProposeError;
use crate::leadership::Leadership;
use crate::replica::Stamps;
use crate::type_config::{Applied, ClientWriteResult, Completion, Payload, Raft, TypeConfig};

/// Between attempts of a leader that may not propose yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// How often the machine's next deadline is looked at.
const DEADLINE_INTERVAL: Duration = Duration::from_millis(100);

/// A part as it goes into a batch. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct EncodedPart {
    /// [`Part::encode`]'s bytes. Whoever takes them from another process checks them first.
    pub bytes: bytes::Bytes,
    /// How many commands it holds.
    pub count: u32,
}

impl EncodedPart {
    /// Encodes a part.
    pub fn new(part: &Part) -> Self {
        let mut bytes = Vec::with_capacity(part.commands.len() + 32);
        part.encode(&mut bytes);
        Self { bytes: bytes.into(), count: part.count }
    }
}

type Reply = oneshot::Sender<Result<PartOutcome, ProposeError>>;

struct Waiting {
    part: EncodedPart,
    reply: Reply,
}

/// What waits, and what is on its way.
#[derive(Default)]
pub(crate) struct ProposeQueue {
    state: Mutex<QueueState>,
    wake: Notify,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    commands: usize,
    stopped: bool,
    /// By the number the proposer gave the batch.
    in_flight: BTreeMap<u64, Vec<Waiting>>,
    /// Refused batches whose later companions are not decided yet.
    refused: BTreeMap<u64, Refused>,
    /// The greatest number of a batch that was appended.
    accepted_up_to: Option<u64>,
    /// Whether a batch was applied since the proposer last looked.
    succeeded: bool,
}

struct Refused {
    batch: Vec<Waiting>,
    reason: ForwardReason,
    leader: Option<NodeId>,
}

impl ProposeQueue {
    /// Enqueues a part. Never waits.
    pub(crate) fn submit(
        &self,
        part: EncodedPart,
        leadership: Leadership,
    ) -> oneshot::Receiver<Result<PartOutcome, ProposeError>> {
        let (reply, receiver) = oneshot::channel();
        let refusal = {
            let mut state = self.state.lock();
            let full = state.bytes + part.bytes.len() > PROPOSE_QUEUE_BYTES_MAX
                || state.commands + part.count as usize > PROPOSE_QUEUE_COMMANDS_MAX;
            if state.stopped {
                Some(ProposeError::ShuttingDown)
            } else if !leadership.is_local_leader {
                Some(ProposeError::NotLeader { leader: leadership.leader })
            } else if full && !state.waiting.is_empty() {
                Some(ProposeError::Overloaded)
            } else {
                state.push_back(Waiting { part, reply });
                self.wake.notify_one();
                return receiver;
            }
        };
        if let Some(error) = refusal {
            // The receiver is still in our hands.
            let _ = reply.send(Err(error));
        }
        receiver
    }

    /// How much waits: parts' bytes, and batches on their way.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.bytes, state.in_flight.len())
    }

    /// Called with what became of a batch.
    fn complete(&self, number: u64, result: ClientWriteResult) {
        let mut state = self.state.lock();
        // Absent if leadership was lost meanwhile and everyone was answered.
        let Some(batch) = state.in_flight.remove(&number) else { return };
        match result {
            Ok(response) => {
                state.accepted_up_to = state.accepted_up_to.max(Some(number));
                state.succeeded = true;
                drop(state);
                answer(batch, response.data);
            }
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                let ForwardToLeader { leader_id, reason, .. } = forward;
                let leader = leader_id.map(NodeId::new);
                state.refused.insert(number, Refused { batch, reason, leader });
            }
            Err(_) => {
                state.accepted_up_to = state.accepted_up_to.max(Some(number));
                drop(state);
                answer_all(batch, &ProposeError::OutcomeUnknown);
            }
        }
        self.wake.notify_one();
    }

    /// Takes everything that waits, up to one batch's bounds.
    fn take_batch(&self, number: u64) -> Option<Vec<EncodedPart>> {
        let mut state = self.state.lock();
        let (mut batch, mut parts) = (Vec::new(), Vec::new());
        let (mut bytes, mut commands) = (0, 0);
        while let Some(next) = state.waiting.front() {
            let count = next.part.count as usize;
            let is_full = bytes >= BATCH_BYTES_TARGET || commands + count > BATCH_COMMANDS_MAX;
            if is_full && !batch.is_empty() {
                break;
            }
            let next = state.pop_front().expect("looked at above");
            bytes += next.part.bytes.len();
            commands += count;
            parts.push(next.part.clone());
            batch.push(next);
        }
        if parts.is_empty() {
            return None;
        }
        state.in_flight.insert(number, batch);
        Some(parts)
    }

    /// Answers everyone: what waits was not proposed, of what is on its way nothing is known.
    fn abandon(&self, error: &ProposeError) {
        let (waiting, in_flight, refused) = {
            let mut state = self.state.lock();
            (state.bytes, state.commands) = (0, 0);
            let refused = std::mem::take(&mut state.refused);
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.in_flight), refused)
        };
        refused.into_values().for_each(|refused| answer_all(refused.batch, error));
        in_flight.into_values().for_each(|batch| answer_all(batch, &ProposeError::OutcomeUnknown));
        answer_all(waiting.into(), error);
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.abandon(&ProposeError::ShuttingDown);
    }
}

impl QueueState {
    fn push_back(&mut self, waiting: Waiting) {
        self.bytes += waiting.part.bytes.len();
        self.commands += waiting.part.count as usize;
        self.waiting.push_back(waiting);
    }

    fn push_front(&mut self, waiting: Waiting) {
        self.bytes += waiting.part.bytes.len();
        self.commands += waiting.part.count as usize;
        self.waiting.push_front(waiting);
    }

    fn pop_front(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.part.bytes.len();
        self.commands -= waiting.part.count as usize;
        Some(waiting)
    }
}

/// Receivers may be gone: a client that went away.
fn answer(batch: Vec<Waiting>, applied: Applied) {
    let outcomes = match applied {
        Applied::Parts(outcomes) => outcomes,
        Applied::Nothing | Applied::Metadata(_) => unreachable!("a batch comes to parts' outcomes"),
    };
    assert_eq!(batch.len(), outcomes.len(), "the machine answers each part");
    for (waiting, outcome) in batch.into_iter().zip(outcomes) {
        let _ = waiting.reply.send(Ok(outcome));
    }
}

fn answer_all(batch: Vec<Waiting>, error: &ProposeError) {
    for waiting in batch {
        let _ = waiting.reply.send(Err(error.clone()));
    }
}

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
    tick: Arc<std::sync::atomic::AtomicBool>,
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
            let completion = BatchCompletion { queue: Arc::clone(&self.queue), number: Some(number) };
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
        use std::sync::atomic::Ordering;
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

struct ClearOnDrop(Arc<std::sync::atomic::AtomicBool>);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.store(false, std::sync::atomic::Ordering::Release);
    }
}

/// Reports a batch's end, also if the engine drops it without a word.
struct BatchCompletion {
    queue: Arc<ProposeQueue>,
    number: Option<u64>,
}

impl BatchCompletion {
    fn complete(mut self, result: ClientWriteResult) {
        let number = self.number.take().expect("completed once");
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
