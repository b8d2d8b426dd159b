//! What waits to be proposed and what is on its way: the shared half of the write path.
//!
//! Everyone who submitted is answered exactly once. A batch leaves `in_flight` with its outcome, with the
//! engine's refusal, or when leadership is lost, whichever comes first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader};
use parking_lot::Mutex;
use rivermark_stream::{Part, PartOutcome};
use rivermark_types::NodeId;
use rivermark_types::limits::{
    BATCH_BYTES_TARGET, BATCH_COMMANDS_MAX, PROPOSE_QUEUE_BYTES_MAX, PROPOSE_QUEUE_COMMANDS_MAX,
};
use tokio::sync::{Notify, oneshot};

use crate::error::ProposeError;
use crate::leadership::Leadership;
use crate::type_config::{Applied, ClientWriteResult};

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

pub(crate) struct Waiting {
    part: EncodedPart,
    reply: Reply,
}

/// What waits, and what is on its way.
#[derive(Default)]
pub(crate) struct ProposeQueue {
    pub(crate) state: Mutex<QueueState>,
    pub(crate) wake: Notify,
    /// Of the batches applied since someone last took it, in microseconds from proposal to outcome.
    longest_commit_us: AtomicU64,
}

#[derive(Default)]
pub(crate) struct QueueState {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    commands: usize,
    stopped: bool,
    /// By the number the proposer gave the batch.
    pub(crate) in_flight: BTreeMap<u64, Vec<Waiting>>,
    /// Refused batches whose later companions are not decided yet.
    pub(crate) refused: BTreeMap<u64, Refused>,
    /// The greatest number of a batch that was appended.
    pub(crate) accepted_up_to: Option<u64>,
    /// Whether a batch was applied since the proposer last looked.
    pub(crate) succeeded: bool,
}

pub(crate) struct Refused {
    pub(crate) batch: Vec<Waiting>,
    pub(crate) reason: ForwardReason,
    pub(crate) leader: Option<NodeId>,
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

    /// Notes how long an applied batch took from proposal to outcome.
    pub(crate) fn note_commit(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest_commit_us.fetch_max(us, Ordering::Relaxed);
    }

    /// The longest such time since the last call; zero if nothing was applied.
    pub(crate) fn take_longest_commit(&self) -> Duration {
        Duration::from_micros(self.longest_commit_us.swap(0, Ordering::Relaxed))
    }

    /// Called with what became of a batch.
    pub(crate) fn complete(&self, number: u64, result: ClientWriteResult) {
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
    pub(crate) fn take_batch(&self, number: u64) -> Option<Vec<EncodedPart>> {
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
    pub(crate) fn abandon(&self, error: &ProposeError) {
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

    pub(crate) fn stop(&self) {
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

    pub(crate) fn push_front(&mut self, waiting: Waiting) {
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

pub(crate) fn answer_all(batch: Vec<Waiting>, error: &ProposeError) {
    for waiting in batch {
        let _ = waiting.reply.send(Err(error.clone()));
    }
}
