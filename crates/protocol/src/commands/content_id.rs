//! The id IDMPAUTO gives an entry: a hash of its pairs, whatever their order.
//!
//! It is worked out once, where the command enters the cluster, and replicated like an id the client chose.
//! Clients never see it.

use bytes::Bytes;
use rivermark_stream::Fields;

const MULTIPLIERS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f];
const SEEDS: [u64; 2] = [0xd1b5_4a32_d192_ed03, 0xe703_7ed1_a0b4_28db];

/// 128 bits over the pairs. Which value belongs to which field counts, and how often a pair is there.
pub(super) fn content_id(fields: &Fields) -> Bytes {
    let mut sums = [0u64; 2];
    for (field, value) in fields.iter() {
        for (sum, lane) in sums.iter_mut().zip([0, 1]) {
            *sum = sum.wrapping_add(hash(lane, &[field, value]));
        }
    }
    let [low, high] = sums;
    let [low, high] = [0, 1].map(|lane| hash(lane, &[&low.to_le_bytes(), &high.to_le_bytes()]));
    Bytes::from([low.to_le_bytes(), high.to_le_bytes()].concat())
}

/// One of two independent hashes of the strings; where each ends counts.
fn hash(lane: usize, strings: &[&[u8]]) -> u64 {
    let mut state = SEEDS[lane];
    let mut mix = |word: u64| {
        let product = u128::from(state ^ word) * u128::from(MULTIPLIERS[lane]);
        state = ((product as u64) ^ ((product >> 64) as u64)).wrapping_add(SEEDS[lane]).rotate_left(29);
    };
    for string in strings {
        mix(string.len() as u64);
        let (words, tail) = string.as_chunks::<8>();
        words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        mix(u64::from_le_bytes(last));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(pairs: &[(&str, &str)]) -> Bytes {
        content_id(&Fields::from_pairs(
            pairs.iter().map(|(field, value)| (field.as_bytes(), value.as_bytes())),
        ))
    }

    #[test]
    fn order_of_pairs_does_not_count_but_all_else_does() {
        let base = id(&[("a", "1"), ("b", "2")]);
        assert_eq!(base.len(), 16);
        assert_eq!(id(&[("b", "2"), ("a", "1")]), base);
        for other in [
            &[("a", "2"), ("b", "1")][..],
            &[("a", "1"), ("b", "2"), ("b", "2")],
            &[("a", "1")],
            &[("1", "a"), ("b", "2")],
            &[("a1", ""), ("b", "2")],
            &[("a", "1"), ("b", "2"), ("", "")],
        ] {
            assert_ne!(id(other), base, "{other:?}");
        }
        assert_ne!(id(&[("x", "y"), ("x", "y")]), id(&[("z", "y"), ("z", "y")]));
    }
}
