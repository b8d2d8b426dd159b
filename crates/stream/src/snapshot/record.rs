//! The records of a snapshot. Each is framed by its length; its first byte is its tag.
//!
//! What belongs to a thing follows it: a stream, its blocks in order, its groups, each with its consumers
//! and its pending entries; a session and the outcomes it remembers.

use rivermark_types::{ConsumerName, EntryId, GroupName, SessionId, StreamKey, UnixMillis};

use crate::block::Block;
use crate::codec::WireValue;
use crate::codec::wire_struct;
use crate::command::Settings;
use crate::consumer::{Consumer, ConsumerId};
use crate::group::Group;
use crate::outcome::Outcome;
use crate::pending::PendingRecord;
use crate::session::Session;
use crate::stream::Stream;

/// The version of records and of their order.
pub(super) const VERSION: u8 = 1;

/// The first bytes after the first tag: not any file will pass for a snapshot.
pub(super) const MAGIC: [u8; 4] = *b"RMSN";

pub(super) mod tag {
    //! Never renumbered.
    pub const START: u8 = 1;
    pub const STREAM: u8 = 2;
    pub const BLOCK: u8 = 3;
    pub const GROUP: u8 = 4;
    pub const CONSUMER: u8 = 5;
    pub const PENDING: u8 = 6;
    pub const SESSION: u8 = 7;
    pub const OUTCOME: u8 = 8;
    pub const END: u8 = 9;
}

/// One record, borrowed from the state it is of.
pub(super) enum Record<'a> {
    Start(&'a Start),
    Stream(&'a StreamKey, &'a Stream),
    Block(&'a Block),
    Group(&'a GroupName, &'a Group),
    Consumer(ConsumerId, &'a Consumer),
    Pending(EntryId, &'a PendingRecord),
    Session(SessionId, &'a Session),
    Outcome(&'a Outcome),
    End(&'a End),
}

/// What the shard has one of.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub settings: Settings,
    pub last_stamp: UnixMillis,
    /// The key version given out last.
    pub version: u64,
}

/// What must come out of all records before.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub records: u64,
    pub digest: u64,
}

/// A stream without its entries and groups.
pub(super) struct StreamHead {
    pub key: StreamKey,
    pub last_id: EntryId,
    pub first_id: EntryId,
    pub max_deleted_id: EntryId,
    pub entries_added: u64,
    pub version: u64,
    pub deadline: Option<UnixMillis>,
}

/// A group without its consumers and pending entries.
pub(super) struct GroupHead {
    pub name: GroupName,
    pub last_id: EntryId,
    pub entries_read: Option<u64>,
    /// The number the next consumer gets.
    pub next_consumer: u64,
}

/// A consumer without its pending entries.
pub(super) struct ConsumerHead {
    pub id: u64,
    pub name: ConsumerName,
    pub seen_time: UnixMillis,
    pub active_time: Option<UnixMillis>,
}

/// A pending entry.
pub(super) struct PendingItem {
    pub id: EntryId,
    pub consumer: u64,
    pub delivery_time: UnixMillis,
    pub delivery_count: u64,
}

/// A session without its outcomes.
pub(super) struct SessionHead {
    pub id: SessionId,
    pub next: u64,
    pub last_seen: UnixMillis,
}

wire_struct! {
    Start { settings, last_stamp, version }
    End { records, digest }
    StreamHead { key, last_id, first_id, max_deleted_id, entries_added, version, deadline }
    GroupHead { name, last_id, entries_read, next_consumer }
    ConsumerHead { id, name, seen_time, active_time }
    PendingItem { id, consumer, delivery_time, delivery_count }
    SessionHead { id, next, last_seen }
}

impl Record<'_> {
    /// Appends tag and contents.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Start(start) => {
                out.push(tag::START);
                out.extend_from_slice(&MAGIC);
                out.push(VERSION);
                start.encode(out);
            }
            Self::Stream(key, stream) => {
                out.push(tag::STREAM);
                stream_head(key, stream).encode(out);
            }
            Self::Block(block) => {
                out.push(tag::BLOCK);
                block.encode(out);
            }
            Self::Group(name, group) => {
                out.push(tag::GROUP);
                group_head(name, group).encode(out);
            }
            Self::Consumer(id, consumer) => {
                out.push(tag::CONSUMER);
                consumer_head(*id, consumer).encode(out);
            }
            Self::Pending(id, record) => {
                out.push(tag::PENDING);
                pending_item(*id, record).encode(out);
            }
            Self::Session(id, session) => {
                out.push(tag::SESSION);
                SessionHead { id: *id, next: session.next, last_seen: session.last_seen }.encode(out);
            }
            Self::Outcome(outcome) => {
                out.push(tag::OUTCOME);
                outcome.encode(out);
            }
            Self::End(end) => {
                out.push(tag::END);
                end.encode(out);
            }
        }
    }
}

fn stream_head(key: &StreamKey, stream: &Stream) -> StreamHead {
    StreamHead {
        key: key.clone(),
        last_id: stream.last_id,
        first_id: stream.first_id,
        max_deleted_id: stream.max_deleted_id,
        entries_added: stream.entries_added,
        version: stream.version,
        deadline: stream.deadline,
    }
}

fn group_head(name: &GroupName, group: &Group) -> GroupHead {
    GroupHead {
        name: name.clone(),
        last_id: group.last_id,
        entries_read: group.entries_read,
        next_consumer: group.consumers.next(),
    }
}

fn consumer_head(id: ConsumerId, consumer: &Consumer) -> ConsumerHead {
    ConsumerHead {
        id: id.0,
        name: consumer.name.clone(),
        seen_time: consumer.seen_time,
        active_time: consumer.active_time,
    }
}

fn pending_item(id: EntryId, record: &PendingRecord) -> PendingItem {
    PendingItem {
        id,
        consumer: record.consumer.0,
        delivery_time: record.delivery_time,
        delivery_count: record.delivery_count,
    }
}
