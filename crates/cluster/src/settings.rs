//! Settings of the whole cluster: typed, bounded, replicated.
//!
//! A setting is one row of [`Setting::spec`]; its number is durable and never reused. What is stored is
//! only what differs from the default, so a default may change with a release. Nothing here is local to a
//! node, and nothing secret belongs here.

use std::collections::BTreeMap;

use rivermark_types::limits::{
    BLOCK_BYTES_DEFAULT, BLOCK_ENTRIES_DEFAULT, IDEMPOTENT_PAIRS_DEFAULT, IDEMPOTENT_PAIRS_MAX,
    IDEMPOTENT_S_DEFAULT, IDEMPOTENT_S_MAX,
};

/// A setting that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// `stream-node-max-entries`.
    StreamNodeMaxEntries,
    /// `stream-node-max-bytes`.
    StreamNodeMaxBytes,
    /// `cluster-redirects`.
    ClusterRedirects,
    /// `stream-idmp-duration`.
    StreamIdmpDuration,
    /// `stream-idmp-maxsize`.
    StreamIdmpMaxsize,
}

/// How a setting is written and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Stream entries.
    Entries,
    /// Bytes; `kb`, `mb`, `gb` (1024) and `k`, `m`, `g` (1000) may follow the number, as Redis has it.
    Bytes,
    /// Seconds.
    Seconds,
    /// `no` (0) or `yes` (1).
    YesNo,
}

/// All there is to know about a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingSpec {
    /// As CONFIG GET and SET write it.
    pub name: &'static str,
    /// What the value counts.
    pub unit: Unit,
    /// The value while nobody set one.
    pub default: u64,
    /// The least value allowed.
    pub min: u64,
    /// The greatest value allowed.
    pub max: u64,
    /// One sentence for operators.
    pub summary: &'static str,
}

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting has this name.
    #[error("unknown setting '{0}'")]
    UnknownName(String),
    /// The text is no value of the setting's unit.
    #[error("{}", not_a_value(*.0))]
    NotAValue(Setting),
    /// The value is a number outside the bounds.
    #[error("argument must be between {} and {} inclusive", .0.spec().min, .0.spec().max)]
    OutOfBounds(Setting),
}

fn not_a_value(setting: Setting) -> &'static str {
    match setting.spec().unit {
        Unit::Entries | Unit::Seconds => "argument couldn't be parsed into an integer",
        Unit::Bytes => "argument must be a memory value",
        Unit::YesNo => "argument must be 'yes' or 'no'",
    }
}

impl Setting {
    /// Every setting, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::StreamNodeMaxEntries,
        Self::StreamNodeMaxBytes,
        Self::ClusterRedirects,
        Self::StreamIdmpDuration,
        Self::StreamIdmpMaxsize,
    ];

    /// The number in encodings.
    pub const fn number(self) -> u64 {
        match self {
            Self::StreamNodeMaxEntries => 1,
            Self::StreamNodeMaxBytes => 2,
            Self::ClusterRedirects => 3,
            Self::StreamIdmpDuration => 4,
            Self::StreamIdmpMaxsize => 5,
        }
    }

    /// The setting with this number, if this release knows it.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.number() == number)
    }

    /// The setting with this name, in any case.
    ///
    /// # Errors
    /// [`SettingError::UnknownName`].
    pub fn from_name(name: &str) -> Result<Self, SettingError> {
        Self::ALL
            .into_iter()
            .find(|setting| setting.spec().name.eq_ignore_ascii_case(name))
            .ok_or_else(|| SettingError::UnknownName(name.to_owned()))
    }

    /// Name, unit, default, bounds.
    pub const fn spec(self) -> SettingSpec {
        match self {
            Self::StreamNodeMaxEntries => SettingSpec {
                name: "stream-node-max-entries",
                unit: Unit::Entries,
                default: BLOCK_ENTRIES_DEFAULT as u64,
                min: 0,
                max: u32::MAX as u64,
                summary: "Entries of one storage block of a stream; 0 is no bound.",
            },
            Self::StreamNodeMaxBytes => SettingSpec {
                name: "stream-node-max-bytes",
                unit: Unit::Bytes,
                default: BLOCK_BYTES_DEFAULT as u64,
                min: 0,
                max: u32::MAX as u64,
                summary: "Bytes of one storage block of a stream; 0 is no bound.",
            },
            Self::ClusterRedirects => SettingSpec {
                name: "cluster-redirects",
                unit: Unit::YesNo,
                default: 0,
                min: 0,
                max: 1,
                summary: "Whether nodes answer MOVED for shards they do not lead, rather than forwarding.",
            },
            Self::StreamIdmpDuration => SettingSpec {
                name: "stream-idmp-duration",
                unit: Unit::Seconds,
                default: IDEMPOTENT_S_DEFAULT as u64,
                min: 1,
                max: IDEMPOTENT_S_MAX as u64,
                summary: "For how long a stream remembers an idempotent id, unless XCFGSET said otherwise.",
            },
            Self::StreamIdmpMaxsize => SettingSpec {
                name: "stream-idmp-maxsize",
                unit: Unit::Entries,
                default: IDEMPOTENT_PAIRS_DEFAULT as u64,
                min: 1,
                max: IDEMPOTENT_PAIRS_MAX as u64,
                summary: "Idempotent ids a stream remembers of a producer, unless XCFGSET said otherwise.",
            },
        }
    }

    /// Reads a value as CONFIG SET is given it.
    ///
    /// # Errors
    /// The text is no value of the unit, or out of bounds.
    pub fn parse(self, text: &str) -> Result<u64, SettingError> {
        let parsed = match self.spec().unit {
            Unit::Entries | Unit::Seconds => parse_digits(text),
            Unit::Bytes => parse_bytes(text),
            Unit::YesNo if text.eq_ignore_ascii_case("yes") => Some(1),
            Unit::YesNo if text.eq_ignore_ascii_case("no") => Some(0),
            Unit::YesNo => None,
        };
        let value = parsed.ok_or(SettingError::NotAValue(self))?;
        self.check(value).map(|()| value)
    }

    /// Whether the value is within the bounds.
    ///
    /// # Errors
    /// [`SettingError::OutOfBounds`].
    pub fn check(self, value: u64) -> Result<(), SettingError> {
        let spec = self.spec();
        if (spec.min..=spec.max).contains(&value) { Ok(()) } else { Err(SettingError::OutOfBounds(self)) }
    }

    /// Writes a value as CONFIG GET shows it.
    pub fn render(self, value: u64) -> String {
        match self.spec().unit {
            Unit::Entries | Unit::Seconds | Unit::Bytes => value.to_string(),
            Unit::YesNo => if value == 0 { "no" } else { "yes" }.to_owned(),
        }
    }
}

/// Digits only; saturates, so that a number too great is out of bounds rather than not a number.
fn parse_digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    let unit = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    parse_digits(number).map(|number| number.saturating_mul(unit))
}

/// The values in force.
///
/// Invariant: every stored value is within its setting's bounds and differs from the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClusterSettings {
    changed: BTreeMap<Setting, u64>,
}

impl ClusterSettings {
    /// The value of a setting.
    pub fn get(&self, setting: Setting) -> u64 {
        self.changed.get(&setting).copied().unwrap_or(setting.spec().default)
    }

    /// Every setting with its value as text, for CONFIG GET.
    pub fn rendered(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        Setting::ALL.into_iter().map(|setting| (setting.spec().name, setting.render(self.get(setting))))
    }

    /// Entries of one storage block; 0 is no bound.
    pub fn stream_node_max_entries(&self) -> u32 {
        self.get_u32(Setting::StreamNodeMaxEntries)
    }

    /// Bytes of one storage block; 0 is no bound.
    pub fn stream_node_max_bytes(&self) -> u32 {
        self.get_u32(Setting::StreamNodeMaxBytes)
    }

    /// Seconds for which a stream remembers an idempotent id.
    pub fn stream_idmp_duration_s(&self) -> u32 {
        self.get_u32(Setting::StreamIdmpDuration)
    }

    /// Idempotent ids a stream remembers of one producer.
    pub fn stream_idmp_maxsize(&self) -> u32 {
        self.get_u32(Setting::StreamIdmpMaxsize)
    }

    /// Whether clients are sent to the leader (MOVED) or served from any node.
    pub fn redirects(&self) -> Redirects {
        if self.get(Setting::ClusterRedirects) == 0 { Redirects::Forward } else { Redirects::Redirect }
    }

    fn get_u32(&self, setting: Setting) -> u32 {
        u32::try_from(self.get(setting)).expect("the bounds of these settings are within those of u32")
    }

    /// The values that differ from their defaults.
    pub(crate) fn changed(&self) -> &BTreeMap<Setting, u64> {
        &self.changed
    }

    /// Sets a value that passed [`Setting::check`].
    pub(crate) fn set(&mut self, setting: Setting, value: u64) {
        assert!(setting.check(value).is_ok(), "{setting:?} = {value} is out of bounds");
        if value == setting.spec().default {
            self.changed.remove(&setting);
        } else {
            self.changed.insert(setting, value);
        }
    }
}

/// What a node does with a request for a shard it does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redirects {
    /// Serves it, by way of the leader.
    Forward,
    /// Answers MOVED.
    Redirect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed_and_written_back() {
        for setting in Setting::ALL {
            let spec = setting.spec();
            assert_eq!(setting.check(spec.default), Ok(()));
            assert_eq!(Setting::from_number(setting.number()), Some(setting));
            assert_eq!(Setting::from_name(&spec.name.to_ascii_uppercase()), Ok(setting));
            for value in [spec.min, spec.default, spec.max] {
                assert_eq!(setting.parse(&setting.render(value)), Ok(value), "{}", spec.name);
            }
        }
        assert_eq!(ClusterSettings::default().stream_node_max_entries(), BLOCK_ENTRIES_DEFAULT);
        assert_eq!(ClusterSettings::default().stream_node_max_bytes(), BLOCK_BYTES_DEFAULT);
        assert_eq!(ClusterSettings::default().stream_idmp_duration_s(), IDEMPOTENT_S_DEFAULT);
        assert_eq!(ClusterSettings::default().stream_idmp_maxsize(), IDEMPOTENT_PAIRS_DEFAULT);
        assert_eq!(ClusterSettings::default().redirects(), Redirects::Forward);
    }

    #[test]
    fn values_are_read_as_redis_reads_them() {
        use Setting::{
            ClusterRedirects as Redirect, StreamIdmpDuration as Duration, StreamIdmpMaxsize as Maxsize,
            StreamNodeMaxBytes as Bytes, StreamNodeMaxEntries as Entries,
        };
        let check = |setting: Setting, text: &str, expected: Result<u64, SettingError>| {
            assert_eq!(setting.parse(text), expected, "{setting:?} {text:?}");
        };
        check(Entries, "0", Ok(0));
        check(Entries, "4294967295", Ok(u64::from(u32::MAX)));
        check(Entries, "4294967296", Err(SettingError::OutOfBounds(Entries)));
        check(Entries, "99999999999999999999", Err(SettingError::OutOfBounds(Entries)));
        for bad in ["", "-1", "1k", " 1", "1.0", "x"] {
            check(Entries, bad, Err(SettingError::NotAValue(Entries)));
        }
        check(Bytes, "4kb", Ok(4096));
        check(Bytes, "4K", Ok(4000));
        check(Bytes, "1Mb", Ok(1 << 20));
        check(Bytes, "4gb", Err(SettingError::OutOfBounds(Bytes)));
        check(Bytes, "99999999999gb", Err(SettingError::OutOfBounds(Bytes)));
        for bad in ["", "kb", "1tb", "-1", "1 kb", "1kbé"] {
            check(Bytes, bad, Err(SettingError::NotAValue(Bytes)));
        }
        check(Redirect, "YES", Ok(1));
        check(Redirect, "no", Ok(0));
        check(Redirect, "1", Err(SettingError::NotAValue(Redirect)));
        for (setting, max) in [(Duration, 86_400), (Maxsize, 10_000)] {
            check(setting, "0", Err(SettingError::OutOfBounds(setting)));
            check(setting, "1", Ok(1));
            check(setting, &max.to_string(), Ok(max));
            check(setting, &(max + 1).to_string(), Err(SettingError::OutOfBounds(setting)));
            check(setting, "1s", Err(SettingError::NotAValue(setting)));
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        assert_eq!(Setting::from_name("nope"), Err(SettingError::UnknownName("nope".to_owned())));
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept() {
        let mut settings = ClusterSettings::default();
        settings.set(Setting::StreamNodeMaxEntries, 10);
        assert_eq!(settings.stream_node_max_entries(), 10);
        settings.set(Setting::StreamNodeMaxEntries, u64::from(BLOCK_ENTRIES_DEFAULT));
        assert_eq!(settings, ClusterSettings::default());
    }
}
