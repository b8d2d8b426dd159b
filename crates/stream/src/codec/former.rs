//! Layouts that are read but no longer written.

use rivermark_types::{EntryId, GroupName};

use super::reader::{DecodeError, Reader};
use super::wire::{Wire, wire_struct};
use crate::command::{Command, Settings};
use crate::fields::Entries;
use crate::outcome::{
    ConsumerFull, GroupFull, IdempotenceInfo, Outcome, PendingRecord, StreamFull, StreamHead, StreamInfo,
};

/// Settings before idempotent ids had any.
pub(super) fn configure(reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    Ok(Command::Configure(Settings {
        block_entries_max: Wire::decode(reader)?,
        block_bytes_max: Wire::decode(reader)?,
        ..Settings::default()
    }))
}

/// XINFO STREAM before it told of idempotent ids.
pub(super) fn stream_info(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    Ok(Outcome::StreamInfo(Box::new(StreamInfo {
        head: Head::decode(reader)?.into(),
        groups: Wire::decode(reader)?,
        first_entry: Wire::decode(reader)?,
        last_entry: Wire::decode(reader)?,
    })))
}

/// XINFO STREAM FULL before it told of idempotent ids and of entries given back.
pub(super) fn stream_full(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    let (head, entries) = (Head::decode(reader)?.into(), Entries::decode(reader)?);
    let groups = Vec::<Group>::decode(reader)?.into_iter().map(GroupFull::from).collect();
    Ok(Outcome::StreamFull(Box::new(StreamFull { head, entries, groups })))
}

struct Head {
    length: u64,
    blocks: u64,
    last_id: EntryId,
    max_deleted_id: EntryId,
    entries_added: u64,
    first_id: EntryId,
}

struct Group {
    name: GroupName,
    last_delivered_id: EntryId,
    entries_read: Option<u64>,
    lag: Option<u64>,
    pending_count: u64,
    pending: Vec<PendingRecord>,
    consumers: Vec<ConsumerFull>,
}

wire_struct! {
    Head { length, blocks, last_id, max_deleted_id, entries_added, first_id }
    Group { name, last_delivered_id, entries_read, lag, pending_count, pending, consumers }
}

impl From<Head> for StreamHead {
    fn from(head: Head) -> Self {
        let Head { length, blocks, last_id, max_deleted_id, entries_added, first_id } = head;
        let idempotence = IdempotenceInfo::default();
        Self { length, blocks, last_id, max_deleted_id, entries_added, first_id, idempotence }
    }
}

impl From<Group> for GroupFull {
    fn from(group: Group) -> Self {
        let Group { name, last_delivered_id, entries_read, lag, pending_count, pending, consumers } = group;
        Self {
            name,
            last_delivered_id,
            entries_read,
            lag,
            pending_count,
            nacked_count: 0,
            pending,
            consumers,
        }
    }
}
