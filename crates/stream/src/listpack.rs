//! How many bytes Redis would need for a value in a listpack.
//!
//! Redis begins a new storage node when the current one would exceed `stream-node-max-bytes`, and `~`
//! trimming shows where nodes end. To cut blocks at the same entries a block keeps the size its entries
//! would have in Redis's encoding (listpack.c: header, elements as encoded number or string, a
//! back-length each), although it stores them in another.

/// A listpack's header and end mark.
pub(crate) const EMPTY_BYTES: u32 = 7;

/// Bytes of a number.
pub(crate) const fn integer_bytes(value: i64) -> u32 {
    with_back_length(match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32_768..=32_767 => 3,
        -8_388_608..=8_388_607 => 4,
        -2_147_483_648..=2_147_483_647 => 5,
        _ => 9,
    })
}

/// Bytes of a string; one that reads as a number is stored as one.
pub(crate) fn string_bytes(value: &[u8]) -> u32 {
    if let Some(number) = canonical_integer(value) {
        return integer_bytes(number);
    }
    let length = value.len() as u32;
    with_back_length(match length {
        0..64 => 1 + length,
        64..4096 => 2 + length,
        _ => 5 + length,
    })
}

const fn with_back_length(encoded: u32) -> u32 {
    encoded
        + match encoded {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        }
}

/// The number a text stands for if it is the number's only decimal form.
fn canonical_integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        let digit = i64::from(digit);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_text() {
        for (text, number) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("42", Some(42)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("007", None),
            ("+1", None),
            ("1a", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(canonical_integer(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn sizes_step_where_the_encoding_does() {
        for (value, bytes) in
            [(0, 2), (127, 2), (128, 3), (-1, 3), (4095, 3), (4096, 4), (1 << 23, 6), (1 << 31, 10)]
        {
            assert_eq!(integer_bytes(value), bytes, "{value}");
        }
        for (length, bytes) in [(1, 3), (63, 65), (64, 67), (126, 130), (4095, 4099), (4096, 4103)] {
            assert_eq!(string_bytes(&vec![b'x'; length]), bytes, "{length}");
        }
    }
}
