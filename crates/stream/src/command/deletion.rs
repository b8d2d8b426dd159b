//! What becomes of groups' references to entries that go: XADD's and XTRIM's KEEPREF, DELREF and ACKED, XDELEX,
//! XACKDEL.

use rivermark_types::{EntryId, StreamKey};

use super::GroupRef;

/// What is done about groups that have an entry pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// KEEPREF: the entry goes, its pending records stay and dangle.
    #[default]
    Keep,
    /// DELREF: its pending records go with it.
    Drop,
    /// ACKED: it goes only if every group has delivered it and none has it pending.
    Acknowledged,
}

/// XDELEX's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XDelEx {
    /// The stream.
    pub key: StreamKey,
    /// KEEPREF, DELREF or ACKED.
    pub references: References,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
}

/// XACKDEL's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAckDel {
    /// The group.
    pub target: GroupRef,
    /// KEEPREF, DELREF or ACKED.
    pub references: References,
    /// In the order given, repeats included.
    pub ids: Vec<EntryId>,
}
