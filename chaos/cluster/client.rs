//! A client of the cluster that writes down what it does.
//!
//! It prefers its home node and goes to the others while that one is away. After an outcome it does not
//! know it is a new process to the history, on a new connection.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rivermark_oracle::operation::Reply;
use rivermark_oracle::{EventKind, Operation};
use rivermark_tests::{Connection, Reply as Wire};

use crate::commands;
use crate::recorder::Recorder;

/// How long a client waits for a reply; longer than any pause the nemesis causes.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Codes with which the server says that it did nothing. An error of any other code is an unknown outcome.
const REFUSALS: &[&str] =
    &["ERR", "NOGROUP", "BUSYGROUP", "WRONGTYPE", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "LOADING"];
/// Says nothing of what was done, whatever its code.
const INTERNAL: &str = "ERR internal error";

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server's reply.
    Reply(Reply),
    /// It was not done: the error's text.
    Refused(String),
    /// It may have been done.
    Unknown,
    /// No node could be reached; nothing was sent.
    Unsent,
}

/// A client.
pub struct Client {
    recorder: Arc<Recorder>,
    ports: Arc<[u16]>,
    home: usize,
    connection: Option<Connection>,
    process: u64,
    unsent: u64,
}

impl Client {
    /// A client that prefers the node whose port is the `home`-th, counted round.
    pub fn new(recorder: Arc<Recorder>, ports: Arc<[u16]>, home: usize) -> Self {
        let process = recorder.new_process();
        Self { recorder, home: home % ports.len(), ports, connection: None, process, unsent: 0 }
    }

    /// Sends one operation and records its beginning and its end.
    ///
    /// # Panics
    /// If the operation is none of those that the workload sends.
    pub fn call(&mut self, operation: Operation) -> Answer {
        let words = commands::words(&operation).expect("workloads send only what commands.rs knows");
        let Some(mut connection) = self.connection.take().or_else(|| self.connect()) else {
            self.unsent += 1;
            sleep(RECONNECT_PAUSE);
            return Answer::Unsent;
        };
        self.recorder.record(self.process, EventKind::Invoke { operation: operation.clone() });
        let wire = match connection.command(&words) {
            Ok(wire) => wire,
            Err(error) => return self.give_up(error.to_string()),
        };
        if let Wire::Error(error) = wire {
            if !is_refusal(&error) {
                return self.give_up(error);
            }
            self.recorder.record(self.process, EventKind::Fail { error: error.clone() });
            self.connection = Some(connection);
            return Answer::Refused(error);
        }
        let Some(reply) = commands::understand(&operation, &wire) else {
            return self.give_up(format!("not understood: {wire:?}"));
        };
        self.recorder.record(self.process, EventKind::Ok { reply: reply.clone() });
        self.connection = Some(connection);
        Answer::Reply(reply)
    }

    /// Forgets the connection, so that the next operation goes to the home node if it is back.
    pub fn go_home(&mut self) {
        self.connection = None;
    }

    /// How often no node could be reached.
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    fn give_up(&mut self, reason: String) -> Answer {
        self.recorder.record(self.process, EventKind::Unknown { reason });
        self.process = self.recorder.new_process();
        Answer::Unknown
    }

    fn connect(&self) -> Option<Connection> {
        (0..self.ports.len()).find_map(|step| {
            let port = self.ports[(self.home + step) % self.ports.len()];
            let connection = Connection::open(port).ok()?;
            connection.stream().set_read_timeout(Some(REPLY_TIMEOUT)).ok()?;
            Some(connection)
        })
    }
}

fn is_refusal(error: &str) -> bool {
    let code = error.split(' ').next().unwrap_or_default();
    REFUSALS.contains(&code) && !error.starts_with(INTERNAL)
}
