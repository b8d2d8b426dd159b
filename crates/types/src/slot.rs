//! Slots, as Redis Cluster defines them: CRC16-XMODEM of the key or its hash tag, modulo 16384.

use crc::{CRC_16_XMODEM, Crc, Table};

/// How many slots there are; slots run from 0 to one less.
pub const SLOT_COUNT: u16 = 16_384;

const CRC: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// A slot, always below [`SLOT_COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a key's name. Keys that share a non-empty `{tag}` share a slot.
    pub fn of(name: &[u8]) -> Self {
        Self(CRC.checksum(hash_tag(name)) % SLOT_COUNT)
    }

    /// The slot with this number, or `None` from [`SLOT_COUNT`] on.
    pub const fn new(raw: u16) -> Option<Self> {
        if raw < SLOT_COUNT { Some(Self(raw)) } else { None }
    }

    /// The number, below [`SLOT_COUNT`].
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What of a key's name is hashed: between the first `{` and the first `}` after it, if that is not
/// empty; else the whole name (Redis Cluster specification, "Hash tags").
pub fn hash_tag(name: &[u8]) -> &[u8] {
    let Some(open) = name.iter().position(|byte| *byte == b'{') else { return name };
    let body = &name[open + 1..];
    match body.iter().position(|byte| *byte == b'}') {
        Some(close) if close > 0 => &body[..close],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_match_redis_cluster() {
        // From the Redis Cluster specification and `CLUSTER KEYSLOT` of redis-server 7.0.
        for (key, slot) in [("123456789", 12739), ("foo", 12182), ("bar", 5061), ("hello", 866), ("", 0)] {
            assert_eq!(Slot::of(key.as_bytes()).get(), slot, "{key}");
        }
    }

    #[test]
    fn hash_tags_decide_when_not_empty() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
        ] {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }

    #[test]
    fn bounds_are_refused() {
        assert!(Slot::new(SLOT_COUNT - 1).is_some());
        assert!(Slot::new(SLOT_COUNT).is_none());
    }
}
