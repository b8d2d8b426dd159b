//! Commands that have their connection to themselves: all before them is answered, nothing runs beside them.

use std::sync::Arc;

use bytes::BytesMut;
use rivermark_protocol::Frame;
use rivermark_protocol::commands::CommandSpec;
use rivermark_stream::{Outcome, Query};
use rivermark_types::StreamKey;
use tokio::time::Instant;

use crate::clients::Client;
use crate::dispatch::{Asked, Task};
use crate::execute::{blocking, keyspace, node_command, shards, transaction};
use crate::node::Node;
use crate::reply::{self, Answer};
use crate::scatter;
use crate::session::Session;

/// What a task came to.
#[derive(Debug)]
pub enum Performed {
    /// This is the reply.
    Answer(Answer),
    /// WATCH: `+OK`, and the session remembers these versions.
    Watched(Vec<(StreamKey, u64)>),
}

impl<T: Into<Answer>> From<T> for Performed {
    fn from(answer: T) -> Self {
        Self::Answer(answer.into())
    }
}

/// A finished task, with what is needed to write its reply.
#[derive(Debug)]
pub struct Done {
    /// The request.
    pub asked: Asked,
    /// When it began.
    pub started: Instant,
    /// What it came to.
    pub answer: Performed,
}

impl Done {
    /// Writes the reply and lets the session remember what it must.
    pub fn write(self, node: &Node, session: &mut Session, client: &Client, out: &mut BytesMut) {
        let answer = match self.answer {
            Performed::Answer(answer) => answer,
            Performed::Watched(watches) => {
                remember(&mut session.watches, watches);
                Answer::Frame(Frame::OK)
            }
        };
        let mut discarded = BytesMut::new();
        let Asked { protocol, muted, spec, shape, told } = self.asked;
        let out = if muted { &mut discarded } else { out };
        let elapsed = self.started.elapsed().saturating_sub(client.take_waited());
        // The commands of a transaction are applied together: each is counted with its share of the time.
        let steps = match &answer {
            Answer::Transaction(steps) => u32::try_from(steps.len()).unwrap_or(u32::MAX).max(1),
            _ => 1,
        };
        let mut each = |step: &'static CommandSpec, code: Option<&'static str>| {
            node.stats.command(step, 1, u64::from(code.is_some()), elapsed / steps);
            code.inspect(|code| node.stats.error(code));
        };
        let code = reply::write_answer(out, protocol, shape, answer, &mut each);
        code.inspect(|code| node.stats.error(code));
        let Some(spec) = spec else { return };
        node.stats.command(spec, 1, u64::from(code.is_some()), elapsed);
        node.note_latency(elapsed, [spec]);
        if node.is_slow(elapsed) {
            node.note_slow(told.into_iter().collect(), elapsed, client);
        }
    }
}

/// A key watched twice keeps the older version: a change between the two must be noticed.
fn remember(watches: &mut Vec<(StreamKey, u64)>, new: Vec<(StreamKey, u64)>) {
    for (key, version) in new {
        if !watches.iter().any(|(known, _)| *known == key) {
            watches.push((key.detached(), version));
        }
    }
}

/// Runs a task to its end.
pub async fn perform(node: Arc<Node>, client: Arc<Client>, task: Task) -> Performed {
    match task {
        Task::Read(read, permit) => blocking::read(&node, &client, read, &permit).await.into(),
        Task::ReadGroup(read, permit) => blocking::read_group(&node, &client, read, &permit).await.into(),
        Task::Keyspace(command) => keyspace::execute(&node, command).await.into(),
        Task::Node(command) => node_command::execute(&node, &client, command).await.into(),
        Task::Watch(keys) => watch(&node, keys).await,
        Task::Exec(prepared) => transaction::execute(&node, &client, *prepared).await.into(),
    }
}

async fn watch(node: &Node, keys: Vec<StreamKey>) -> Performed {
    let routed = match scatter::query(&node.topology(), Query::KeyVersions(keys.clone())) {
        Ok(routed) => routed,
        Err(error) => return error.into(),
    };
    match shards::ask(node, routed).await {
        Ok(Outcome::KeyVersions(versions)) => Performed::Watched(keys.into_iter().zip(versions).collect()),
        Ok(other) => Performed::Answer(Answer::Outcome(other)),
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rivermark_types::DatabaseIndex;

    #[test]
    fn watching_again_keeps_the_older_version() {
        let key = StreamKey::new(DatabaseIndex::default(), Bytes::from_static(b"k"));
        let mut watches = Vec::new();
        remember(&mut watches, vec![(key.clone(), 3)]);
        remember(&mut watches, vec![(key.clone(), 4)]);
        assert_eq!(watches, [(key, 3)]);
    }
}
