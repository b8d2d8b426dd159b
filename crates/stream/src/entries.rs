//! A stream's entries: blocks in order, each under the id of its first entry.
//!
//! Invariants: no block without a live entry; `length` counts the live entries of all blocks; each of `indexes` holds
//! what the live entries say.

use std::sync::Arc;

use rivermark_types::{EntryId, Score};

use crate::block::{Block, BlockEntry};
use crate::chunk_map::ChunkMap;
use crate::command::Settings;
use crate::field_index::{FieldIndex, FieldIndexes};
use crate::fields::{Entries, EntriesBuilder, Fields};
use crate::query::Direction;

/// The live entries of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntryLog {
    blocks: ChunkMap<EntryId, Arc<Block>>,
    length: u64,
    indexes: FieldIndexes,
}

impl EntryLog {
    /// Live entries.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().map(|(_, block)| &**block)
    }

    /// Appends an entry with an id above every id ever appended.
    pub fn append(&mut self, id: EntryId, fields: &Fields, settings: &Settings) {
        self.length += 1;
        self.indexes.added(id, fields);
        if let Some(open) = self.blocks.last_mut() {
            if !open.is_full_for(fields, settings) {
                Arc::make_mut(open).push(id, fields);
                return;
            }
            // Sealing a block that a snapshot holds would copy it for nothing.
            if let Some(open) = Arc::get_mut(open) {
                open.seal();
            }
        }
        self.blocks.insert(id, Arc::new(Block::new(id, fields)));
    }

    /// Deletes an entry; false if there is no such entry.
    pub fn delete(&mut self, id: EntryId) -> bool {
        let Some((first, block)) = self.blocks.floor(&id) else { return false };
        let Some(entry) = block.find(id) else { return false };
        self.indexes.removed(&entry);
        let first = *first;
        if block.live() == 1 {
            self.blocks.remove(&first);
        } else {
            let block = self.blocks.get_mut(&first).expect("the block was just found");
            Arc::make_mut(block).delete(id);
        }
        self.length -= 1;
        true
    }

    pub fn contains(&self, id: EntryId) -> bool {
        self.block_of(id).is_some_and(|block| block.contains(id))
    }

    /// Copies the entry with this id; false if there is none.
    pub fn copy(&self, id: EntryId, out: &mut EntriesBuilder) -> bool {
        self.get(id).inspect(|entry| entry.copy_to(out)).is_some()
    }

    /// The first live entry.
    pub fn first(&self) -> Option<BlockEntry<'_>> {
        self.first_block().and_then(|block| block.iter().next())
    }

    /// The last live entry.
    pub fn last(&self) -> Option<BlockEntry<'_>> {
        self.blocks.last().and_then(|(_, block)| block.iter().last())
    }

    pub fn first_block(&self) -> Option<&Block> {
        self.blocks.first().map(|(_, block)| &**block)
    }

    /// Removes the first block; how many live entries went.
    pub fn remove_first_block(&mut self) -> u32 {
        let Some((_, block)) = self.blocks.pop_first() else { return 0 };
        if !self.indexes.is_empty() {
            block.iter().for_each(|entry| self.indexes.removed(&entry));
        }
        self.length -= u64::from(block.live());
        block.live()
    }

    /// Deletes live entries from the front of the first block while `goes` says so for the id and the
    /// length before; how many.
    pub fn delete_from_first_block(&mut self, mut goes: impl FnMut(EntryId, u64) -> bool) -> u32 {
        let mut length = self.length;
        let Some(block) = self.blocks.first_mut() else { return 0 };
        let count = Arc::make_mut(block).delete_front(|entry| {
            let gone = goes(entry.id, length);
            if gone {
                length -= 1;
                self.indexes.removed(entry);
            }
            gone
        });
        let emptied = block.live() == 0;
        self.length = length;
        if emptied {
            self.blocks.pop_first();
        }
        count
    }

    /// The first block with an entry, live or not, at or after `id`.
    pub fn block_from(&self, id: EntryId) -> Option<&Block> {
        match self.block_of(id) {
            Some(block) if block.last() >= id => Some(block),
            _ => self.blocks.above(&id).map(|(_, block)| &**block),
        }
    }

    /// Deletes the live ones of these entries of one block, in order.
    pub fn delete_from_block(&mut self, first: EntryId, ids: &[EntryId]) {
        let Some(block) = self.blocks.get_mut(&first) else { return };
        let block = Arc::make_mut(block);
        let count = block.delete_listed(ids, |entry| self.indexes.removed(entry));
        let emptied = block.live() == 0;
        self.length -= u64::from(count);
        if emptied {
            self.blocks.remove(&first);
        }
    }

    /// The entry with this id.
    pub fn get(&self, id: EntryId) -> Option<BlockEntry<'_>> {
        self.block_of(id).and_then(|block| block.find(id))
    }

    /// Live entries with `start <= id <= end`, oldest first.
    pub fn range<'a>(
        &'a self,
        start: &'a EntryId,
        end: &'a EntryId,
    ) -> impl Iterator<Item = BlockEntry<'a>> + 'a {
        self.blocks_of(start, end)
            .flat_map(|block| block.iter())
            .filter(move |entry| entry.id >= *start)
            .take_while(move |entry| entry.id <= *end)
    }

    /// Copies at most `count` entries with `start <= id <= end`; `None` if they take more than `bytes_max`.
    pub fn read(
        &self,
        start: EntryId,
        end: EntryId,
        count: u64,
        direction: Direction,
        bytes_max: usize,
    ) -> Option<Entries> {
        let mut out = EntriesBuilder::default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        match direction {
            Direction::Forward => {
                for entry in self.range(&start, &end).take(count) {
                    entry.copy_to(&mut out);
                    if out.bytes() > bytes_max {
                        return None;
                    }
                }
            }
            Direction::Backward => {
                let mut newest_first = Vec::new();
                for block in self.blocks_of(&start, &end).rev() {
                    newest_first.clear();
                    newest_first.extend(block.iter().filter(|entry| start <= entry.id && entry.id <= end));
                    let left = count - out.len();
                    newest_first.iter().rev().take(left).for_each(|entry| entry.copy_to(&mut out));
                    if out.bytes() > bytes_max {
                        return None;
                    }
                    if out.len() >= count {
                        break;
                    }
                }
            }
        }
        Some(out.finish())
    }

    /// Copies at most `count` entries by what a field of them says, `start <= score <= end`, by score, then id;
    /// `None` if they take more than `bytes_max`.
    pub fn read_by_score(
        &self,
        field: &[u8],
        start: Score,
        end: Score,
        count: u64,
        bytes_max: usize,
    ) -> Option<Entries> {
        let all = || self.blocks().flat_map(|block| block.iter());
        let index = self.indexes.get(field, || FieldIndex::of(all(), field));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut out = EntriesBuilder::default();
        index.visit(start, end, |id| {
            let wanted = out.len() < count;
            if wanted {
                let found = self.copy(id, &mut out);
                assert!(found, "an index holds live entries only");
            }
            wanted && out.bytes() <= bytes_max
        });
        (out.bytes() <= bytes_max).then(|| out.finish())
    }

    /// Takes the indexes away; reads would make them anew.
    pub fn take_indexes(&self) -> FieldIndexes {
        self.indexes.take()
    }

    /// Puts back what was taken of the same entries.
    pub fn put_indexes(&mut self, indexes: FieldIndexes) {
        self.indexes = indexes;
    }

    /// How many live entries lie above `id`; counting stops at `enough`.
    pub fn count_after(&self, id: EntryId, enough: u64) -> u64 {
        let mut count = 0;
        for (_, block) in self.blocks.iter().rev() {
            if block.last() <= id || count >= enough {
                break;
            }
            count += if block.first() > id {
                u64::from(block.live())
            } else {
                block.iter().filter(|entry| entry.id > id).count() as u64
            };
        }
        count.min(enough)
    }

    /// Adds a block as a snapshot holds it; false if it does not follow the last one.
    pub fn restore_block(&mut self, block: Block) -> bool {
        if self.blocks.last().is_some_and(|(_, last)| last.last() >= block.first()) {
            return false;
        }
        self.length += u64::from(block.live());
        self.blocks.insert(block.first(), Arc::new(block));
        true
    }

    /// Bytes the indexes take, if any.
    pub fn index_bytes(&self) -> usize {
        self.indexes.memory_bytes()
    }

    /// Bytes the entries take.
    pub fn memory_bytes(&self) -> usize {
        let per_block = size_of::<(EntryId, Arc<Block>)>() + 2 * size_of::<usize>();
        self.blocks().map(|block| block.memory_bytes() + per_block).sum()
    }

    /// Whether the invariants hold.
    pub fn is_sound(&self) -> bool {
        let live: u64 = self.blocks().map(|block| u64::from(block.live())).sum();
        let apart = self.blocks().zip(self.blocks().skip(1)).all(|(one, next)| one.last() < next.first());
        let keyed = self.blocks.iter().all(|(first, block)| *first == block.first() && block.is_sound());
        let indexed = self.indexes.are_sound(|| self.blocks().flat_map(|block| block.iter()));
        live == self.length && apart && keyed && self.blocks.is_sound() && indexed
    }

    fn block_of(&self, id: EntryId) -> Option<&Block> {
        self.blocks.floor(&id).map(|(_, block)| &**block)
    }

    /// Blocks that may hold ids from `start` to `end`.
    fn blocks_of<'a>(
        &'a self,
        start: &'a EntryId,
        end: &'a EntryId,
    ) -> impl DoubleEndedIterator<Item = &'a Block> + 'a {
        let from = self.blocks.floor(start).map_or(start, |(first, _)| first);
        self.blocks.range(from, end).map(|(_, block)| &**block)
    }
}
