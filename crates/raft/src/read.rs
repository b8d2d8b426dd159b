//! Linearizable reads by ReadIndex: a quorum confirms that this node still leads, then the machine must
//! have applied everything committed before the read began. One round serves all reads that wait for
//! it; reads that arrive while rounds are under way form the next.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use parking_lot::Mutex;
use rivermark_types::NodeId;
use tokio::sync::{Notify, oneshot, watch};

use crate::apply::MachineCell;
use crate::error::ReadError;
use crate::leadership::Leadership;
use crate::type_config::Raft;

/// Rounds under way at once: a read need not wait for the end of the round before its own.
const ROUNDS_MAX: usize = 4;

type Reply = oneshot::Sender<Result<(), ReadError>>;

/// Reads that wait for the next round.
#[derive(Default)]
pub(crate) struct ReadQueue {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    replies: Vec<Reply>,
    stopped: bool,
}

impl ReadQueue {
    pub(crate) async fn barrier(&self, leadership: Leadership) -> Result<(), ReadError> {
        if !leadership.is_local_leader {
            return Err(ReadError::NotLeader { leader: leadership.leader });
        }
        let (reply, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            if waiting.stopped {
                return Err(ReadError::ShuttingDown);
            }
            waiting.replies.push(reply);
        }
        self.wake.notify_one();
        receiver.await.unwrap_or(Err(ReadError::ShuttingDown))
    }

    fn take(&self) -> Vec<Reply> {
        std::mem::take(&mut self.waiting.lock().replies)
    }
}

/// Runs the rounds.
pub(crate) struct Reader {
    pub(crate) raft: Raft,
    pub(crate) queue: Arc<ReadQueue>,
    pub(crate) cell: Arc<MachineCell>,
    /// How long a read waits for the machine once the quorum confirmed it.
    pub(crate) apply_wait_max: Duration,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Reader {
    /// Runs until the replica stops.
    pub(crate) async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut rounds = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = queue.wake.notified() => {}
                Some(()) = rounds.next() => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => break,
            }
            if rounds.len() >= ROUNDS_MAX {
                continue;
            }
            let replies = queue.take();
            if !replies.is_empty() {
                let (raft, cell) = (self.raft.clone(), Arc::clone(&self.cell));
                let apply_wait_max = self.apply_wait_max;
                rounds.push(async move {
                    let result = round(&raft, &cell, apply_wait_max).await;
                    // A receiver may be gone: a client that went away.
                    replies.into_iter().for_each(|reply| drop(reply.send(result.clone())));
                });
            }
        }
        queue.waiting.lock().stopped = true;
        queue.take().into_iter().for_each(|reply| drop(reply.send(Err(ReadError::ShuttingDown))));
    }
}

async fn round(raft: &Raft, cell: &MachineCell, apply_wait_max: Duration) -> Result<(), ReadError> {
    let linearizer = raft.get_read_linearizer(ReadPolicy::ReadIndex).await.map_err(|error| match error {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
            ReadError::NotLeader { leader: forward.leader_id.map(NodeId::new) }
        }
        RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => ReadError::Timeout,
        RaftError::Fatal(_) => ReadError::ShuttingDown,
    })?;
    let index = linearizer.read_log_id().index();
    let mut applied_next = cell.applied_next();
    let applied = applied_next.wait_for(|next| *next > index);
    match tokio::time::timeout(apply_wait_max, applied).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(ReadError::ShuttingDown),
        Err(_) => Err(ReadError::Timeout),
    }
}
