//! A broker so plain that it can be checked by reading: one thread, no storage, no cluster.
//!
//! It says what a sequence of operations answers. Checkers that search for an order of concurrent
//! operations, and the tests that make up correct histories, measure against it. It covers what
//! [`Operation`] covers and knows nothing of blocking: an operation answers from what is there.

mod group;
mod stream;

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::observation::{Drained, FinalStream};
use crate::operation::{Operation, Reply};

pub use group::{Group, Pending};
pub use stream::Stream;

/// Streams by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    streams: BTreeMap<String, Stream>,
}

/// The operation was refused and changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// NOGROUP.
    #[error("no such group")]
    NoGroup,
    /// BUSYGROUP.
    #[error("the group exists")]
    BusyGroup,
    /// The id given is not above the last.
    #[error("the id is equal or smaller than the last")]
    IdTooSmall,
}

impl Broker {
    /// No streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream, if anything was ever added to it.
    pub fn stream(&self, key: &str) -> Option<&Stream> {
        self.streams.get(key)
    }

    /// Performs `operation` at `now_ms`.
    ///
    /// # Errors
    /// A [`Refusal`]; the broker is unchanged.
    pub fn apply(&mut self, operation: &Operation, now_ms: u64) -> Result<Reply, Refusal> {
        let stream = self.streams.entry(operation.key().to_owned()).or_default();
        if let Some(group) = operation.group() {
            return stream.apply_to_group(group, operation, now_ms);
        }
        Ok(stream.apply(operation, now_ms))
    }

    /// XADD with a given id, for orders in which the ids are already known.
    ///
    /// # Errors
    /// [`Refusal::IdTooSmall`].
    pub fn add_as(&mut self, operation: &Operation, id: EntryId) -> Result<Reply, Refusal> {
        self.streams.entry(operation.key().to_owned()).or_default().add_as(operation, id)
    }

    /// What an observation of all streams would say.
    pub fn observe(&self, drained: Drained) -> BTreeMap<String, FinalStream> {
        self.streams.iter().map(|(key, stream)| (key.clone(), stream.observe(drained))).collect()
    }
}
