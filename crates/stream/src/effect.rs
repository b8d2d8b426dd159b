//! What apply leaves for the host to do. Only the leader's host acts on effects; replicas that do not
//! lead drop them.

use rivermark_types::{DatabaseIndex, GroupName, StreamKey};

/// Something a blocked reader may be waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The stream has entries it had not before the batch.
    EntriesAdded(StreamKey),
    /// The key is gone: deleted or expired. Blocked XREADGROUPs answer NOGROUP.
    KeyRemoved(StreamKey),
    /// The group is gone. Blocked XREADGROUPs answer NOGROUP.
    GroupRemoved(StreamKey, GroupName),
    /// The group's cursor moved back, so entries may be deliverable again.
    GroupMoved(StreamKey, GroupName),
    /// A database was flushed; `None` is all.
    Flushed(Option<DatabaseIndex>),
}
