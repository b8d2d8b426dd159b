//! Field-value pairs and entries in packed form: one buffer, no allocation an item, the same bytes in
//! commands, in answers and between nodes.
//!
//! Pairs: `(length, field, length, value)*`. Entries: `(ms, seq, pairs, pair bytes)*`, where zero pairs mark
//! an entry that is pending but deleted. Numbers are LEB128 varints.

use bytes::Bytes;
use rivermark_types::EntryId;

use crate::allowance::{ReplySize, entry_reply_bytes};
use crate::varint::{put_varint, take_varint, varint_len};

/// The field-value pairs of one entry, in the order given, repeats kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    packed: Bytes,
    pairs: u32,
}

impl Fields {
    /// Packs pairs of field and value, into one allocation of just the size they take.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8]), IntoIter: Clone>) -> Self {
        let pairs = pairs.into_iter();
        let bytes = pairs.clone().map(|(field, value)| packed_len(field) + packed_len(value)).sum();
        let mut packed = Vec::with_capacity(bytes);
        let mut count = 0;
        for (field, value) in pairs {
            put_bytes(&mut packed, field);
            put_bytes(&mut packed, value);
            count += 1;
        }
        Self { packed: packed.into(), pairs: count }
    }

    /// Wraps packed bytes that hold exactly `pairs` pairs; `None` if they do not.
    pub fn from_packed(packed: Bytes, pairs: u32) -> Option<Self> {
        let mut rest: &[u8] = &packed;
        for _ in 0..u64::from(pairs) * 2 {
            take_bytes(&mut rest)?;
        }
        rest.is_empty().then_some(Self { packed, pairs })
    }

    /// How many pairs.
    pub fn pairs(&self) -> u32 {
        self.pairs
    }

    /// The packed bytes.
    pub fn packed(&self) -> &Bytes {
        &self.packed
    }

    /// The pairs in order.
    pub fn iter(&self) -> FieldsIter<'_> {
        FieldsIter { rest: &self.packed, left: self.pairs }
    }
}

/// Iterates over pairs of field and value.
#[derive(Clone, Debug)]
pub struct FieldsIter<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> FieldsIter<'a> {
    /// Over the `pairs` pairs packed at the front of `packed`.
    pub(crate) fn new(packed: &'a [u8], pairs: u32) -> Self {
        Self { rest: packed, left: pairs }
    }
}

impl<'a> Iterator for FieldsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((take_bytes(&mut self.rest)?, take_bytes(&mut self.rest)?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// A list of entries in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    packed: Bytes,
    count: u32,
}

/// One entry of an [`Entries`].
#[derive(Clone, Debug)]
pub struct EntryRef<'a> {
    /// The entry's id.
    pub id: EntryId,
    /// Its pairs; `None` if the entry is deleted but still pending.
    pub fields: Option<FieldsIter<'a>>,
}

impl Entries {
    /// Wraps packed bytes that hold exactly `count` entries; `None` if they do not.
    pub fn from_packed(packed: Bytes, count: u32) -> Option<Self> {
        let mut iter = EntriesIter { rest: &packed, left: count };
        let read = iter.by_ref().count();
        (read == count as usize && iter.rest.is_empty()).then_some(Self { packed, count })
    }

    /// How many entries, deleted ones included.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The packed bytes.
    pub fn packed(&self) -> &Bytes {
        &self.packed
    }

    /// The entries in order.
    pub fn iter(&self) -> EntriesIter<'_> {
        EntriesIter { rest: &self.packed, left: self.count }
    }
}

/// Iterates over entries.
#[derive(Clone, Debug)]
pub struct EntriesIter<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Iterator for EntriesIter<'a> {
    type Item = EntryRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let id = EntryId::new(take_varint(&mut self.rest)?, take_varint(&mut self.rest)?);
        let pairs = u32::try_from(take_varint(&mut self.rest)?).ok()?;
        let fields = FieldsIter { rest: self.rest, left: pairs };
        for _ in 0..u64::from(pairs) * 2 {
            take_bytes(&mut self.rest)?;
        }
        Some(EntryRef { id, fields: (pairs > 0).then_some(fields) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

/// Builds an [`Entries`].
#[derive(Debug, Default)]
pub struct EntriesBuilder {
    packed: Vec<u8>,
    count: u32,
}

impl EntriesBuilder {
    /// Starts an entry; the caller adds exactly `pairs` pairs with [`Self::pair`].
    pub fn begin(&mut self, id: EntryId, pairs: u32) {
        put_varint(&mut self.packed, id.ms);
        put_varint(&mut self.packed, id.seq);
        put_varint(&mut self.packed, u64::from(pairs));
        self.count += 1;
    }

    /// Adds a pair to the entry begun last.
    pub fn pair(&mut self, field: &[u8], value: &[u8]) {
        put_bytes(&mut self.packed, field);
        put_bytes(&mut self.packed, value);
    }

    /// Adds all pairs of the entry begun last, packed as [`Fields`] packs them.
    pub(crate) fn packed_pairs(&mut self, packed: &[u8]) {
        self.packed.extend_from_slice(packed);
    }

    /// Adds a pending entry that is deleted.
    pub fn deleted(&mut self, id: EntryId) {
        self.begin(id, 0);
    }

    /// Entries so far.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.packed.len()
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The list.
    pub fn finish(self) -> Entries {
        Entries { packed: self.packed.into(), count: self.count }
    }
}

impl ReplySize for EntryRef<'_> {
    fn reply_bytes(&self) -> u64 {
        let fields = self.fields.clone();
        let pairs = fields.as_ref().map(|fields| fields.size_hint().0 as u64);
        let lengths = fields.into_iter().flatten().map(|(field, value)| (field.len(), value.len()));
        entry_reply_bytes(self.id, pairs, lengths)
    }

    fn kept_bytes(&self) -> u64 {
        let fields = self.fields.clone().into_iter().flatten();
        let strings: usize = fields.map(|(field, value)| packed_len(field) + packed_len(value)).sum();
        (strings + size_of::<EntryId>()) as u64
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn packed_len(bytes: &[u8]) -> usize {
    varint_len(bytes.len() as u64) + bytes.len()
}

pub(crate) fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_come_back_in_order(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let fields = Fields::from_pairs(pairs.iter().map(|(f, v)| (&f[..], &v[..])));
            let read: Vec<_> = fields.iter().map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(read, pairs);
            let again = Fields::from_packed(fields.packed().clone(), fields.pairs());
            prop_assert_eq!(again.as_ref(), Some(&fields));
            prop_assert_eq!(Fields::from_packed(fields.packed().clone(), fields.pairs() + 1), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, count in 0u32..100) {
            let packed = Bytes::from(bytes);
            let _ = Fields::from_packed(packed.clone(), count);
            let _ = Entries::from_packed(packed, count);
        }
    }

    #[test]
    fn entries_come_back_with_deleted_ones() {
        let mut builder = EntriesBuilder::default();
        builder.begin(EntryId::new(1, 2), 2);
        builder.pair(b"a", b"1");
        builder.pair(b"b", b"");
        builder.deleted(EntryId::MAX);
        let entries = builder.finish();
        let read: Vec<_> = entries.iter().map(|e| (e.id, e.fields.map(|f| f.count()))).collect();
        assert_eq!(read, [(EntryId::new(1, 2), Some(2)), (EntryId::MAX, None)]);
        assert_eq!(Entries::from_packed(entries.packed().clone(), 2), Some(entries));
    }
}
