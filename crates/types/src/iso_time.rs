//! Times as people write them: the profile of ISO 8601 that RFC 3339 describes, a little wider.
//!
//! ```text
//! time  = date [ ("T" | "t" | " ") clock [ zone ] ]
//! date  = YYYY "-" MM "-" DD
//! clock = hh ":" mm [ ":" ss [ ("." | ",") 1*9 DIGIT ] ]
//! zone  = "Z" | "z" | ("+" | "-") hh [ [":"] mm ]
//! ```
//!
//! Without a zone a time is UTC. Leap seconds and hour 24 are refused: milliseconds since 1970 have no name for them.

use jiff::civil::{Date, DateTime, Time};

use crate::score::Score;

const DAY_MS: u32 = 86_400_000;
const MINUTE_MS: u32 = 60_000;
const SECOND_MS: u32 = 1000;
const NANOS_PER_MS: u32 = 1_000_000;

/// What a time names: a day, a minute, a second, a part of one. Years 0 to 9999 of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsoTime {
    /// Its first millisecond, since 1970.
    first_ms: i64,
    /// Beyond `first_ms`; below a million.
    nanos: u32,
    /// How many milliseconds are named; 0 if the time is written finer than that and so is an instant.
    span_ms: u32,
}

/// A reading cursor: `None` from any step means that the text is no time.
struct Cursor<'a>(&'a [u8]);

impl IsoTime {
    /// Reads a text that is a time and nothing else.
    pub fn parse(mut text: &[u8]) -> Option<Self> {
        let time = Self::take(&mut text)?;
        text.is_empty().then_some(time)
    }

    /// Takes a time off the front, as much of the text as belongs to it. A sign after a clock begins a zone; after a
    /// date or a zone it does not belong to the time.
    pub fn take(text: &mut &[u8]) -> Option<Self> {
        let mut cursor = Cursor(text);
        let date = cursor.date()?;
        let (clock, zone_s) = match cursor.0.first() {
            Some(b'T' | b't' | b' ') => {
                cursor.byte()?;
                (cursor.clock()?, cursor.zone()?)
            }
            _ => (Clock { time: Time::midnight(), nanos: 0, span_ms: DAY_MS }, 0),
        };
        let civil = DateTime::from_parts(date, clock.time);
        let seconds = civil.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_secs() - zone_s;
        let first_ms = seconds * 1000 + i64::from(clock.nanos / NANOS_PER_MS);
        *text = cursor.0;
        Some(Self { first_ms, nanos: clock.nanos % NANOS_PER_MS, span_ms: clock.span_ms })
    }

    /// The first millisecond of what is named, since 1970.
    pub fn first_ms(self) -> i64 {
        self.first_ms
    }

    /// The last millisecond of what is named, since 1970.
    pub fn last_ms(self) -> i64 {
        self.first_ms + i64::from(self.span_ms.max(1)) - 1
    }

    /// The first moment of what is named.
    pub fn first_score(self) -> Score {
        let ms = self.first_ms as f64 + f64::from(self.nanos) / f64::from(NANOS_PER_MS);
        Score::new(ms).expect("a time is a number")
    }

    /// The last score that is within what is named.
    pub fn last_score(self) -> Score {
        if self.span_ms == 0 {
            return self.first_score();
        }
        let end = Score::new((self.last_ms() + 1) as f64).expect("a time is a number");
        end.predecessor().expect("a time is finite")
    }
}

/// The time of a day.
struct Clock {
    /// To the second.
    time: Time,
    /// Of the second.
    nanos: u32,
    span_ms: u32,
}

impl Cursor<'_> {
    fn date(&mut self) -> Option<Date> {
        let year = self.digits(4)?;
        self.expect(b'-')?;
        let month = self.digits(2)?;
        self.expect(b'-')?;
        let day = self.digits(2)?;
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }

    fn clock(&mut self) -> Option<Clock> {
        let hour = self.digits(2)?;
        self.expect(b':')?;
        let minute = self.digits(2)?;
        let (mut second, mut nanos, mut span_ms) = (0, 0, MINUTE_MS);
        if self.skip(b':') {
            second = self.digits(2)?;
            span_ms = SECOND_MS;
            if self.skip(b'.') || self.skip(b',') {
                (nanos, span_ms) = self.fraction()?;
            }
        }
        let narrow = |value: u32| i8::try_from(value).ok();
        let time = Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()?;
        Some(Clock { time, nanos, span_ms })
    }

    /// A fraction of a second: its nanoseconds, and how many milliseconds its last digit stands for.
    fn fraction(&mut self) -> Option<(u32, u32)> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        let nanos = self.digits(length)? * 10u32.pow(9 - length as u32);
        Some((nanos, SECOND_MS / 10u32.pow(length.min(4) as u32)))
    }

    /// Seconds east of Greenwich.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            Some(b'Z' | b'z') => {
                self.byte()?;
                return Some(0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        self.byte()?;
        let hours = self.digits(2)?;
        let minutes = if self.skip(b':') || self.0.first().is_some_and(u8::is_ascii_digit) {
            self.digits(2)?
        } else {
            0
        };
        (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
    }

    /// Exactly so many decimal digits, at most nine.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let value = digits.iter().try_fold(0u32, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
        })?;
        self.0 = rest;
        Some(value)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        self.skip(wanted).then_some(())
    }

    fn skip(&mut self, wanted: u8) -> bool {
        let found = self.0.first() == Some(&wanted);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-02-09T00:00:00Z.
    const DAY: i64 = 1_770_595_200_000;
    const HOUR: i64 = 3_600_000;

    #[test]
    fn names_a_span_of_milliseconds() {
        let check = |text: &str, first_ms: i64, last_ms: i64| {
            let time = IsoTime::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is a time"));
            assert_eq!((time.first_ms(), time.last_ms()), (first_ms, last_ms), "{text:?}");
        };
        check("2026-02-09", DAY, DAY + 24 * HOUR - 1);
        check("2026-02-09T10:00", DAY + 10 * HOUR, DAY + 10 * HOUR + 59_999);
        check("2026-02-09T10:00Z", DAY + 10 * HOUR, DAY + 10 * HOUR + 59_999);
        check("2026-02-09T10:00:00Z", DAY + 10 * HOUR, DAY + 10 * HOUR + 999);
        check("2026-02-09t10:00:00z", DAY + 10 * HOUR, DAY + 10 * HOUR + 999);
        check("2026-02-09 10:00:00", DAY + 10 * HOUR, DAY + 10 * HOUR + 999);
        check("2026-02-09T00:00:00.5Z", DAY + 500, DAY + 599);
        check("2026-02-09T00:00:00.50Z", DAY + 500, DAY + 509);
        check("2026-02-09T00:00:00.500Z", DAY + 500, DAY + 500);
        check("2026-02-09T00:00:00,500Z", DAY + 500, DAY + 500);
        check("2026-02-09T00:00:00.500999999Z", DAY + 500, DAY + 500);
        check("2026-02-09T10:00:00+02:00", DAY + 8 * HOUR, DAY + 8 * HOUR + 999);
        check("2026-02-09T10:00:00+0230", DAY + 7 * HOUR + HOUR / 2, DAY + 7 * HOUR + HOUR / 2 + 999);
        check("2026-02-09T10:00-05", DAY + 15 * HOUR, DAY + 15 * HOUR + 59_999);
        check("2026-02-09T00:00:00.000-23:59", DAY + 24 * HOUR - 60_000, DAY + 24 * HOUR - 60_000);
        check("1970-01-01", 0, 24 * HOUR - 1);
        check("1969-12-31T23:59:59.999Z", -1, -1);
        check("2024-02-29", 1_709_164_800_000, 1_709_164_800_000 + 24 * HOUR - 1);
        check("0000-01-01", -62_167_219_200_000, -62_167_219_200_000 + 24 * HOUR - 1);
        check("9999-12-31T23:59:59.999Z", 253_402_300_799_999, 253_402_300_799_999);
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026",
            "2026-02",
            "20260209",
            "2026-2-9",
            "26-02-09",
            "12026-02-09",
            "-2026-02-09",
            "2026-02-30",
            "2025-02-29",
            "1900-02-29",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-01-32",
            "2026-02-09T",
            "2026-02-09T10",
            "2026-02-09T1000",
            "2026-02-09T24:00",
            "2026-02-09T23:60",
            "2026-02-09T23:59:60Z",
            "2026-02-09T10:0",
            "2026-02-09T10:00:",
            "2026-02-09T10:00:0",
            "2026-02-09T10:00:00.",
            "2026-02-09T10:00:00.0000000000Z",
            "2026-02-09T10:00.5Z",
            "2026-02-09T10:00:00ZZ",
            "2026-02-09T10:00:00+",
            "2026-02-09T10:00:00+2",
            "2026-02-09T10:00:00+24:00",
            "2026-02-09T10:00:00+02:60",
            "2026-02-09T10:00:00+02:0",
            "2026-02-09T10:00:00+020",
            "2026-02-09Z",
            "2026-02-09+02:00",
            "2026-02-09T10:00:00Z[Europe/Rome]",
            " 2026-02-09",
            "2026-02-09 ",
            "2026-W07-1",
            "2026-040",
            "２０２６-02-09",
        ] {
            assert_eq!(IsoTime::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn takes_no_more_than_the_time() {
        let check = |text: &str, rest: &str| {
            let mut left = text.as_bytes();
            assert!(IsoTime::take(&mut left).is_some(), "{text:?}");
            assert_eq!(left, rest.as_bytes(), "{text:?}");
        };
        check("2026-02-09-1", "-1");
        check("2026-02-09-*", "-*");
        check("2026-02-09T10:00Z-0500", "-0500");
        check("2026-02-09T10:00-0500-7", "-7");
        check("2026-02-09T10:00-05:00-7", "-7");
        check("2026-02-09T10:00+02-7", "-7");
    }

    #[test]
    fn scores_hold_what_is_finer_than_a_millisecond() {
        let time = |text: &str| IsoTime::parse(text.as_bytes()).expect("a time");
        let score = |ms: f64| Score::new(ms).expect("a number");
        let half = time("2026-02-09T00:00:00.0005Z");
        assert_eq!(
            (half.first_score(), half.last_score()),
            (score(DAY as f64 + 0.5), score(DAY as f64 + 0.5))
        );
        let day = time("2026-02-09");
        assert_eq!(day.first_score(), score(DAY as f64));
        assert!(day.last_score() < time("2026-02-10").first_score());
        assert_eq!(day.last_score().successor(), Some(time("2026-02-10").first_score()));
        assert!(
            time("2026-02-09T23:59:59.999999999").first_score() <= day.last_score().successor().expect("one")
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = IsoTime::parse(&bytes);
        }

        #[test]
        fn what_looks_like_a_time_never_panics(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.,]{0,14}([Zz]|[+-][0-9:]{0,6})?)?(-[0-9*]{0,3})?") {
            let mut rest = text.as_bytes();
            if let Some(time) = IsoTime::take(&mut rest) {
                prop_assert!(time.first_ms() <= time.last_ms());
                prop_assert!(time.first_score() <= time.last_score());
                let taken = &text.as_bytes()[..text.len() - rest.len()];
                prop_assert_eq!(IsoTime::parse(taken), Some(time));
            }
        }

        #[test]
        fn agrees_with_the_library_on_every_instant(ms in -62_135_596_800_000i64..253_402_300_800_000) {
            let days = ms.div_euclid(86_400_000);
            let of_day = ms.rem_euclid(86_400_000);
            let epoch = jiff::civil::date(1970, 1, 1);
            let date = epoch.checked_add(jiff::Span::new().days(days)).expect("within the calendar");
            let text = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                date.year(), date.month(), date.day(),
                of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000,
            );
            let time = IsoTime::parse(text.as_bytes()).expect("a time");
            prop_assert_eq!((time.first_ms(), time.last_ms()), (ms, ms));
        }
    }
}
