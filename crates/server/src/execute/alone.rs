//! Commands that have their connection to themselves: all before them is answered, nothing runs beside them.

use std::sync::Arc;

use bytes::BytesMut;
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{Frame, Protocol};
use rivermark_stream::{Outcome, Query};
use rivermark_types::StreamKey;
use tokio::time::Instant;

use crate::clients::Client;
use crate::dispatch::Task;
use crate::execute::{blocking, keyspace, node_command, shards, transaction};
use crate::node::Node;
use crate::reply::{self, Answer, Shape};
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
    /// What the client spoke.
    pub protocol: Protocol,
    /// No reply is written.
    pub muted: bool,
    /// The command, for statistics.
    pub spec: Option<&'static CommandSpec>,
    /// How the outcome is shown.
    pub shape: Shape,
    /// When it began.
    pub started: Instant,
    /// What it came to.
    pub answer: Performed,
}

impl Done {
    /// Writes the reply and lets the session remember what it must.
    pub fn write(self, node: &Node, session: &mut Session, out: &mut BytesMut) {
        let answer = match self.answer {
            Performed::Answer(answer) => answer,
            Performed::Watched(watches) => {
                remember(&mut session.watches, watches);
                Answer::Frame(Frame::OK)
            }
        };
        let mut discarded = BytesMut::new();
        let out = if self.muted { &mut discarded } else { out };
        let failed = reply::write_answer(out, self.protocol, self.shape, answer);
        if let Some(spec) = self.spec {
            node.stats.command(spec, 1, u64::from(failed), self.started.elapsed());
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
