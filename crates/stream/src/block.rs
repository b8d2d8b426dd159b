//! A block: a run of entries, in insertion order, packed into one buffer.
//!
//! Each entry is: a header byte; the id as two varints, milliseconds since the block's first entry, then
//! the sequence number (less the first entry's, if of the same millisecond); its pairs. An entry with the
//! field names of the block's first entry stores values only, as Redis's nodes do.
//!
//! A deleted entry is marked in its header and stays until its block goes, so it still counts toward the
//! run: `~` trimming shows where blocks end, and clients' test suites look.

use rivermark_types::EntryId;

use crate::allowance::{ReplySize, entry_reply_bytes};
use crate::command::Settings;
use crate::fields::{EntriesBuilder, Fields, FieldsIter, take_bytes};
use crate::listpack;
use crate::varint::{put_varint, take_varint};

mod durable;

const DELETED: u8 = 1;
const SAME_FIELDS: u8 = 2;
/// Redis's bound of a node's size when `stream-node-max-bytes` is 0 or beyond it.
const LISTPACK_BYTES_MAX: u32 = 1 << 30;

/// A run of entries, the first of which may be deleted but not all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The id all others are stored relative to.
    first: EntryId,
    /// The newest entry's id, deleted or not.
    last: EntryId,
    live: u32,
    deleted: u32,
    /// Redis's size of the entries, without the node's two counters.
    listpack_bytes: u32,
    packed: Vec<u8>,
}

/// An entry of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockEntry<'a> {
    pub id: EntryId,
    deleted: bool,
    pairs: u32,
    /// The first entry's pairs, if this one stores values only.
    names: Option<&'a [u8]>,
    /// Pairs, or values only.
    body: &'a [u8],
}

impl Block {
    /// A block of one entry.
    pub fn new(id: EntryId, fields: &Fields) -> Self {
        let names = fields.iter().map(|(name, _)| listpack::string_bytes(name)).sum::<u32>();
        // The counters aside: the number of fields, their names, an end mark.
        let head = listpack::EMPTY_BYTES
            + listpack::integer_bytes(i64::from(fields.pairs()))
            + names
            + listpack::integer_bytes(0);
        let mut block =
            Self { first: id, last: id, live: 0, deleted: 0, listpack_bytes: head, packed: Vec::new() };
        block.packed.reserve_exact(fields.packed().len() + 16);
        block.push_entry(id, fields, FieldNames::Own);
        block.listpack_bytes += entry_listpack_bytes(block.first, id, fields, FieldNames::Shared);
        block
    }

    pub fn first(&self) -> EntryId {
        self.first
    }

    pub fn last(&self) -> EntryId {
        self.last
    }

    /// Entries that are not deleted; at least 1.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Bytes in memory, room for growth and the allocator's own not counted: those differ between replicas.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.packed.len()
    }

    /// Whether an entry of these fields starts the next block (`streamAppendItem` of Redis's t_stream.c).
    pub fn is_full_for(&self, fields: &Fields, settings: &Settings) -> bool {
        let entries_max = settings.block_entries_max;
        if entries_max != 0 && self.live + self.deleted >= entries_max {
            return true;
        }
        let bytes_max = match settings.block_bytes_max {
            0 => LISTPACK_BYTES_MAX,
            bytes => bytes.min(LISTPACK_BYTES_MAX),
        };
        let counters =
            listpack::integer_bytes(i64::from(self.live)) + listpack::integer_bytes(i64::from(self.deleted));
        let added: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.listpack_bytes.saturating_add(counters) as usize + added >= bytes_max as usize
    }

    /// Appends an entry; `id` is greater than the last.
    pub fn push(&mut self, id: EntryId, fields: &Fields) {
        let names = if self.has_names_of(fields) { FieldNames::Shared } else { FieldNames::Own };
        self.listpack_bytes =
            self.listpack_bytes.saturating_add(entry_listpack_bytes(self.first, id, fields, names));
        self.push_entry(id, fields, names);
        self.last = id;
    }

    /// No entry will follow: gives back memory kept for growth.
    pub fn seal(&mut self) {
        self.packed.shrink_to_fit();
    }

    /// Whether the entry is there and not deleted.
    pub fn contains(&self, id: EntryId) -> bool {
        self.find(id).is_some()
    }

    /// The live entry with this id.
    pub fn find(&self, id: EntryId) -> Option<BlockEntry<'_>> {
        if id < self.first || self.last < id {
            return None;
        }
        self.iter().find(|entry| entry.id >= id).filter(|entry| entry.id == id)
    }

    /// Live entries in order.
    pub fn iter(&self) -> impl Iterator<Item = BlockEntry<'_>> {
        self.all().filter(|entry| !entry.deleted)
    }

    /// Marks an entry deleted; false if there is no such live entry. The caller drops the block once
    /// [`Self::live`] is zero.
    pub fn delete(&mut self, id: EntryId) -> bool {
        let mut walk = self.all();
        loop {
            let at = self.packed.len() - walk.rest.len();
            match walk.next() {
                Some(entry) if entry.id < id => {}
                Some(entry) if entry.id == id && !entry.deleted => {
                    self.packed[at] |= DELETED;
                    self.live -= 1;
                    self.deleted += 1;
                    return true;
                }
                _ => return false,
            }
        }
    }

    /// Marks live entries from the front deleted while `goes` says so; how many.
    pub fn delete_front(&mut self, mut goes: impl FnMut(&BlockEntry<'_>) -> bool) -> u32 {
        self.delete_where(|entry| if goes(entry) { Verdict::Goes } else { Verdict::End })
    }

    /// Marks entries of the list, in order, deleted, and shows each that was live; how many were.
    pub fn delete_listed(&mut self, ids: &[EntryId], mut goes: impl FnMut(&BlockEntry<'_>)) -> u32 {
        self.delete_where(|entry| match ids.binary_search(&entry.id) {
            Ok(_) => {
                goes(entry);
                Verdict::Goes
            }
            Err(at) if at == ids.len() => Verdict::End,
            Err(_) => Verdict::Stays,
        })
    }

    fn delete_where(&mut self, mut verdict: impl FnMut(&BlockEntry<'_>) -> Verdict) -> u32 {
        let mut marks = Vec::new();
        let mut walk = self.all();
        loop {
            let at = self.packed.len() - walk.rest.len();
            let Some(entry) = walk.next() else { break };
            if entry.deleted {
                continue;
            }
            match verdict(&entry) {
                Verdict::Goes => marks.push(at),
                Verdict::Stays => {}
                Verdict::End => break,
            }
        }
        for at in &marks {
            self.packed[*at] |= DELETED;
        }
        let count = marks.len() as u32;
        self.live -= count;
        self.deleted += count;
        count
    }

    fn all(&self) -> BlockWalk<'_> {
        BlockWalk { first: self.first, names: None, rest: &self.packed }
    }

    fn has_names_of(&self, fields: &Fields) -> bool {
        let first = self.all().next().expect("a block has entries");
        let mut own = FieldsIter::new(first.body, first.pairs);
        first.pairs == fields.pairs()
            && fields.iter().all(|(name, _)| own.next().is_some_and(|(own, _)| own == name))
    }

    fn push_entry(&mut self, id: EntryId, fields: &Fields, names: FieldNames) {
        let packed = &mut self.packed;
        packed.push(match names {
            FieldNames::Shared => SAME_FIELDS,
            FieldNames::Own => 0,
        });
        put_varint(packed, id.ms - self.first.ms);
        put_varint(packed, if id.ms == self.first.ms { id.seq - self.first.seq } else { id.seq });
        match names {
            FieldNames::Own => {
                put_varint(packed, u64::from(fields.pairs()));
                packed.extend_from_slice(fields.packed());
            }
            FieldNames::Shared => {
                for (_, value) in fields.iter() {
                    put_varint(packed, value.len() as u64);
                    packed.extend_from_slice(value);
                }
            }
        }
        self.live += 1;
    }
}

/// How many entries this thread looked at in blocks: what a read costs, whatever the machine it runs on.
#[cfg(test)]
pub(crate) mod unpacked {
    thread_local! {
        pub static COUNT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
}

/// What becomes of a live entry.
enum Verdict {
    Goes,
    Stays,
    /// It stays, and so does all that follows.
    End,
}

/// Whether an entry stores its field names or uses the first entry's.
#[derive(Clone, Copy)]
enum FieldNames {
    Own,
    Shared,
}

/// Redis's size of an entry: flags, id, fields, number of elements.
fn entry_listpack_bytes(first: EntryId, id: EntryId, fields: &Fields, names: FieldNames) -> u32 {
    let pairs = i64::from(fields.pairs());
    let ids = listpack::integer_bytes(id.ms.wrapping_sub(first.ms).cast_signed())
        + listpack::integer_bytes(id.seq.wrapping_sub(first.seq).cast_signed());
    let values: u32 = fields.iter().map(|(_, value)| listpack::string_bytes(value)).sum();
    let flags = listpack::integer_bytes(0);
    match names {
        FieldNames::Shared => flags + ids + values + listpack::integer_bytes(pairs + 3),
        FieldNames::Own => {
            let own: u32 = fields.iter().map(|(name, _)| listpack::string_bytes(name)).sum();
            let counts = listpack::integer_bytes(pairs) + listpack::integer_bytes(2 * pairs + 4);
            flags + ids + own + values + counts
        }
    }
}

impl ReplySize for BlockEntry<'_> {
    fn reply_bytes(&self) -> u64 {
        let pairs = Some(u64::from(self.pairs));
        match self.names {
            None => {
                let own = FieldsIter::new(self.body, self.pairs);
                entry_reply_bytes(self.id, pairs, own.map(|(name, value)| (name.len(), value.len())))
            }
            Some(names) => {
                let mut body = self.body;
                let lengths = FieldsIter::new(names, self.pairs)
                    .map(|(name, _)| (name.len(), take_bytes(&mut body).map_or(0, <[u8]>::len)));
                entry_reply_bytes(self.id, pairs, lengths)
            }
        }
    }

    fn kept_bytes(&self) -> u64 {
        (self.body.len() + self.names.map_or(0, <[u8]>::len) + size_of::<EntryId>()) as u64
    }
}

impl<'a> BlockEntry<'a> {
    /// The value of the first pair of this field.
    pub fn value(&self, field: &[u8]) -> Option<&'a [u8]> {
        let Some(names) = self.names else {
            let mut pairs = FieldsIter::new(self.body, self.pairs);
            return pairs.find(|(name, _)| *name == field).map(|(_, value)| value);
        };
        let mut body = self.body;
        for (name, _) in FieldsIter::new(names, self.pairs) {
            let value = take_bytes(&mut body)?;
            if name == field {
                return Some(value);
            }
        }
        None
    }

    /// Copies the entry's id and pairs.
    pub fn copy_to(&self, out: &mut EntriesBuilder) {
        out.begin(self.id, self.pairs);
        match self.names {
            None => out.packed_pairs(self.body),
            Some(names) => {
                let mut body = self.body;
                for (name, _) in FieldsIter::new(names, self.pairs) {
                    let value = take_bytes(&mut body).expect("a block holds what its entries announce");
                    out.pair(name, value);
                }
            }
        }
    }
}

/// Walks a block's entries, deleted ones included. Ends early on malformed bytes, which
/// [`Block::is_sound`] tells from the end.
struct BlockWalk<'a> {
    first: EntryId,
    /// The first entry's pairs, once past it.
    names: Option<(&'a [u8], u32)>,
    rest: &'a [u8],
}

impl<'a> Iterator for BlockWalk<'a> {
    type Item = BlockEntry<'a>;

    fn next(&mut self) -> Option<BlockEntry<'a>> {
        #[cfg(test)]
        unpacked::COUNT.set(unpacked::COUNT.get() + 1);
        let (&header, mut rest) = self.rest.split_first()?;
        let ms = take_varint(&mut rest)?;
        let seq = take_varint(&mut rest)?;
        let seq = if ms == 0 { self.first.seq.checked_add(seq)? } else { seq };
        let id = EntryId::new(self.first.ms.checked_add(ms)?, seq);
        let shares_names = header & SAME_FIELDS != 0;
        let (pairs, names) = if shares_names {
            let (names, pairs) = self.names?;
            (pairs, Some(names))
        } else {
            (u32::try_from(take_varint(&mut rest)?).ok()?, None)
        };
        let body = rest;
        let strings = if shares_names { u64::from(pairs) } else { u64::from(pairs) * 2 };
        for _ in 0..strings {
            take_bytes(&mut rest)?;
        }
        let body = &body[..body.len() - rest.len()];
        self.names.get_or_insert((body, pairs));
        self.rest = rest;
        Some(BlockEntry { id, deleted: header & DELETED != 0, pairs, names, body })
    }
}
