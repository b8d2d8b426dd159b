//! Short histories for tests: each step advances the clock by one nanosecond.

use rivermark_types::EntryId;

use crate::history::{Event, EventKind, History};
use crate::operation::{Entry, Operation, Reply};

/// Collects events.
#[derive(Clone, Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    now_ns: u64,
}

impl HistoryBuilder {
    /// No events, at time 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// `process` begins `operation`.
    pub fn invoke(&mut self, process: u64, operation: Operation) -> &mut Self {
        self.push(process, EventKind::Invoke { operation })
    }

    /// `process` gets `reply`.
    pub fn ok(&mut self, process: u64, reply: Reply) -> &mut Self {
        self.push(process, EventKind::Ok { reply })
    }

    /// `process` is refused.
    pub fn fail(&mut self, process: u64) -> &mut Self {
        self.push(process, EventKind::Fail { error: "ERR refused".to_owned() })
    }

    /// `process` gives up.
    pub fn unknown(&mut self, process: u64) -> &mut Self {
        self.push(process, EventKind::Unknown { reason: "timed out".to_owned() })
    }

    /// `process` waits in the server.
    pub fn parked(&mut self, process: u64) -> &mut Self {
        self.push(process, EventKind::Parked)
    }

    /// `process` runs `operation` from beginning to end with nothing in between.
    pub fn run(&mut self, process: u64, operation: Operation, reply: Reply) -> &mut Self {
        self.invoke(process, operation).ok(process, reply)
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, ns: u64) -> &mut Self {
        self.now_ns += ns;
        self
    }

    /// Appends an event one nanosecond after the last.
    pub fn push(&mut self, process: u64, kind: EventKind) -> &mut Self {
        self.now_ns += 1;
        self.history.events.push(Event { time_ns: self.now_ns, process, kind });
        self
    }

    /// The present of the builder.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The history so far.
    pub fn build(&self) -> History {
        self.history.clone()
    }
}

/// `XADD key * payload`.
pub fn xadd(key: &str, payload: &str) -> Operation {
    Operation::Xadd { key: key.to_owned(), payload: payload.to_owned(), idempotence: None, max_len: None }
}

/// `XRANGE key - +`.
pub fn xrange_all(key: &str) -> Operation {
    Operation::Xrange { key: key.to_owned(), start: EntryId::MIN, end: EntryId::MAX, count: None }
}

/// `XLEN key`.
pub fn xlen(key: &str) -> Operation {
    Operation::Xlen { key: key.to_owned() }
}

/// The reply of an XADD that made `ms-0`.
pub fn added(ms: u64) -> Reply {
    Reply::Added { id: EntryId::new(ms, 0) }
}

/// The entry `ms-0`.
pub fn entry(ms: u64, payload: &str) -> Entry {
    Entry { id: EntryId::new(ms, 0), payload: payload.to_owned() }
}

/// A reply with entries `ms-0`.
pub fn entries(list: &[(u64, &str)]) -> Reply {
    Reply::Entries { entries: list.iter().map(|(ms, payload)| entry(*ms, payload)).collect() }
}
