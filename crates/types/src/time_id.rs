//! An entry id written as a time: `2026-02-09`, `2026-02-09T10:00:00Z-3`.
//!
//! A time leaves open what it does not say, as Redis's `ms` leaves open the sequence number: which id it stands for
//! depends on where it is read. With a sequence number it is one id, that of the time's first millisecond.
//!
//! The date's own dashes are no trouble: a date is read first and has three numbers of two or four digits; a dash after
//! that begins the sequence number. After a clock a sign begins the zone, so there a sequence number needs a zone
//! before it (`10:00Z-5`, never `10:00-5`).

use crate::entry_id::{EntryId, parse_u64};
use crate::iso_time::IsoTime;

/// What a time, with or without a sequence number, names: all ids from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeId {
    first: EntryId,
    last: EntryId,
    names_one_ms: bool,
}

impl TimeId {
    /// Reads `<time>` or `<time>-<u64>`; `None` for anything else and for times before 1970, which no id has.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut rest = text;
        let time = IsoTime::take(&mut rest)?;
        let first_ms = u64::try_from(time.first_ms()).ok()?;
        let last_ms = u64::try_from(time.last_ms()).ok()?;
        match rest.split_first() {
            None => Some(Self {
                first: EntryId::new(first_ms, 0),
                last: EntryId::new(last_ms, u64::MAX),
                names_one_ms: first_ms == last_ms,
            }),
            Some((b'-', seq)) => {
                let id = EntryId::new(first_ms, parse_u64(seq).ok()?);
                Some(Self { first: id, last: id, names_one_ms: true })
            }
            Some(_) => None,
        }
    }

    /// The first id named.
    pub fn first(self) -> EntryId {
        self.first
    }

    /// The last id named.
    pub fn last(self) -> EntryId {
        self.last
    }

    /// The id, where one entry is meant: `None` if more than a millisecond is named. A missing sequence number
    /// is zero, as in a plain id.
    pub fn exact(self) -> Option<EntryId> {
        self.names_one_ms.then_some(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = 1_770_595_200_000;

    #[test]
    fn reads_times_with_and_without_sequence_numbers() {
        let check = |text: &str, first: (u64, u64), last: (u64, u64), is_exact: bool| {
            let id = TimeId::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is an id"));
            assert_eq!(id.first(), EntryId::new(first.0, first.1), "{text:?}");
            assert_eq!(id.last(), EntryId::new(last.0, last.1), "{text:?}");
            assert_eq!(id.exact(), is_exact.then_some(id.first()), "{text:?}");
        };
        check("2026-02-09", (DAY, 0), (DAY + 86_399_999, u64::MAX), false);
        check("2026-02-09-1", (DAY, 1), (DAY, 1), true);
        check("2026-02-09-0500", (DAY, 500), (DAY, 500), true);
        check("2026-02-09T00:00Z", (DAY, 0), (DAY + 59_999, u64::MAX), false);
        check("2026-02-09T00:00Z-7", (DAY, 7), (DAY, 7), true);
        check("2026-02-09T02:00+02:00-7", (DAY, 7), (DAY, 7), true);
        check("2026-02-09T00:00:00.001Z", (DAY + 1, 0), (DAY + 1, u64::MAX), true);
        check("2026-02-09T00:00:00.001999Z", (DAY + 1, 0), (DAY + 1, u64::MAX), true);
        check("2026-02-08T19:00-0500", (DAY, 0), (DAY + 59_999, u64::MAX), false);
        check("1970-01-01-18446744073709551615", (0, u64::MAX), (0, u64::MAX), true);
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in [
            "",
            "-",
            "+",
            "2026-02-09-",
            "2026-02-09--1",
            "2026-02-09-1-1",
            "2026-02-09-x",
            "2026-02-09-*",
            "2026-02-09-18446744073709551616",
            "2026-02-09T10:00-5",
            "2026-02-09T10:00Z-",
            "1969-12-31",
            "1970-01-01T00:00+00:01",
            "(2026-02-09",
            "2026-02-09 -1",
        ] {
            assert_eq!(TimeId::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_plain_id_and_a_time(text in "[0-9]{1,5}(-[0-9]{1,3}){0,3}") {
            let plain = EntryId::parse(text.as_bytes(), 0).is_ok();
            prop_assert!(!plain || TimeId::parse(text.as_bytes()).is_none());
        }

        #[test]
        fn a_sequence_number_makes_one_id(day in 1u32..28, seq: u64) {
            let text = format!("2026-03-{day:02}");
            let with = TimeId::parse(format!("{text}-{seq}").as_bytes()).expect("an id");
            let without = TimeId::parse(text.as_bytes()).expect("an id");
            prop_assert_eq!(with.exact(), Some(EntryId::new(without.first().ms, seq)));
        }
    }
}
