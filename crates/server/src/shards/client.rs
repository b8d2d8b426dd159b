//! The router half: one client a shard, made when first needed.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::RwLock;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::ShardId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::counters::Counters;
use super::endpoint::WaitCondition;
use super::leader::{Directory, LeaderTracker};
use super::queries;
use super::session::{Session, SessionIds};
use super::waits::Wait;

/// A command or query could not be served in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No leader took it within [`ClientOptions::retry_ms_max`]. Certainly not applied.
    #[error("no leader of the shard could be reached in time; the command was not applied")]
    NoLeader,
    /// A leader may have taken it, and none told what became of it.
    #[error("the shard became unavailable while the command was under way; it may have been applied")]
    OutcomeUnknown,
    /// The command is larger than `COMMAND_BYTES_MAX`. Not applied.
    #[error("the command is larger than the greatest size of a log entry")]
    CommandTooLarge,
}

/// How patient the router half is and how much it holds.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// How long a command or query may wait for a leader.
    pub retry_ms_max: u64,
    /// Unanswered bytes of a shard at which [`ShardClients::room`] holds callers back.
    pub queue_bytes_max: u64,
    /// Unanswered commands of a shard at which [`ShardClients::room`] holds callers back.
    pub queue_commands_max: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { retry_ms_max: 15_000, queue_bytes_max: 64 << 20, queue_commands_max: 256 << 10 }
    }
}

/// The clients of all shards. Cheap to share; one a node.
pub struct ShardClients {
    directory: Arc<Directory>,
    session_seed: u64,
    options: ClientOptions,
    counters: Arc<Counters>,
    shards: RwLock<BTreeMap<ShardId, Arc<ShardClient>>>,
}

struct ShardClient {
    tracker: Arc<LeaderTracker>,
    session: Session,
}

impl ShardClients {
    /// Clients that find leaders in `directory`. `session_seed` must never have been used before by any
    /// node of the cluster; the numbers that follow it belong to this node too. Each shard counts its
    /// sessions from there.
    pub fn new(
        directory: Directory,
        session_seed: u64,
        options: ClientOptions,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            directory: Arc::new(directory),
            session_seed,
            options,
            counters,
            shards: RwLock::default(),
        })
    }

    /// Waits until the shard's queue has room. Callers await this before each [`Self::submit`]; it returns
    /// at once unless the shard falls behind. The bounds may be overshot by one submission a caller.
    pub async fn room(&self, shard: ShardId) {
        self.client(shard).session.room().await;
    }

    /// Submits commands to a shard, to be applied in this order, after everything submitted to it before,
    /// each exactly once. They are queued within the call; the future only awaits their outcomes, one a
    /// command, and may be dropped without taking the commands back. They are not atomic: others may come
    /// between them.
    pub fn submit(&self, shard: ShardId, commands: Vec<Command>) -> Submitted {
        self.client(shard).session.submit(&commands)
    }

    /// Answers queries, all from one linearizable state of the shard that includes every command answered
    /// before the call.
    pub fn query(
        &self,
        shard: ShardId,
        queries: Vec<Query>,
    ) -> impl Future<Output = Result<Vec<Outcome>, Unavailable>> + Send + use<> {
        let client = self.client(shard);
        queries::query(Arc::clone(&client.tracker), queries.into(), self.options, Arc::clone(&self.counters))
    }

    /// Begins to wait for any of the conditions. Several of one shard are allowed. Dropping the [`Wait`]
    /// ends it everywhere. Without a deadline it waits for ever.
    pub fn wait(&self, conditions: Vec<(ShardId, WaitCondition)>, deadline: Option<Instant>) -> Wait {
        let parked = conditions
            .into_iter()
            .map(|(shard, condition)| (Arc::clone(&self.client(shard).tracker), condition));
        Wait::new(parked.collect(), deadline, Arc::clone(&self.counters))
    }

    /// What this half counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn client(&self, shard: ShardId) -> Arc<ShardClient> {
        if let Some(client) = self.shards.read().get(&shard) {
            return Arc::clone(client);
        }
        let mut shards = self.shards.write();
        let client = shards.entry(shard).or_insert_with(|| {
            let tracker =
                Arc::new(LeaderTracker::new(shard, Arc::clone(&self.directory), Arc::clone(&self.counters)));
            let session = Session::start(
                Arc::clone(&tracker),
                SessionIds::new(self.session_seed),
                self.options,
                Arc::clone(&self.counters),
            );
            Arc::new(ShardClient { tracker, session })
        });
        Arc::clone(client)
    }
}

impl ClientOptions {
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.retry_ms_max)
    }
}

/// The outcomes of submitted commands, on their way.
#[must_use = "without it the outcomes are lost"]
pub struct Submitted {
    state: Pieces,
    outcomes: Vec<Outcome>,
}

pub(super) type Reply = oneshot::Sender<Result<Vec<Outcome>, Unavailable>>;
pub(super) type Replied = oneshot::Receiver<Result<Vec<Outcome>, Unavailable>>;

enum Pieces {
    /// In submission order; the first is awaited.
    Queued {
        first: Replied,
        rest: std::vec::IntoIter<Replied>,
    },
    Failed(Unavailable),
    Done,
}

impl Submitted {
    pub(super) fn queued(first: Replied, rest: Vec<Replied>) -> Self {
        Self { state: Pieces::Queued { first, rest: rest.into_iter() }, outcomes: Vec::new() }
    }

    pub(super) fn done() -> Self {
        Self { state: Pieces::Done, outcomes: Vec::new() }
    }

    pub(super) fn failed(error: Unavailable) -> Self {
        Self { state: Pieces::Failed(error), outcomes: Vec::new() }
    }
}

impl Future for Submitted {
    type Output = Result<Vec<Outcome>, Unavailable>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            let (first, rest) = match &mut this.state {
                Pieces::Queued { first, rest } => (first, rest),
                Pieces::Failed(error) => return Poll::Ready(Err(*error)),
                Pieces::Done => return Poll::Ready(Ok(Vec::new())),
            };
            // A client that ended without an answer may have sent the command.
            let answer = ready!(Pin::new(&mut *first).poll(context));
            let outcomes = answer.unwrap_or(Err(Unavailable::OutcomeUnknown))?;
            if this.outcomes.is_empty() {
                this.outcomes = outcomes;
            } else {
                this.outcomes.extend(outcomes);
            }
            match rest.next() {
                Some(next) => *first = next,
                None => return Poll::Ready(Ok(std::mem::take(&mut this.outcomes))),
            }
        }
    }
}
