//! What clients did and saw, as JSON lines: one event a line, in the order of one clock.
//!
//! ```text
//! {"time_ns":10,"process":1,"event":"invoke","operation":{"command":"xadd","key":"s","payload":"a"}}
//! {"time_ns":25,"process":1,"event":"ok","reply":{"reply":"added","id":"5-0"}}
//! {"time_ns":30,"process":2,"event":"invoke","operation":{"command":"xlen","key":"s"}}
//! {"time_ns":90,"process":2,"event":"info","reason":"timed out"}
//! ```
//!
//! A process is a client that waits for each answer. `fail` is a refusal: the operation certainly did
//! not happen. `info` is everything else that is no answer (timeout, reset, `OutcomeUnknown`): the
//! operation may take effect at any later time or never, so its process never acts again and the
//! workload goes on under a new process number. `parked` says that the process's blocking read is known
//! to wait in the server (it was listed as blocked), so that its `$` is resolved.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::call::{Call, End};
use crate::operation::{Idempotence, Operation, Reply};

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds of the recorder's clock; never less than the line before.
    pub time_ns: u64,
    /// The client.
    pub process: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The process is about to send an operation.
    Invoke {
        /// The operation.
        operation: Operation,
    },
    /// It got an answer.
    Ok {
        /// The answer.
        reply: Reply,
    },
    /// It got a refusal: nothing was done.
    Fail {
        /// The error's text.
        error: String,
    },
    /// It will never know.
    #[serde(rename = "info")]
    Unknown {
        /// Why.
        reason: String,
    },
    /// Its blocking read waits in the server.
    Parked,
}

/// A history that cannot be read, or that no set of clients can have produced.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text says what each field is")]
pub enum HistoryError {
    #[error("reading the history: {0}")]
    Io(#[from] std::io::Error),
    #[error("line {line}: {source}")]
    Json { line: usize, source: serde_json::Error },
    #[error("event {event}: time goes back from {before_ns} to {time_ns}")]
    TimeBack { event: usize, before_ns: u64, time_ns: u64 },
    #[error("event {event}: process {process} has an operation outstanding")]
    Busy { event: usize, process: u64 },
    #[error("event {event}: process {process} has no operation outstanding")]
    Idle { event: usize, process: u64 },
    #[error("event {event}: process {process} acts after an unknown outcome")]
    Retired { event: usize, process: u64 },
    #[error("event {event}: the reply does not fit the operation")]
    ReplyMismatch { event: usize },
    #[error("event {event}: payload {payload:?} of stream {key:?} was already used")]
    PayloadReused { event: usize, key: String, payload: String },
}

/// Events in time order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The events. Any edit is allowed; [`History::calls`] validates.
    pub events: Vec<Event>,
}

impl History {
    /// Reads JSON lines; empty lines are skipped.
    ///
    /// # Errors
    /// [`HistoryError::Io`] and [`HistoryError::Json`]. What the events say is validated by
    /// [`History::calls`].
    pub fn read(reader: impl BufRead) -> Result<Self, HistoryError> {
        let mut events = Vec::new();
        for (index, line) in reader.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let event = serde_json::from_str(&line)
                .map_err(|source| HistoryError::Json { line: index + 1, source })?;
            events.push(event);
        }
        Ok(Self { events })
    }

    /// Writes JSON lines.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, mut writer: impl Write) -> std::io::Result<()> {
        self.events.iter().try_for_each(|event| write_event(&mut writer, event))
    }

    /// Pairs invocations with their ends and validates the history.
    ///
    /// # Errors
    /// A [`HistoryError`] naming the first event that no client can have produced.
    pub fn calls(&self) -> Result<Vec<Call>, HistoryError> {
        let mut pairing = Pairing::default();
        let mut before_ns = 0;
        for (index, event) in self.events.iter().enumerate() {
            if event.time_ns < before_ns {
                return Err(HistoryError::TimeBack { event: index, before_ns, time_ns: event.time_ns });
            }
            before_ns = event.time_ns;
            pairing.take(index, event)?;
        }
        Ok(pairing.calls)
    }
}

/// Writes one event as one line, for recorders that keep no history in memory.
///
/// # Errors
/// Those of the writer.
pub fn write_event(mut writer: impl Write, event: &Event) -> std::io::Result<()> {
    serde_json::to_writer(&mut writer, event)?;
    writer.write_all(b"\n")
}

/// Where a process stands.
#[derive(Clone, Copy)]
enum Standing {
    Idle,
    /// Its outstanding operation's place among the calls.
    Busy(usize),
    Retired,
}

#[derive(Default)]
struct Pairing {
    calls: Vec<Call>,
    processes: BTreeMap<u64, Standing>,
    payloads: BTreeMap<(String, String), Option<Idempotence>>,
}

impl Pairing {
    fn take(&mut self, index: usize, event: &Event) -> Result<(), HistoryError> {
        let process = event.process;
        let standing = self.processes.get(&process).copied().unwrap_or(Standing::Idle);
        let call = match (standing, &event.kind) {
            (Standing::Retired, _) => return Err(HistoryError::Retired { event: index, process }),
            (Standing::Busy(_), EventKind::Invoke { .. }) => {
                return Err(HistoryError::Busy { event: index, process });
            }
            (Standing::Idle, EventKind::Invoke { operation }) => {
                self.note_payload(index, operation)?;
                self.processes.insert(process, Standing::Busy(self.calls.len()));
                self.calls.push(Call::open(index, process, event.time_ns, operation.clone()));
                return Ok(());
            }
            (Standing::Idle, _) => return Err(HistoryError::Idle { event: index, process }),
            (Standing::Busy(call), _) => &mut self.calls[call],
        };
        let mut next = Standing::Idle;
        match &event.kind {
            EventKind::Ok { reply } if !call.operation.accepts(reply) => {
                return Err(HistoryError::ReplyMismatch { event: index });
            }
            EventKind::Ok { reply } => {
                call.end = End::Ok { ended_ns: event.time_ns, reply: reply.clone() };
            }
            EventKind::Fail { error } => {
                call.end = End::Fail { ended_ns: event.time_ns, error: error.clone() };
            }
            EventKind::Unknown { .. } => {
                call.end = End::Unknown { noticed_ns: event.time_ns };
                next = Standing::Retired;
            }
            EventKind::Parked => {
                call.parked_ns = Some(event.time_ns);
                return Ok(());
            }
            EventKind::Invoke { .. } => return Err(HistoryError::Busy { event: index, process }),
        }
        self.processes.insert(process, next);
        Ok(())
    }

    /// A payload is one entry's, so it is sent twice only under the same idempotence.
    fn note_payload(&mut self, index: usize, operation: &Operation) -> Result<(), HistoryError> {
        let Operation::Xadd { key, payload, idempotence, .. } = operation else { return Ok(()) };
        let name = (key.clone(), payload.clone());
        match self.payloads.get(&name) {
            Some(earlier) if earlier.is_none() || earlier != idempotence => {
                Err(HistoryError::PayloadReused { event: index, key: name.0, payload: name.1 })
            }
            Some(_) => Ok(()),
            None => {
                self.payloads.insert(name, idempotence.clone());
                Ok(())
            }
        }
    }
}
