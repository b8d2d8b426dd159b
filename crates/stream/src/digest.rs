//! A 64-bit hash that every build computes alike. It tells replicas apart and finds damage; it does not
//! withstand an adversary.

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const INCREMENT: u64 = 0xd1b5_4a32_d192_ed03;

/// A running hash of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(INCREMENT)
    }
}

impl Digest {
    /// Takes in one piece. Where pieces end matters.
    pub fn update(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        self.mix(u64::from_le_bytes(last));
    }

    pub fn value(&self) -> u64 {
        self.0
    }

    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        self.0 = ((product as u64) ^ ((product >> 64) as u64)).wrapping_add(INCREMENT).rotate_left(29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_piece_counts() {
        let base = [7u8; 37];
        let hash = |bytes: &[u8]| {
            let mut digest = Digest::default();
            digest.update(bytes);
            digest.value()
        };
        for bit in 0..base.len() * 8 {
            let mut flipped = base;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash(&flipped), hash(&base), "bit {bit}");
        }
        assert_ne!(hash(&base[..36]), hash(&base));
        assert_ne!(hash(&[]), hash(&[0]));
    }
}
