//! Keys: a database number and a name, ordered by slot and hash rather than by name.
//!
//! The order makes three things cheap: the keys of a slot are neighbours (CLUSTER GETKEYSINSLOT, moving
//! a slot), a SCAN cursor is a position that stays valid whatever is added or removed, and comparing
//! two keys almost always compares one integer.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use crc::{CRC_64_XZ, Crc, Table};

use crate::limits::DATABASES;
use crate::slot::Slot;

const CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);
const HASH_BITS: u32 = 50;

/// A numbered database of SELECT, below [`DATABASES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseIndex(u8);

impl DatabaseIndex {
    /// The database with this number, or `None` from [`DATABASES`] on.
    pub const fn new(raw: u8) -> Option<Self> {
        if raw < DATABASES { Some(Self(raw)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Where a key stands in the keyspace's order: its slot (14 bits), then 50 bits of its hash.
/// Several keys may share a position. Positions are SCAN cursors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPosition(u64);

impl KeyPosition {
    /// Before every key.
    pub const START: Self = Self(0);

    /// The position with this raw value; every value is one.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The first position of a slot.
    pub const fn of_slot(slot: Slot) -> Self {
        Self((slot.get() as u64) << HASH_BITS)
    }

    /// The slot this position lies in.
    pub const fn slot(self) -> Slot {
        match Slot::new((self.0 >> HASH_BITS) as u16) {
            Some(slot) => slot,
            None => unreachable!(),
        }
    }

    /// The raw value.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next position; `None` after the last.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }
}

/// A stream's key: database and name. The slot comes from the name alone.
#[derive(Clone)]
pub struct StreamKey {
    position: KeyPosition,
    database: DatabaseIndex,
    name: Bytes,
}

impl StreamKey {
    /// The key `name` of `database`.
    pub fn new(database: DatabaseIndex, name: Bytes) -> Self {
        let mut digest = CRC.digest();
        digest.update(&[database.get()]);
        digest.update(&name);
        let hash = digest.finalize() >> (u64::BITS - HASH_BITS);
        let position = KeyPosition((u64::from(Slot::of(&name).get()) << HASH_BITS) | hash);
        Self { position, database, name }
    }

    /// A key that sorts before every key at `position` and after every key below it. Only a bound: its name
    /// is empty and its hash is not its name's.
    pub const fn lower_bound(position: KeyPosition) -> Self {
        Self { position, database: DatabaseIndex(0), name: Bytes::new() }
    }

    /// Where the key stands in the keyspace's order.
    pub fn position(&self) -> KeyPosition {
        self.position
    }

    /// The slot of the key's name.
    pub fn slot(&self) -> Slot {
        self.position.slot()
    }

    /// The database the key lives in.
    pub fn database(&self) -> DatabaseIndex {
        self.database
    }

    /// The name as the client wrote it.
    pub fn name(&self) -> &Bytes {
        &self.name
    }

    /// The same key with its name in memory of its own, so that keeping the key does not keep the
    /// network buffer it was parsed from.
    pub fn detached(&self) -> Self {
        Self { name: Bytes::copy_from_slice(&self.name), ..self.clone() }
    }
}

impl PartialEq for StreamKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for StreamKey {}

impl Ord for StreamKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position
            .cmp(&other.position)
            .then_with(|| self.database.cmp(&other.database))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for StreamKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for StreamKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.position.hash(state);
        self.database.hash(state);
        self.name.hash(state);
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.database.get(), self.name.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(database: u8, name: &'static str) -> StreamKey {
        let database = DatabaseIndex::new(database).expect("database in range");
        StreamKey::new(database, Bytes::from_static(name.as_bytes()))
    }

    #[test]
    fn keys_of_a_slot_are_neighbours() {
        let mut keys = [key(0, "{a}1"), key(0, "b"), key(1, "{a}2"), key(0, "c"), key(0, "{a}3")];
        keys.sort();
        let slots: Vec<u16> = keys.iter().map(|k| k.slot().get()).collect();
        assert!(slots.is_sorted());
        assert!(keys.iter().all(|k| k.position() >= KeyPosition::of_slot(k.slot())));
    }

    #[test]
    fn the_database_is_part_of_identity_but_not_of_the_slot() {
        assert_ne!(key(0, "s"), key(1, "s"));
        assert_eq!(key(0, "s").slot(), key(1, "s").slot());
    }

    #[test]
    fn database_bounds() {
        assert!(DatabaseIndex::new(DATABASES - 1).is_some());
        assert!(DatabaseIndex::new(DATABASES).is_none());
    }
}
