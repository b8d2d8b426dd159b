//! Comparing the replicas of a shard while they serve.
//!
//! Two replicas can only be compared at the same place of the log. So every replica is told to watch;
//! then the leader proposes an entry that asks for nothing, the checkpoint; whoever watches takes an
//! image of its machine exactly there, which copies nothing; and each is asked for the digest of its
//! image, computed beside the apply path. Replicas that applied the same log give the same digest.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::join_all;
use openraft::errors::{ClientWriteError, RaftError};
use parking_lot::Mutex;
use rivermark_cluster::Command;
use rivermark_stream::BatchBuilder;
use rivermark_types::{LogIndex, NodeId, ShardId};
use rivermark_wire::raft as wire;
use rivermark_wire::raft::checkpoint_request::{Propose, Read, Step, Watch};
use rivermark_wire::raft::checkpoint_response::{Result as Answer, Watching};
use rivermark_wire::raft::raft_client::RaftClient;
use tokio::time::Instant;

use crate::machine::Image;
use crate::replica::Replica;
use crate::shared::Shared;
use crate::type_config::Payload;

/// How long a replica watches without being told again.
const WATCH_FOR: Duration = Duration::from_secs(60);
/// Images kept: expiry marks the log too, and comparisons may overlap.
const IMAGES_MAX: usize = 4;
/// How long a follower may take to reach the checkpoint.
const APPLY_WITHIN: Duration = Duration::from_secs(10);
/// How long a node may take for one step; a digest reads the whole machine.
const STEP_WITHIN: Duration = Duration::from_secs(60);

/// The images a replica took at checkpoints.
#[derive(Default)]
pub(crate) struct Checkpoints(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    until: Option<Instant>,
    images: VecDeque<(u64, Image)>,
}

impl Checkpoints {
    fn watch(&self) {
        let mut kept = self.0.lock();
        kept.until = Some(Instant::now() + WATCH_FOR);
    }

    /// Told of every checkpoint, by the apply loop.
    pub(crate) fn pass(&self, index: u64, image: impl FnOnce() -> Image) {
        let mut kept = self.0.lock();
        let Some(until) = kept.until else { return };
        if Instant::now() >= until {
            *kept = Kept::default();
            return;
        }
        if kept.images.len() == IMAGES_MAX {
            kept.images.pop_front();
        }
        kept.images.push_back((index, image()));
    }

    /// Gives an image away; those before it are of no use any more.
    fn take(&self, index: u64) -> Option<Image> {
        let mut kept = self.0.lock();
        while let Some((found, image)) = kept.images.pop_front() {
            if found == index {
                return Some(image);
            }
            if found > index {
                kept.images.push_front((found, image));
                return None;
            }
        }
        None
    }
}

/// What comparing the replicas of a shard came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The shard.
    pub shard: ShardId,
    /// Where in the log they were compared; `None` if no checkpoint could be proposed, and why.
    pub index: Result<LogIndex, String>,
    /// Each replica's digest there, or why it gave none.
    pub digests: Vec<(NodeId, Result<u64, String>)>,
}

impl Comparison {
    /// Whether two replicas differ.
    pub fn differs(&self) -> bool {
        let mut known = self.digests.iter().filter_map(|(_, digest)| digest.as_ref().ok());
        let first = known.next();
        known.any(|digest| Some(digest) != first)
    }

    /// Whether every replica gave the same digest.
    pub fn is_equal(&self) -> bool {
        self.index.is_ok() && self.digests.iter().all(|(_, digest)| digest.is_ok()) && !self.differs()
    }
}

impl Replica {
    /// One step of a comparison; the error is for people.
    pub(crate) async fn checkpoint(&self, step: Step) -> Result<Answer, String> {
        match step {
            Step::Watch(Watch {}) => {
                self.cell.checkpoints.watch();
                Ok(Answer::Watching(Watching {}))
            }
            Step::Propose(Propose {}) => self.propose_checkpoint().await.map(Answer::Proposed),
            Step::Read(Read { index }) => self.digest_at(index).await.map(Answer::Digest),
        }
    }

    async fn propose_checkpoint(&self) -> Result<u64, String> {
        let payload = if self.shard == ShardId::METADATA {
            Command::SetSettings(Default::default()).encode()
        } else {
            BatchBuilder::new(self.stamps.next()).finish()
        };
        match self.raft.client_write(Payload(payload)).await {
            Ok(response) => Ok(response.log_id.index),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Err("it does not lead the shard".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn digest_at(&self, index: u64) -> Result<u64, String> {
        let mut applied_next = self.cell.applied_next();
        let applied = async { applied_next.wait_for(|next| *next > index).await.is_ok() };
        if !tokio::time::timeout(APPLY_WITHIN, applied).await.unwrap_or(false) {
            return Err(format!("it has not applied log entry {index} in {} s", APPLY_WITHIN.as_secs()));
        }
        let image = self.cell.checkpoints.take(index).ok_or("it came past the checkpoint by a snapshot")?;
        let digest = tokio::task::spawn_blocking(move || image.digest()).await;
        digest.map_err(|error| error.to_string())
    }
}

impl Shared {
    /// Compares all replicas of a shard.
    pub(crate) async fn compare_replicas(&self, shard: ShardId) -> Comparison {
        let nodes = self.topology.borrow().replicas(shard).to_vec();
        let watching =
            join_all(nodes.iter().map(|node| self.step(*node, shard, Step::Watch(Watch {})))).await;
        let index = self.checkpoint_of(shard, &nodes).await;
        let Ok(proposed) = index else {
            let digests = nodes.into_iter().map(|node| (node, Err("not asked".to_owned()))).collect();
            return Comparison { shard, index: index.map(LogIndex::new), digests };
        };
        let reads = nodes.iter().zip(watching).map(|(node, watching)| async move {
            let digest = match watching {
                Ok(_) => self.step(*node, shard, Step::Read(Read { index: proposed })).await,
                Err(reason) => Err(reason),
            };
            let digest = digest.and_then(|answer| match answer {
                Answer::Digest(digest) => Ok(digest),
                _ => Err("it answered something else".to_owned()),
            });
            (*node, digest)
        });
        let digests = join_all(reads).await;
        Comparison { shard, index: Ok(LogIndex::new(proposed)), digests }
    }

    /// Has the leader propose a checkpoint: the one known, else whoever takes it.
    async fn checkpoint_of(&self, shard: ShardId, nodes: &[NodeId]) -> Result<u64, String> {
        let known = self.leaders.leader_of(shard);
        let others = nodes.iter().copied().filter(|node| Some(*node) != known);
        let mut refusals = Vec::new();
        for node in known.into_iter().chain(others) {
            match self.step(node, shard, Step::Propose(Propose {})).await {
                Ok(Answer::Proposed(index)) => return Ok(index),
                Ok(_) => refusals.push(format!("node {node}: it answered something else")),
                Err(reason) => refusals.push(format!("node {node}: {reason}")),
            }
        }
        Err(refusals.join("; "))
    }

    async fn step(&self, node: NodeId, shard: ShardId, step: Step) -> Result<Answer, String> {
        if node == self.node_id {
            let replica = self.any_replica(shard).ok_or("its replica does not run")?;
            return replica.checkpoint(step).await;
        }
        let channel = self.peers.control(node).ok_or("its address is not known")?;
        let target = self.target(shard, node);
        let request = wire::CheckpointRequest { target: Some(target), step: Some(step) };
        let mut client = RaftClient::new(channel);
        let call = tokio::time::timeout(STEP_WITHIN, client.checkpoint(request)).await;
        let response = call.map_err(|_| "it did not answer in time".to_owned())?;
        match response.map_err(|status| status.message().to_owned())?.into_inner().result {
            Some(Answer::Refused(reason)) => Err(reason),
            Some(answer) => Ok(answer),
            None => Err("it answered nothing".to_owned()),
        }
    }
}
