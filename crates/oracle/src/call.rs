//! An operation with its beginning and its end.

use std::fmt;

use crate::operation::{Operation, Reply};

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Answered.
    Ok {
        /// When the answer was there.
        ended_ns: u64,
        /// The answer.
        reply: Reply,
    },
    /// Refused: it did not happen.
    Fail {
        /// When the refusal was there.
        ended_ns: u64,
        /// The error's text.
        error: String,
    },
    /// It may happen at any time after its beginning, or never.
    Unknown {
        /// When the client gave up.
        noticed_ns: u64,
    },
    /// The history ends without a word about it. It may have happened or not.
    Open,
}

/// An operation of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The invocation's place among the history's events, from 0: how violations name it.
    pub event: usize,
    /// The client.
    pub process: u64,
    /// When it was sent, at the latest.
    pub invoked_ns: u64,
    /// When it was known to wait in the server.
    pub parked_ns: Option<u64>,
    /// What was asked.
    pub operation: Operation,
    /// How it ended.
    pub end: End,
}

impl Call {
    pub(crate) fn open(event: usize, process: u64, invoked_ns: u64, operation: Operation) -> Self {
        Self { event, process, invoked_ns, parked_ns: None, operation, end: End::Open }
    }

    /// The answer, if there is one.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.end {
            End::Ok { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// The instant by which it has taken effect: its answer's, or the end of time.
    pub fn effective_by_ns(&self) -> u64 {
        match &self.end {
            End::Ok { ended_ns, .. } | End::Fail { ended_ns, .. } => *ended_ns,
            End::Unknown { .. } | End::Open => u64::MAX,
        }
    }

    /// Whether it may have had an effect: it was not refused.
    pub fn may_have_happened(&self) -> bool {
        !matches!(self.end, End::Fail { .. })
    }

    /// Whether it had an effect or not is not known.
    pub fn is_unknown(&self) -> bool {
        matches!(self.end, End::Unknown { .. } | End::Open)
    }

    /// Whether it ended before `other` began, so that every order of events has it first.
    pub fn precedes(&self, other: &Self) -> bool {
        self.effective_by_ns() < other.invoked_ns
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(&self.operation).ok();
        let name = name.as_ref().and_then(|value| value["command"].as_str()).unwrap_or("operation");
        write!(f, "{name} of process {} (event {}, {} ns to ", self.process, self.event, self.invoked_ns)?;
        match &self.end {
            End::Ok { ended_ns, .. } => write!(f, "{ended_ns} ns)"),
            End::Fail { ended_ns, .. } => write!(f, "{ended_ns} ns, refused)"),
            End::Unknown { .. } => f.write_str("unknown)"),
            End::Open => f.write_str("open)"),
        }
    }
}
