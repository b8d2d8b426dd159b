//! Where a shard's submissions wait for its session, and the bounds that hold callers back.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rivermark_stream::{Command, codec};
use rivermark_types::limits::{BATCH_BYTES_TARGET, BATCH_COMMANDS_MAX, COMMAND_BYTES_MAX};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::client::{ClientOptions, Replied, Reply, Submitted, Unavailable};
use super::counters::Counters;
use super::window::{Caller, Submission};

/// Filled by callers, emptied by the session's task.
pub(super) struct Intake {
    queue: Mutex<Queue>,
    /// The task has something to take.
    filled: Notify,
    /// Callers in [`Self::room`] may look again.
    drained: Notify,
    options: ClientOptions,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Queue {
    submissions: VecDeque<Submission<Reply>>,
    /// Unanswered, in flight included.
    commands: u64,
    /// Unanswered, in flight included.
    bytes: u64,
    closed: bool,
}

impl Intake {
    pub(super) fn new(options: ClientOptions, counters: Arc<Counters>) -> Self {
        Self { queue: Mutex::default(), filled: Notify::new(), drained: Notify::new(), options, counters }
    }

    /// Returns once the queue is below its bounds.
    pub(super) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }

    fn has_room(&self) -> bool {
        let queue = self.queue.lock();
        queue.bytes < self.options.queue_bytes_max && queue.commands < self.options.queue_commands_max
    }

    pub(super) fn submit(&self, commands: &[Command]) -> Submitted {
        self.counters.commands.add(commands.len() as u64);
        let Some(pieces) = encode_pieces(commands) else {
            return Submitted::failed(Unavailable::CommandTooLarge);
        };
        let since = Instant::now();
        let mut replies: Vec<Replied> = Vec::with_capacity(pieces.len());
        let mut queue = self.queue.lock();
        for (commands, count) in pieces {
            let (caller, replied) = oneshot::channel();
            replies.push(replied);
            self.counters.queued_commands.add(u64::from(count));
            self.counters.queued_bytes.add(commands.len() as u64);
            queue.commands += u64::from(count);
            queue.bytes += commands.len() as u64;
            queue.submissions.push_back(Submission { commands, count, caller, since });
        }
        drop(queue);
        self.filled.notify_one();
        let mut replies = replies.into_iter();
        match replies.next() {
            Some(first) => Submitted::queued(first, replies.collect()),
            None => Submitted::done(),
        }
    }

    /// Returns after each submission, or several, and after [`Self::close`].
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Ends the session that takes from here.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.filled.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// What waits, up to one part.
    pub(super) fn take_part(&self) -> Vec<Submission<Reply>> {
        let mut queue = self.queue.lock();
        let (mut bytes, mut commands, mut taken) = (0, 0, 0);
        for submission in &queue.submissions {
            bytes += submission.commands.len();
            commands += submission.count as usize;
            if taken > 0 && (bytes > BATCH_BYTES_TARGET || commands > BATCH_COMMANDS_MAX) {
                break;
            }
            taken += 1;
        }
        queue.submissions.drain(..taken).collect()
    }

    /// Submissions that wait since `limit` or longer.
    pub(super) fn take_expired(&self, limit: Instant) -> Vec<Caller<Reply>> {
        let mut queue = self.queue.lock();
        let expired = queue.submissions.iter().take_while(|submission| submission.since <= limit).count();
        queue.submissions.drain(..expired).map(Caller::from).collect()
    }

    /// Everything left.
    pub(super) fn take_all(&self) -> Vec<Caller<Reply>> {
        self.queue.lock().submissions.drain(..).map(Caller::from).collect()
    }

    /// These are answered now: they make room.
    pub(super) fn settle(&self, callers: &[Caller<Reply>]) {
        let commands = callers.iter().map(|caller| u64::from(caller.count)).sum::<u64>();
        let bytes = callers.iter().map(|caller| caller.bytes).sum::<u64>();
        self.counters.queued_commands.subtract(commands);
        self.counters.queued_bytes.subtract(bytes);
        let mut queue = self.queue.lock();
        queue.commands -= commands;
        queue.bytes -= bytes;
        drop(queue);
        self.drained.notify_waiters();
    }
}

impl From<Submission<Reply>> for Caller<Reply> {
    fn from(submission: Submission<Reply>) -> Self {
        Self { count: submission.count, bytes: submission.commands.len() as u64, reply: submission.caller }
    }
}

/// Encodes commands into pieces that fit a part each; `None` if a command is too large for any.
fn encode_pieces(commands: &[Command]) -> Option<Vec<(Bytes, u32)>> {
    let mut pieces = Vec::with_capacity(1);
    let (mut piece, mut count) = (Vec::new(), 0u32);
    for command in commands {
        let start = piece.len();
        codec::encode_command(command, &mut piece);
        if piece.len() - start > COMMAND_BYTES_MAX {
            return None;
        }
        count += 1;
        if count > 1 && piece.len() > BATCH_BYTES_TARGET {
            let last = piece.split_off(start);
            pieces.push((Bytes::from(piece), count - 1));
            (piece, count) = (last, 1);
        }
        if count as usize == BATCH_COMMANDS_MAX {
            pieces.push((Bytes::from(std::mem::take(&mut piece)), count));
            count = 0;
        }
    }
    if count > 0 {
        pieces.push((Bytes::from(piece), count));
    }
    Some(pieces)
}
