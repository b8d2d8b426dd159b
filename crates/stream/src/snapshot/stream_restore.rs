//! One stream back from its records: of a snapshot, or of what DUMP answered.

use std::sync::Arc;

use bytes::Bytes;
use rivermark_types::{EntryId, GroupName, StreamKey};

use super::record::{
    ConsumerHead, GroupHead, IdempotenceHead, PairItem, PendingItem, StreamHead, UnownedItem, tag,
};
use super::restore::RestoreError;
use crate::block::Block;
use crate::chunk_map::ChunkMap;
use crate::codec::{DecodeError, Reader, WireValue};
use crate::consumer::{Consumer, ConsumerId};
use crate::group::Group;
use crate::stream::Stream;

/// No group ever had so many consumers; above, numbers would run out.
const CONSUMER_NUMBERS_MAX: u64 = 1 << 48;

/// The stream whose records are being taken.
#[derive(Debug, Default)]
pub(super) struct StreamRestore {
    stream: Option<(StreamKey, Stream)>,
    group: Option<(GroupName, Group)>,
}

impl StreamRestore {
    /// Takes a record of this tag. The first is the stream's own; the one before it was closed.
    pub fn take(&mut self, kind: u8, reader: &mut Reader<'_>) -> Result<(), RestoreError> {
        match kind {
            tag::STREAM => self.take_stream(StreamHead::decode(reader)?),
            tag::BLOCK => self.take_block(Block::decode(reader)?),
            tag::GROUP => self.take_group(GroupHead::decode(reader)?),
            tag::CONSUMER => self.take_consumer(&ConsumerHead::decode(reader)?),
            tag::PENDING => self.take_pending(&PendingItem::decode(reader)?),
            tag::UNOWNED => self.take_unowned(&UnownedItem::decode(reader)?),
            tag::IDEMPOTENCE => self.take_idempotence(&IdempotenceHead::decode(reader)?),
            tag::PAIR => self.take_pair(&PairItem::decode(reader)?),
            tag => Err(DecodeError::UnknownTag { kind: "Record", tag }.into()),
        }
    }

    /// The version of the stream being taken.
    pub fn version(&self) -> Option<u64> {
        self.stream.as_ref().map(|(_, stream)| stream.version)
    }

    /// The stream, if one was begun.
    pub fn close(&mut self) -> Result<Option<(StreamKey, Stream)>, RestoreError> {
        self.close_group()?;
        let Some((key, stream)) = self.stream.take() else { return Ok(None) };
        let first = stream.entries.first().map_or(EntryId::MIN, |entry| entry.id);
        if first != stream.first_id {
            return Err(RestoreError::Contradiction("a stream's first id"));
        }
        Ok(Some((key, stream)))
    }

    fn take_stream(&mut self, head: StreamHead) -> Result<(), RestoreError> {
        if head.version == 0 {
            return Err(RestoreError::Contradiction("a key version not given out"));
        }
        let stream = Stream {
            last_id: head.last_id,
            first_id: head.first_id,
            max_deleted_id: head.max_deleted_id,
            entries_added: head.entries_added,
            version: head.version,
            deadline: head.deadline,
            ..Stream::default()
        };
        self.stream = Some((head.key.detached(), stream));
        Ok(())
    }

    fn take_block(&mut self, block: Block) -> Result<(), RestoreError> {
        let (_, stream) = self.stream.as_mut().ok_or(RestoreError::Contradiction("a block of no stream"))?;
        if block.last() > stream.last_id || !stream.entries.restore_block(block) {
            return Err(RestoreError::Contradiction("a block out of order"));
        }
        Ok(())
    }

    fn take_group(&mut self, head: GroupHead) -> Result<(), RestoreError> {
        self.close_group()?;
        if self.stream.is_none() {
            return Err(RestoreError::Contradiction("a group of no stream"));
        }
        if head.next_consumer > CONSUMER_NUMBERS_MAX {
            return Err(RestoreError::Contradiction("a number of consumers"));
        }
        let mut group = Group::new(head.last_id, head.entries_read);
        group.consumers.restore_next(head.next_consumer);
        self.group = Some((head.name.detached(), group));
        Ok(())
    }

    fn take_consumer(&mut self, head: &ConsumerHead) -> Result<(), RestoreError> {
        let (_, group) = self.group.as_mut().ok_or(RestoreError::Contradiction("a consumer of no group"))?;
        let id = ConsumerId(head.id);
        let taken = group.consumers.contains(id) || group.consumers.id(&head.name).is_some();
        if taken || head.id >= group.consumers.next() {
            return Err(RestoreError::Contradiction("a consumer's name or number"));
        }
        group.consumers.insert(
            id,
            Consumer {
                name: head.name.detached(),
                seen_time: head.seen_time,
                active_time: head.active_time,
                pending: ChunkMap::default(),
            },
        );
        Ok(())
    }

    fn take_pending(&mut self, item: &PendingItem) -> Result<(), RestoreError> {
        let (_, group) =
            self.group.as_mut().ok_or(RestoreError::Contradiction("a pending entry of no group"))?;
        let consumer = ConsumerId(item.consumer);
        if !group.consumers.contains(consumer) {
            return Err(RestoreError::Contradiction("a pending entry of no consumer"));
        }
        if group.pending.get(item.id).is_some() {
            return Err(RestoreError::Contradiction("an entry pending twice"));
        }
        group.give(item.id, consumer, item.delivery_time, item.delivery_count);
        Ok(())
    }

    fn take_unowned(&mut self, item: &UnownedItem) -> Result<(), RestoreError> {
        let (_, group) =
            self.group.as_mut().ok_or(RestoreError::Contradiction("a pending entry of no group"))?;
        if group.pending.get(item.id).is_some() {
            return Err(RestoreError::Contradiction("an entry pending twice"));
        }
        group.give_back(item.id, item.delivery_count);
        Ok(())
    }

    fn take_idempotence(&mut self, head: &IdempotenceHead) -> Result<(), RestoreError> {
        let (_, stream) =
            self.stream.as_mut().ok_or(RestoreError::Contradiction("idempotent ids of no stream"))?;
        if stream.idempotence.is_some() {
            return Err(RestoreError::Contradiction("idempotent ids twice"));
        }
        let idempotence = stream.idempotence_mut();
        idempotence.duration_s = head.duration_s;
        idempotence.pairs_max = head.pairs_max;
        idempotence.added = head.added;
        idempotence.duplicates = head.duplicates;
        Ok(())
    }

    fn take_pair(&mut self, item: &PairItem) -> Result<(), RestoreError> {
        let known = self.stream.as_mut().filter(|(_, stream)| stream.idempotence.is_some());
        let (_, stream) = known.ok_or(RestoreError::Contradiction("an idempotent id out of place"))?;
        let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        if !stream.idempotence_mut().restore(own(&item.producer), own(&item.id), item.entry) {
            return Err(RestoreError::Contradiction("an idempotent id twice"));
        }
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), RestoreError> {
        let Some((name, group)) = self.group.take() else { return Ok(()) };
        let (_, stream) = self.stream.as_mut().ok_or(RestoreError::Contradiction("a group of no stream"))?;
        match stream.groups.insert(name, Arc::new(group)) {
            None => Ok(()),
            Some(_) => Err(RestoreError::Contradiction("a group twice")),
        }
    }
}
