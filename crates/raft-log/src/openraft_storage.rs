//! The consensus engine's storage traits on a [`ShardLog`].
//!
//! Appends, votes, truncations and purges all enter the log's one queue, so their order on disk is the
//! order of the calls, as the engine requires. Entries are readable when `append` returns and its
//! callback fires from the writer once they are durable; only `save_vote` waits. Truncations and purges
//! need no waiting: nothing that depends on them can become durable before them.

use std::fmt::Debug;
use std::io;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds, RangeInclusive};

use openraft::alias::{CommittedLeaderIdOf, LogIdOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::vote::{RaftLeaderId, RaftVote, leader_id_adv, leader_id_std};
use openraft::{OptionalSend, RaftLogReader, RaftTypeConfig};
use rivermark_types::{LogIndex, NodeId, Term};

use crate::entry::{EncodedPayload, LeaderId, LogEntry, LogId, StoredEntry, Vote};
use crate::shard_log::{OnDurable, ShardLog};

/// Payload bytes after which a limited read stops.
const LIMITED_READ_BYTES: usize = 1024 * 1024;

/// How entries of the consensus engine become bytes. Ids are stored apart: only payloads are encoded.
pub trait EntryCodec<C: RaftTypeConfig>: Send + Sync + 'static {
    /// The payload's encoding, in parts, so that large bytes are shared rather than copied.
    fn encode(entry: &C::Entry) -> Vec<bytes::Bytes>;

    /// The entry with this id and payload.
    ///
    /// # Errors
    /// The payload is not one this build understands.
    fn decode(id: LogIdOf<C>, payload: EncodedPayload) -> io::Result<C::Entry>;
}

/// What a committed leader id consists of: term, and node if it says.
pub trait CommittedLeader {
    /// The term and the node, zero if the id holds only a term.
    fn term_and_node(&self) -> (u64, u64);
}

impl CommittedLeader for leader_id_adv::LeaderId<u64, u64> {
    fn term_and_node(&self) -> (u64, u64) {
        (self.term, self.node_id)
    }
}

impl CommittedLeader for leader_id_std::CommittedLeaderId<u64> {
    fn term_and_node(&self) -> (u64, u64) {
        (self.term, 0)
    }
}

/// One shard's storage as the consensus engine sees it. Also its own log reader.
#[derive(Debug)]
pub struct LogStorage<C, K> {
    log: ShardLog,
    types: PhantomData<fn() -> (C, K)>,
}

impl<C, K> Clone for LogStorage<C, K> {
    fn clone(&self) -> Self {
        Self::new(self.log.clone())
    }
}

impl<C, K> LogStorage<C, K> {
    /// The storage over a shard's log.
    pub fn new(log: ShardLog) -> Self {
        Self { log, types: PhantomData }
    }

    /// The log beneath.
    pub fn log(&self) -> &ShardLog {
        &self.log
    }
}

fn from_engine<C>(id: &LogIdOf<C>) -> LogId
where
    C: RaftTypeConfig,
    CommittedLeaderIdOf<C>: CommittedLeader,
{
    let (term, node) = id.leader_id.term_and_node();
    let leader = LeaderId { term: Term::new(term), node: NodeId::new(node) };
    LogId { leader, index: LogIndex::new(id.index) }
}

fn to_engine<C>(id: LogId) -> LogIdOf<C>
where
    C: RaftTypeConfig<Term = u64, NodeId = u64>,
{
    let leader = C::LeaderId::new(id.leader.term.get(), id.leader.node.get());
    openraft::LogId { leader_id: leader.to_committed(), index: id.index.get() }
}

fn bounds(range: impl RangeBounds<u64>) -> std::ops::Range<LogIndex> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    LogIndex::new(start)..LogIndex::new(end)
}

impl<C, K> LogStorage<C, K>
where
    C: RaftTypeConfig<Term = u64, NodeId = u64>,
    K: EntryCodec<C>,
{
    fn read(&self, range: impl RangeBounds<u64>, bytes_max: usize) -> io::Result<Vec<C::Entry>> {
        let decode = |stored: StoredEntry| K::decode(to_engine::<C>(stored.id), stored.payload);
        self.log.read(bounds(range), bytes_max)?.into_iter().map(decode).collect()
    }
}

impl<C, K> RaftLogReader<C> for LogStorage<C, K>
where
    C: RaftTypeConfig<Term = u64, NodeId = u64>,
    K: EntryCodec<C>,
{
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<C::Entry>, io::Error> {
        self.read(range, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf<C>>, io::Error> {
        let vote = self.log.vote()?;
        Ok(vote.map(|vote| {
            let leader = C::LeaderId::new(vote.leader.term.get(), vote.leader.node.get());
            C::Vote::from_leader_id(leader, vote.committed)
        }))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<C::Entry>, io::Error> {
        self.read(start..end, LIMITED_READ_BYTES)
    }

    async fn get_key_log_ids(
        &mut self,
        range: RangeInclusive<LogIdOf<C>>,
    ) -> Result<Vec<LogIdOf<C>>, io::Error> {
        // As the engine's own search: the last entry of each leader, the ends of the range standing in
        // for what lies beyond; the start may be purged and known by its id alone.
        let (first, last) = range.into_inner();
        let ends = self.log.leader_ends()?;
        let mut ids: Vec<LogIdOf<C>> = Vec::new();
        if let Some(next) = self.log.id_at(LogIndex::new(first.index + 1))?
            && first.index < last.index
            && to_engine::<C>(next).leader_id != first.leader_id
        {
            ids.push(first.clone());
        }
        let inside = |id: &LogId| id.index.get() > first.index && id.index.get() < last.index;
        ids.extend(ends.into_iter().filter(inside).map(to_engine::<C>));
        ids.push(last);
        Ok(ids)
    }
}

impl<C, K> RaftLogStorage<C> for LogStorage<C, K>
where
    C: RaftTypeConfig<Term = u64, NodeId = u64>,
    CommittedLeaderIdOf<C>: CommittedLeader,
    K: EntryCodec<C>,
{
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<C>, io::Error> {
        let state = self.log.state()?;
        Ok(LogState {
            last_purged_log_id: state.purged.map(to_engine::<C>),
            last_log_id: state.last.map(to_engine::<C>),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<C>) -> Result<(), io::Error> {
        let leader = vote.leader_id();
        let leader = LeaderId { term: Term::new(leader.term()), node: NodeId::new(*leader.node_id()) };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let on_durable = OnDurable::call(move |result| {
            // The engine may have gone away meanwhile.
            let _ = sender.send(result);
        });
        self.log.save_vote(Vote { leader, committed: vote.is_committed() }, on_durable)?;
        let stopped = |_| io::Error::other("the raft log's writer stopped before the vote was durable");
        Ok(receiver.await.map_err(stopped)??)
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<C>>) -> Result<(), io::Error> {
        Ok(self.log.save_committed(committed.as_ref().map(from_engine::<C>))?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogIdOf<C>>, io::Error> {
        Ok(self.log.committed()?.map(to_engine::<C>))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries
            .into_iter()
            .map(|entry| {
                let (leader, index) = entry.log_id_parts();
                let id = openraft::LogId { leader_id: leader.clone(), index };
                LogEntry { id: from_engine::<C>(&id), payload: K::encode(&entry).into() }
            })
            .collect();
        let on_durable =
            OnDurable::call(move |result| callback.io_completed(result.map_err(io::Error::from)));
        Ok(self.log.append(entries, on_durable)?)
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogIdOf<C>>) -> Result<(), io::Error> {
        let last_kept = last_log_id.map(|id| LogIndex::new(id.index));
        Ok(self.log.truncate_after(last_kept, OnDurable::ignore())?)
    }

    async fn purge(&mut self, log_id: LogIdOf<C>) -> Result<(), io::Error> {
        Ok(self.log.purge(from_engine::<C>(&log_id), OnDurable::ignore())?)
    }
}
