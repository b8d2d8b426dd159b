//! The block as snapshots hold it: its fields, then the packed bytes as they are.

use super::{Block, DELETED, SAME_FIELDS};
use crate::codec::{DecodeError, Reader, WireValue};
use bytes::Bytes;
use rivermark_types::EntryId;

impl Block {
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.first.encode(out);
        self.last.encode(out);
        self.live.encode(out);
        self.deleted.encode(out);
        self.listpack_bytes.encode(out);
        crate::varint::put_varint(out, self.packed.len() as u64);
        out.extend_from_slice(&self.packed);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let block = Self {
            first: EntryId::decode(reader)?,
            last: EntryId::decode(reader)?,
            live: u32::decode(reader)?,
            deleted: u32::decode(reader)?,
            listpack_bytes: u32::decode(reader)?,
            packed: Bytes::decode(reader)?.to_vec(),
        };
        if block.is_sound() { Ok(block) } else { Err(DecodeError::Invalid("block")) }
    }

    /// Whether the packed bytes hold what the counters say, in order.
    pub fn is_sound(&self) -> bool {
        let mut walk = self.all();
        let (mut live, mut deleted) = (0u32, 0u32);
        let mut previous: Option<EntryId> = None;
        loop {
            let known = walk.rest.first().is_none_or(|header| header & !(DELETED | SAME_FIELDS) == 0);
            let Some(entry) = walk.next() else { break };
            let ascends = previous.is_none_or(|previous| previous < entry.id);
            if !known || !ascends || entry.pairs == 0 {
                return false;
            }
            let count = if entry.deleted { &mut deleted } else { &mut live };
            *count += 1;
            if previous.is_none() && entry.id != self.first {
                return false;
            }
            previous = Some(entry.id);
        }
        walk.rest.is_empty()
            && previous == Some(self.last)
            && live > 0
            && (live, deleted) == (self.live, self.deleted)
    }
}
