//! The records of a snapshot. Each is framed by its length; its first byte is its tag.
//!
//! What belongs to a thing follows it: a stream, its idempotent ids, its blocks in order, its groups, each
//! with its consumers and its pending entries; a session and the outcomes it remembers.

use bytes::Bytes;
use rivermark_types::{ConsumerName, EntryId, GroupName, SessionId, StreamKey, UnixMillis};

use crate::block::Block;
use crate::codec::{DecodeError, Reader, WireValue, wire_struct};
use crate::command::Settings;
use crate::consumer::{Consumer, ConsumerId};
use crate::group::Group;
use crate::idempotence::Idempotence;
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
    pub const SETTINGS: u8 = 10;
    pub const UNOWNED: u8 = 11;
    pub const IDEMPOTENCE: u8 = 12;
    pub const PAIR: u8 = 13;
}

/// One record, borrowed from the state it is of.
pub(super) enum Record<'a> {
    Start(&'a Start),
    Settings(&'a Settings),
    Stream(&'a StreamKey, &'a Stream),
    Idempotence(&'a Idempotence),
    /// A producer, its id, the entry.
    Pair(&'a Bytes, &'a Bytes, EntryId),
    Block(&'a Block),
    Group(&'a GroupName, &'a Group),
    Consumer(ConsumerId, &'a Consumer),
    /// What a consumer has.
    Pending(EntryId, ConsumerId, &'a PendingRecord),
    /// What nobody has, in the order in which it was given back.
    Unowned(EntryId, &'a PendingRecord),
    Session(SessionId, &'a Session),
    Outcome(&'a Outcome),
    End(&'a End),
}

/// What the shard has one of.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The settings of the first release; the others follow in a record of their own if one is not what it
    /// is without being set.
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

/// A pending entry that nobody has.
pub(super) struct UnownedItem {
    pub id: EntryId,
    pub delivery_count: u64,
}

/// Settings the first release did not have.
pub(super) struct SettingsTail {
    pub idempotent_s: u32,
    pub idempotent_pairs_max: u32,
}

/// What is known of idempotent ids, but for the ids.
pub(super) struct IdempotenceHead {
    pub duration_s: Option<u32>,
    pub pairs_max: Option<u32>,
    pub added: u64,
    pub duplicates: u64,
}

/// An idempotent id.
pub(super) struct PairItem {
    pub producer: Bytes,
    pub id: Bytes,
    pub entry: EntryId,
}

/// A session without its outcomes.
pub(super) struct SessionHead {
    pub id: SessionId,
    pub next: u64,
    pub last_seen: UnixMillis,
}

wire_struct! {
    End { records, digest }
    StreamHead { key, last_id, first_id, max_deleted_id, entries_added, version, deadline }
    GroupHead { name, last_id, entries_read, next_consumer }
    ConsumerHead { id, name, seen_time, active_time }
    PendingItem { id, consumer, delivery_time, delivery_count }
    UnownedItem { id, delivery_count }
    SettingsTail { idempotent_s, idempotent_pairs_max }
    IdempotenceHead { duration_s, pairs_max, added, duplicates }
    PairItem { producer, id, entry }
    SessionHead { id, next, last_seen }
}

impl WireValue for Start {
    fn encode(&self, out: &mut Vec<u8>) {
        self.settings.block_entries_max.encode(out);
        self.settings.block_bytes_max.encode(out);
        self.last_stamp.encode(out);
        self.version.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let settings = Settings {
            block_entries_max: WireValue::decode(reader)?,
            block_bytes_max: WireValue::decode(reader)?,
            ..Settings::default()
        };
        Ok(Self { settings, last_stamp: WireValue::decode(reader)?, version: WireValue::decode(reader)? })
    }
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
            Self::Settings(settings) => {
                out.push(tag::SETTINGS);
                let Settings { idempotent_s, idempotent_pairs_max, .. } = **settings;
                SettingsTail { idempotent_s, idempotent_pairs_max }.encode(out);
            }
            Self::Idempotence(idempotence) => {
                out.push(tag::IDEMPOTENCE);
                idempotence_head(idempotence).encode(out);
            }
            Self::Pair(producer, id, entry) => {
                out.push(tag::PAIR);
                PairItem { producer: Bytes::clone(producer), id: Bytes::clone(id), entry: *entry }
                    .encode(out);
            }
            Self::Pending(id, consumer, record) => {
                out.push(tag::PENDING);
                pending_item(*id, *consumer, record).encode(out);
            }
            Self::Unowned(id, record) => {
                out.push(tag::UNOWNED);
                UnownedItem { id: *id, delivery_count: record.delivery_count }.encode(out);
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

fn idempotence_head(idempotence: &Idempotence) -> IdempotenceHead {
    IdempotenceHead {
        duration_s: idempotence.duration_s,
        pairs_max: idempotence.pairs_max,
        added: idempotence.added,
        duplicates: idempotence.duplicates,
    }
}

fn pending_item(id: EntryId, consumer: ConsumerId, record: &PendingRecord) -> PendingItem {
    PendingItem {
        id,
        consumer: consumer.0,
        delivery_time: record.delivery_time,
        delivery_count: record.delivery_count,
    }
}
