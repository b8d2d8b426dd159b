//! The id of a stream entry: milliseconds and a sequence number.

use std::fmt;

/// `ms-seq`, ordered by `ms`, then `seq`. `0-0` is no entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Unix milliseconds, or whatever the producer chose.
    pub ms: u64,
    /// Distinguishes entries of one millisecond.
    pub seq: u64,
}

/// The text is not `<u64>` or `<u64>-<u64>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid stream ID specified as stream command argument")]
pub struct ParseEntryIdError;

impl EntryId {
    /// `0-0`: below every entry.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The greatest id there is.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id `ms-seq`.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The next id, carrying into `ms`; `None` after [`EntryId::MAX`].
    pub const fn successor(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => match self.ms.checked_add(1) {
                Some(ms) => Some(Self { ms, seq: 0 }),
                None => None,
            },
        }
    }

    /// The previous id, borrowing from `ms`; `None` before [`EntryId::MIN`].
    pub const fn predecessor(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => match self.ms.checked_sub(1) {
                Some(ms) => Some(Self { ms, seq: u64::MAX }),
                None => None,
            },
        }
    }

    /// Parses `ms` or `ms-seq`, decimal, unsigned, 64 bits each. `missing_seq` stands in for an absent
    /// `-seq`: 0, except at the inclusive end of a range.
    ///
    /// # Errors
    /// [`ParseEntryIdError`] for anything else, the empty text and `-`/`+` included.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<Self, ParseEntryIdError> {
        match text.iter().position(|byte| *byte == b'-') {
            None => Ok(Self { ms: parse_u64(text)?, seq: missing_seq }),
            Some(dash) => Ok(Self { ms: parse_u64(&text[..dash])?, seq: parse_u64(&text[dash + 1..])? }),
        }
    }
}

/// Decimal digits alone, up to 64 bits.
pub(crate) fn parse_u64(digits: &[u8]) -> Result<u64, ParseEntryIdError> {
    if digits.is_empty() || digits.len() > 20 {
        return Err(ParseEntryIdError);
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(ParseEntryIdError);
        }
        value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit))).ok_or(ParseEntryIdError)
    })
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_what_redis_documents_and_nothing_else() {
        let check = |text: &str, expected: Result<EntryId, ParseEntryIdError>| {
            assert_eq!(EntryId::parse(text.as_bytes(), 7), expected, "{text:?}");
        };
        check("5", Ok(EntryId::new(5, 7)));
        check("5-0", Ok(EntryId::new(5, 0)));
        check("0-0", Ok(EntryId::MIN));
        check("18446744073709551615-18446744073709551615", Ok(EntryId::MAX));
        for bad in ["", "-", "+", "-1", "9-", "9--1", "1-2-3", "a", "1-a", "18446744073709551616", " 1"] {
            check(bad, Err(ParseEntryIdError));
        }
    }

    #[test]
    fn successor_carries_and_ends() {
        assert_eq!(EntryId::new(1, 2).successor(), Some(EntryId::new(1, 3)));
        assert_eq!(EntryId::new(1, u64::MAX).successor(), Some(EntryId::new(2, 0)));
        assert_eq!(EntryId::MAX.successor(), None);
        assert_eq!(EntryId::MIN.predecessor(), None);
    }

    proptest! {
        #[test]
        fn display_parses_back(ms: u64, seq: u64) {
            let id = EntryId::new(ms, seq);
            prop_assert_eq!(EntryId::parse(id.to_string().as_bytes(), 0), Ok(id));
        }

        #[test]
        fn predecessor_undoes_successor(ms: u64, seq: u64) {
            let id = EntryId::new(ms, seq);
            if let Some(next) = id.successor() {
                prop_assert!(next > id);
                prop_assert_eq!(next.predecessor(), Some(id));
            }
        }
    }
}
