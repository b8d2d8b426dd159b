//! Three nodes that share one log and misbehave by script.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rivermark_stream::batch::{Batch, Part, PartOutcome};
use rivermark_stream::codec::Reader;
use rivermark_stream::command::{MissingKey, NewEntryId, Settings, XAdd};
use rivermark_stream::query::{Direction, XRange};
use rivermark_stream::{Command, Fields, Machine, Outcome, Query};
use rivermark_types::limits::{BLOCK_BYTES_DEFAULT, BLOCK_ENTRIES_DEFAULT};
use rivermark_types::{DatabaseIndex, EntryId, NodeId, ShardId, StreamKey, UnixMillis};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::WatchStream;

use crate::shards::Directory;
use crate::shards::endpoint::{
    LeaderEndpoint, Notice, Place, ProposeAnswer, QueryAnswer, Refusal, WaitCondition, WaitEvent,
};

pub(super) const NODES: u64 = 3;

/// What a leader does with a part. A node that does not lead refuses, whatever the script says, except for
/// the lost and refused requests any node may produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Apply,
    RefuseNameless,
    RefuseAndMove,
    ApplyAndForget,
    ApplyAndBreak,
    /// The log keeps it; it is applied before some later part, if ever.
    KeepForLater,
    /// As before, and no answer ever comes; another node leads from then on.
    KeepAndHang,
    Unreachable,
    Overloaded,
}

pub(super) struct Cluster {
    state: Mutex<State>,
    leader: watch::Sender<Option<NodeId>>,
}

struct State {
    machine: Machine,
    stamp: u64,
    script: VecDeque<(Turn, u8)>,
    kept: Vec<Part>,
    proposals: u64,
}

impl Cluster {
    pub(super) fn new(script: impl IntoIterator<Item = (Turn, u8)>) -> Arc<Self> {
        let state = State {
            machine: Machine::new(Settings {
                block_entries_max: BLOCK_ENTRIES_DEFAULT,
                block_bytes_max: BLOCK_BYTES_DEFAULT,
                ..Settings::default()
            }),
            stamp: 1,
            script: script.into_iter().collect(),
            kept: Vec::new(),
            proposals: 0,
        };
        Arc::new(Self { state: Mutex::new(state), leader: watch::Sender::new(Some(NodeId::new(1))) })
    }

    pub(super) fn directory(self: &Arc<Self>, has_replica: bool) -> Directory {
        let (cluster, watched) = (Arc::clone(self), Arc::clone(self));
        Directory {
            replicas: Box::new(|_| (1..=NODES).map(NodeId::new).collect()),
            leader: Box::new(|_| None),
            leaders: Box::new(move |_| {
                has_replica.then(|| WatchStream::new(watched.leader.subscribe()).boxed_leaders())
            }),
            endpoint: Box::new(move |node| {
                Some(Arc::new(Endpoint { cluster: Arc::clone(&cluster), node }) as Arc<dyn LeaderEndpoint>)
            }),
        }
    }

    pub(super) fn set_leader(&self, leader: Option<u64>) {
        self.leader.send_replace(leader.map(NodeId::new));
    }

    /// Lets stamped time pass.
    pub(super) fn pass(&self, time: Duration) {
        self.state.lock().stamp += time.as_millis() as u64;
    }

    pub(super) fn proposals(&self) -> u64 {
        self.state.lock().proposals
    }

    /// Applies everything any log still holds, as a last leader would.
    pub(super) fn settle(&self) {
        let mut state = self.state.lock();
        while !state.kept.is_empty() {
            state.apply_kept(0);
        }
    }

    /// The values of the stream `s`, in its order.
    pub(super) fn values(&self) -> Vec<u64> {
        let state = self.state.lock();
        let all = XRange {
            key: key("s"),
            start: EntryId::MIN,
            end: EntryId::MAX,
            count: None,
            direction: Direction::Forward,
        };
        let Outcome::Entries(entries) =
            state.machine.query(UnixMillis::new(state.stamp), &Query::XRange(all))
        else {
            panic!("XRANGE answers entries")
        };
        let number = |value: &[u8]| std::str::from_utf8(value).unwrap().parse().unwrap();
        entries.iter().map(|entry| number(entry.fields.expect("live").next().unwrap().1)).collect()
    }
}

impl State {
    fn apply(&mut self, part: Part) -> PartOutcome {
        self.stamp += 1;
        let batch = Batch { stamp: UnixMillis::new(self.stamp), parts: vec![part] };
        self.machine.apply(&batch).parts.remove(0)
    }

    fn apply_kept(&mut self, at: usize) {
        let part = self.kept.remove(at);
        self.apply(part);
    }
}

struct Endpoint {
    cluster: Arc<Cluster>,
    node: NodeId,
}

impl Endpoint {
    fn leads(&self) -> bool {
        *self.cluster.leader.borrow() == Some(self.node)
    }

    fn move_on(&self) {
        let next = self.node.get() % NODES + 1;
        self.cluster.set_leader(Some(next));
    }

    fn turn(&self, part: Part) -> Option<ProposeAnswer> {
        let mut state = self.cluster.state.lock();
        state.proposals += 1;
        let (turn, dice) = state.script.pop_front().unwrap_or((Turn::Apply, 0));
        if dice % 3 == 1 && !state.kept.is_empty() {
            let at = dice as usize % state.kept.len();
            state.apply_kept(at);
        }
        if !self.leads() {
            let leader = *self.cluster.leader.borrow();
            return Some(Err(match turn {
                Turn::Unreachable => Refusal::Unreachable,
                Turn::RefuseAndMove => {
                    Refusal::NotLeader { leader: Some(NodeId::new(u64::from(dice) % NODES + 1)) }
                }
                _ => Refusal::NotLeader { leader },
            }));
        }
        Some(match turn {
            Turn::Apply => Ok(state.apply(part)),
            Turn::RefuseNameless => Err(Refusal::NotLeader { leader: None }),
            Turn::RefuseAndMove => {
                self.move_on();
                Err(Refusal::NotLeader { leader: *self.cluster.leader.borrow() })
            }
            Turn::ApplyAndForget => {
                state.apply(part);
                Err(Refusal::OutcomeUnknown)
            }
            Turn::ApplyAndBreak => {
                state.apply(part);
                self.move_on();
                Err(Refusal::LinkBroken)
            }
            Turn::KeepForLater => {
                state.kept.push(part);
                Err(Refusal::OutcomeUnknown)
            }
            Turn::KeepAndHang => {
                state.kept.push(part);
                self.move_on();
                return None;
            }
            Turn::Unreachable => Err(Refusal::Unreachable),
            Turn::Overloaded => Err(Refusal::Overloaded),
        })
    }
}

impl LeaderEndpoint for Endpoint {
    fn propose(&self, _: ShardId, part: Bytes, count: u32) -> BoxFuture<'static, ProposeAnswer> {
        let part = Part::decode(&mut Reader::new(&part)).expect("the client encodes parts");
        assert_eq!(part.count, count);
        part.check().expect("and sound ones");
        let delay = Duration::from_millis(1 + part.first_sequence % 3);
        match self.turn(part) {
            Some(answer) => tokio::time::sleep(delay).map(|()| answer).boxed(),
            None => std::future::pending().boxed(),
        }
    }

    fn query(&self, _: ShardId, queries: Arc<[Query]>) -> BoxFuture<'static, QueryAnswer> {
        let leader = *self.cluster.leader.borrow();
        let answer = if self.leads() {
            let state = self.cluster.state.lock();
            let now = UnixMillis::new(state.stamp);
            Ok(queries.iter().map(|query| state.machine.query(now, query)).collect())
        } else {
            Err(Refusal::NotLeader { leader })
        };
        std::future::ready(answer).boxed()
    }

    fn park(&self, _: ShardId, _: WaitCondition, tag: u64, events: mpsc::UnboundedSender<Notice>) -> Place {
        let leader = *self.cluster.leader.borrow();
        let event = if self.leads() { WaitEvent::Woken } else { WaitEvent::Moved { leader } };
        events.send((tag, event)).expect("listened to");
        Place::none()
    }

    fn find_leader(&self, _: ShardId) -> BoxFuture<'static, Option<NodeId>> {
        std::future::ready(*self.cluster.leader.borrow()).boxed()
    }
}

trait BoxedLeaders {
    fn boxed_leaders(self) -> futures_util::stream::BoxStream<'static, Option<NodeId>>;
}

impl BoxedLeaders for WatchStream<Option<NodeId>> {
    fn boxed_leaders(self) -> futures_util::stream::BoxStream<'static, Option<NodeId>> {
        futures_util::StreamExt::boxed(self)
    }
}

pub(super) fn key(name: &'static str) -> StreamKey {
    StreamKey::new(DatabaseIndex::default(), Bytes::from_static(name.as_bytes()))
}

/// XADD of a number to the stream `s`.
pub(super) fn add(number: u64) -> Command {
    Command::XAdd(XAdd {
        key: key("s"),
        missing_key: MissingKey::Create,
        trim: None,
        id: NewEntryId::Auto,
        fields: Fields::from_pairs([(&b"n"[..], number.to_string().as_bytes())]),
    })
}
