//! A run: consecutive requests of one connection that go to the shards together.
//!
//! Invariant: slots are in request order, and each slot takes its outcomes from its parts in the order in
//! which its commands were put into them. So the n-th outcome of a part belongs to the n-th slot that names
//! that part, and replies leave in request order whatever order shards answer in.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{Frame, ReplyWriter};
use rivermark_stream::scatter::{GatherPlan, Scattered};
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::ShardId;
use tokio::time::Instant;

use crate::clients::Client;
use crate::dispatch::Asked;
use crate::node::Node;
use crate::reply;
use crate::shards::Unavailable;

/// Where a request's reply comes from.
#[derive(Debug)]
pub enum Source {
    /// It is known.
    Frame(Frame),
    /// The next outcome of this part.
    Part(usize),
    /// The next outcome of each of these parts, made one.
    Parts(Vec<usize>, GatherPlan),
    /// It is written.
    Written,
}

/// One request's place in the replies.
#[derive(Debug)]
pub struct Slot {
    /// The request.
    pub asked: Asked,
    /// Where the reply comes from.
    pub source: Source,
}

/// What a run asks of the shards: one kind only, since reads must not overtake writes nor writes reads.
#[derive(Debug)]
pub enum Work {
    /// Local replies only.
    None,
    /// Proposals: what consecutive runs of them ask may be under way together.
    Propose(Vec<(ShardId, Vec<Command>)>),
    /// Queries: likewise.
    Query(Vec<(ShardId, Vec<Query>)>),
}

/// Requests collected and not yet started.
#[derive(Debug)]
pub struct Run {
    /// For the shards.
    pub work: Work,
    /// For the client.
    pub slots: Vec<Slot>,
}

impl Default for Run {
    fn default() -> Self {
        Self { work: Work::None, slots: Vec::new() }
    }
}

impl Run {
    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a write. The run must hold no queries.
    pub fn propose(&mut self, scattered: Scattered<Command>) -> Source {
        if matches!(self.work, Work::None) {
            self.work = Work::Propose(Vec::new());
        }
        let Work::Propose(parts) = &mut self.work else { unreachable!("a run is of one kind") };
        place(parts, scattered)
    }

    /// Adds a read. The run must hold no commands.
    pub fn query(&mut self, scattered: Scattered<Query>) -> Source {
        if matches!(self.work, Work::None) {
            self.work = Work::Query(Vec::new());
        }
        let Work::Query(parts) = &mut self.work else { unreachable!("a run is of one kind") };
        place(parts, scattered)
    }

    /// Submits the run's work at once and returns what awaits it. The caller has made sure of room.
    pub fn start(self, node: &Arc<Node>) -> impl Future<Output = Finished> + Send + use<> {
        let started = Instant::now();
        let slots = self.slots;
        let mut submitted = Vec::new();
        let mut queried = Vec::new();
        match self.work {
            Work::None => {}
            Work::Propose(parts) => {
                submitted = parts.into_iter().map(|(shard, part)| node.shards.submit(shard, part)).collect();
            }
            Work::Query(parts) => {
                queried = parts.into_iter().map(|(shard, part)| node.shards.query(shard, part)).collect();
            }
        }
        async move {
            let answers =
                if queried.is_empty() { join_all(submitted).await } else { join_all(queried).await };
            let parts = answers.into_iter().map(|answer| answer.map(Vec::into_iter)).collect();
            Finished { slots, parts, started }
        }
    }
}

fn place<T>(parts: &mut Vec<(ShardId, Vec<T>)>, scattered: Scattered<T>) -> Source {
    let mut put = |shard, item| match parts.iter_mut().position(|(known, _)| *known == shard) {
        Some(index) => {
            parts[index].1.push(item);
            index
        }
        None => {
            parts.push((shard, vec![item]));
            parts.len() - 1
        }
    };
    let Scattered { parts: items, plan } = scattered;
    if items.len() > 1 {
        return Source::Parts(items.into_iter().map(|(shard, item)| put(shard, item)).collect(), plan);
    }
    let (shard, item) = items.into_iter().next().expect("a request has at least one part");
    Source::Part(put(shard, item))
}

type PartOutcomes = Result<std::vec::IntoIter<Outcome>, Unavailable>;

/// A run whose outcomes are all there.
pub struct Finished {
    slots: Vec<Slot>,
    parts: Vec<PartOutcomes>,
    started: Instant,
}

impl Finished {
    /// How many requests it answers.
    pub fn requests(&self) -> usize {
        self.slots.len()
    }

    /// Writes the replies in request order.
    pub fn write(mut self, node: &Node, client: &Client, out: &mut BytesMut) {
        let elapsed = self.started.elapsed();
        let mut tally = Tally { node, elapsed, spec: None, calls: 0, failed: 0 };
        let mut discarded = BytesMut::new();
        for slot in &mut self.slots {
            let target = if slot.asked.muted { &mut discarded } else { &mut *out };
            let mut writer = ReplyWriter::new(target, slot.asked.protocol);
            let source = std::mem::replace(&mut slot.source, Source::Written);
            let code = match source {
                Source::Frame(frame) => reply::write_frame(&mut writer, &frame),
                Source::Part(part) => {
                    reply::write(&mut writer, slot.asked.shape, next(&mut self.parts[part]))
                }
                Source::Parts(parts, plan) => {
                    let all: Result<Vec<_>, _> =
                        parts.iter().map(|part| next(&mut self.parts[*part])).collect();
                    reply::write(&mut writer, slot.asked.shape, all.map(|all| plan.gather(all)))
                }
                Source::Written => unreachable!("each slot is written once"),
            };
            tally.count(slot.asked.spec, code);
        }
        tally.flush();
        node.note_latency(elapsed, self.slots.iter().filter_map(|slot| slot.asked.spec));
        if node.is_slow(elapsed) {
            let told = self.slots.into_iter().filter_map(|slot| slot.asked.told).collect();
            node.note_slow(told, elapsed, client);
        }
    }
}

/// Counts calls of one command in a row together: a pipeline is mostly one command over and over.
struct Tally<'a> {
    node: &'a Node,
    elapsed: Duration,
    spec: Option<&'static CommandSpec>,
    calls: u64,
    failed: u64,
}

impl Tally<'_> {
    fn count(&mut self, spec: Option<&'static CommandSpec>, code: Option<&'static str>) {
        if self.spec != spec {
            self.flush();
            self.spec = spec;
        }
        self.calls += 1;
        if let Some(code) = code {
            self.failed += 1;
            self.node.stats.error(code);
        }
    }

    fn flush(&mut self) {
        if let Some(spec) = self.spec {
            self.node.stats.command(spec, self.calls, self.failed, self.elapsed);
        }
        (self.calls, self.failed) = (0, 0);
    }
}

fn next(part: &mut PartOutcomes) -> Result<Outcome, Unavailable> {
    match part {
        Ok(outcomes) => Ok(outcomes.next().expect("a shard answers every command it was given")),
        Err(error) => Err(*error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rivermark_stream::scatter::scatter_query;
    use rivermark_types::{DatabaseIndex, StreamKey};

    fn exists(keys: &[&'static str]) -> Scattered<Query> {
        let key = |name: &&'static str| {
            StreamKey::new(DatabaseIndex::default(), Bytes::from_static(name.as_bytes()))
        };
        // Slots: hello 866, bar 5061, foo 12182.
        scatter_query(Query::Exists(keys.iter().map(key).collect()), &[], |slot| {
            ShardId::new(if slot.get() < 8192 { 1 } else { 2 })
        })
    }

    #[test]
    fn items_of_a_shard_stay_in_order() {
        let mut run = Run::default();
        assert!(matches!(run.query(exists(&["foo"])), Source::Part(0)));
        assert!(matches!(run.query(exists(&["bar"])), Source::Part(1)));
        let Source::Parts(places, _) = run.query(exists(&["hello", "foo"])) else { panic!("two parts") };
        assert_eq!(places, [1, 0]);
        let Work::Query(parts) = run.work else { panic!("queries") };
        let counts: Vec<_> = parts.iter().map(|(shard, queries)| (shard.get(), queries.len())).collect();
        assert_eq!(counts, [(2, 2), (1, 2)]);
    }
}
