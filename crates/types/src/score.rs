//! What entries are ordered by when a field decides: a number, or a time as milliseconds since 1970.

use std::cmp::Ordering;

use crate::iso_time::IsoTime;
use crate::limits::SCORE_BYTES_MAX;

/// A double that is a number. Infinities are; zero has one sign.
#[derive(Clone, Copy, Debug)]
pub struct Score(f64);

impl Score {
    /// Below every other.
    pub const MIN: Self = Self(f64::NEG_INFINITY);
    /// Above every other.
    pub const MAX: Self = Self(f64::INFINITY);

    /// The score of this value; `None` if it is not a number.
    pub fn new(value: f64) -> Option<Self> {
        // Minus zero plus zero is zero.
        (!value.is_nan()).then_some(Self(value + 0.0))
    }

    /// Reads a decimal number (`1770595200000`, `-1.5`, `2e3`, `inf`, `-inf`) or an ISO 8601 time, which stands for
    /// its first moment in milliseconds since 1970. No text is both. `None` if it is neither, is longer than
    /// [`SCORE_BYTES_MAX`], or is a number beyond the range of a double.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > SCORE_BYTES_MAX {
            return None;
        }
        Self::parse_number(text).or_else(|| IsoTime::parse(text).map(IsoTime::first_score))
    }

    /// Reads a decimal number; `None` as [`Self::parse`].
    pub fn parse_number(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= SCORE_BYTES_MAX)?;
        let value: f64 = text.parse().ok()?;
        let overflowed = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
        if overflowed { None } else { Self::new(value) }
    }

    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The next greater score; `None` above [`Self::MAX`].
    pub fn successor(self) -> Option<Self> {
        (self < Self::MAX).then(|| Self(self.0.next_up() + 0.0))
    }

    /// The next smaller score; `None` below [`Self::MIN`].
    pub fn predecessor(self) -> Option<Self> {
        (self > Self::MIN).then(|| Self(self.0.next_down() + 0.0))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_numbers_and_times() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(Score::parse(text.as_bytes()).map(Score::get), expected, "{text:?}");
        };
        check("0", Some(0.0));
        check("1770595200000", Some(1_770_595_200_000.0));
        check("+1.5", Some(1.5));
        check("-1.5e3", Some(-1500.0));
        check(".5", Some(0.5));
        check("inf", Some(f64::INFINITY));
        check("+inf", Some(f64::INFINITY));
        check("-Infinity", Some(f64::NEG_INFINITY));
        check("2026-02-09", Some(1_770_595_200_000.0));
        check("2026-02-09T00:00:00.25Z", Some(1_770_595_200_250.0));
        check("1969-12-31T23:59:59Z", Some(-1000.0));
        check("2026", Some(2026.0));
        for bad in ["", " 1", "1 ", "nan", "-nan", "x", "0x10", "1e999", "-1e999", "1_000", "2026-02", "1,5"]
        {
            check(bad, None);
        }
        assert_eq!(Score::parse(b"\xff1"), None);
    }

    #[test]
    fn a_long_text_is_no_number() {
        let number = |zeros: usize| [b"1".to_vec(), b"0".repeat(zeros)].concat();
        assert!(Score::parse(&number(SCORE_BYTES_MAX - 1)).is_some());
        assert_eq!(Score::parse(&number(SCORE_BYTES_MAX)), None);
        assert_eq!(Score::parse_number(&number(SCORE_BYTES_MAX)), None);
    }

    #[test]
    fn zero_has_one_sign_and_two_neighbours() {
        let zero = Score::parse(b"0").expect("a number");
        assert_eq!(Score::parse(b"-0"), Some(zero));
        assert_eq!(zero.successor().and_then(Score::predecessor), Some(zero));
        assert_eq!(zero.predecessor().and_then(Score::successor), Some(zero));
        assert_eq!(Score::MAX.successor(), None);
        assert_eq!(Score::MIN.predecessor(), None);
        assert!(Score::MIN.successor().is_some_and(|score| score.get().is_finite()));
    }

    proptest! {
        #[test]
        fn neighbours_are_neighbours(value in any::<f64>()) {
            let Some(score) = Score::new(value) else { return Ok(()) };
            if let Some(next) = score.successor() {
                prop_assert!(next > score);
                prop_assert_eq!(next.predecessor(), Some(score));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Score::parse(&bytes);
        }

        #[test]
        fn numbers_come_back(value in any::<f64>()) {
            prop_assert_eq!(Score::parse(value.to_string().as_bytes()), score_of(value));
        }
    }

    /// What [`Score::parse`] makes of a double's text: some are longer than it reads.
    fn score_of(value: f64) -> Option<Score> {
        if value.to_string().len() > SCORE_BYTES_MAX { None } else { Score::new(value) }
    }
}
