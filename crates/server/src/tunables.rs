//! The parameters of this node that CONFIG SET changes while it runs. They do not outlive the process, and
//! nothing of them is replicated; but a `requirepass` that is set becomes the password of the user `default`, whom
//! the cluster keeps.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_types::limits::{
    ACL_LOG_ENTRIES_DEFAULT, ACL_LOG_ENTRIES_MAX, REQUEST_BULK_BYTES_MAX, SLOW_LOG_ENTRIES_MAX,
};

use crate::config::Config;

/// Values in force now.
#[derive(Debug)]
pub struct Tunables {
    /// As CONFIG last said; the user `default` may have other ones by now.
    requirepass: Mutex<String>,
    protected_mode: AtomicBool,
    maxclients: AtomicUsize,
    timeout_s: AtomicU64,
    bulk_bytes_max: AtomicUsize,
    acl_log_entries_max: AtomicUsize,
    slow_log_slower_than_us: AtomicI64,
    slow_log_length_max: AtomicUsize,
    latency_threshold_ms: AtomicU64,
}

impl Tunables {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        Self {
            requirepass: Mutex::new(config.requirepass.reveal().unwrap_or_default().to_owned()),
            protected_mode: AtomicBool::new(config.protected_mode),
            maxclients: AtomicUsize::new(config.maxclients),
            timeout_s: AtomicU64::new(config.timeout),
            bulk_bytes_max: AtomicUsize::new(config.proto_max_bulk_len),
            acl_log_entries_max: AtomicUsize::new(ACL_LOG_ENTRIES_DEFAULT),
            slow_log_slower_than_us: AtomicI64::new(config.slowlog_log_slower_than),
            slow_log_length_max: AtomicUsize::new(config.slowlog_max_len),
            latency_threshold_ms: AtomicU64::new(config.latency_monitor_threshold),
        }
    }

    /// Whether only loopback clients may come in while the user `default` needs no password.
    pub fn is_protected(&self) -> bool {
        self.protected_mode.load(Ordering::Relaxed)
    }

    /// Client connections at once.
    pub fn maxclients(&self) -> usize {
        self.maxclients.load(Ordering::Relaxed)
    }

    /// Seconds after which an idle connection is closed; 0 never.
    pub fn timeout_s(&self) -> u64 {
        self.timeout_s.load(Ordering::Relaxed)
    }

    /// Greatest argument of a request.
    pub fn bulk_bytes_max(&self) -> usize {
        self.bulk_bytes_max.load(Ordering::Relaxed)
    }

    /// Refusals ACL LOG keeps.
    pub fn acl_log_entries_max(&self) -> usize {
        self.acl_log_entries_max.load(Ordering::Relaxed)
    }

    /// Whether there may be slow commands at all.
    pub fn logs_slow_commands(&self) -> bool {
        self.slow_log_slower_than_us.load(Ordering::Relaxed) >= 0
            && self.slow_log_length_max.load(Ordering::Relaxed) > 0
    }

    /// How long a command takes that belongs into the slow log; `None` if none does.
    pub fn slow_log_threshold(&self) -> Option<Duration> {
        let us = u64::try_from(self.slow_log_slower_than_us.load(Ordering::Relaxed)).ok()?;
        (self.slow_log_length_max() > 0).then_some(Duration::from_micros(us))
    }

    /// Entries of the slow log.
    pub fn slow_log_length_max(&self) -> usize {
        self.slow_log_length_max.load(Ordering::Relaxed)
    }

    /// How long an event takes that the latency monitor notes; `None` if it is off.
    pub fn latency_threshold(&self) -> Option<Duration> {
        let ms = self.latency_threshold_ms.load(Ordering::Relaxed);
        (ms > 0).then_some(Duration::from_millis(ms))
    }

    /// A parameter's value as CONFIG GET shows it; `None` if it is not one of these.
    pub fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "requirepass" => self.requirepass.lock().clone(),
            "protected-mode" => yes_no(self.protected_mode.load(Ordering::Relaxed)).to_owned(),
            "maxclients" => self.maxclients().to_string(),
            "timeout" => self.timeout_s().to_string(),
            "proto-max-bulk-len" => self.bulk_bytes_max().to_string(),
            "acllog-max-len" => self.acl_log_entries_max().to_string(),
            "slowlog-log-slower-than" => self.slow_log_slower_than_us.load(Ordering::Relaxed).to_string(),
            "slowlog-max-len" => self.slow_log_length_max().to_string(),
            "latency-monitor-threshold" => self.latency_threshold_ms.load(Ordering::Relaxed).to_string(),
            _ => return None,
        })
    }

    /// Checks a value without setting it; `None` if the parameter is not one of these.
    pub fn check(&self, name: &str, value: &str) -> Option<Result<(), String>> {
        let within = |low: u64, high: u64| match value.parse::<u64>() {
            Err(_) => Err("argument couldn't be parsed into an integer".to_owned()),
            Ok(number) if (low..=high).contains(&number) => Ok(()),
            Ok(_) => Err(format!("argument must be between {low} and {high} inclusive")),
        };
        Some(match name {
            "requirepass" => Ok(()),
            "protected-mode" => {
                parse_yes_no(value).map(|_| ()).ok_or_else(|| "argument must be 'yes' or 'no'".to_owned())
            }
            "maxclients" => within(1, 1 << 20),
            "timeout" => within(0, u64::from(i32::MAX.unsigned_abs())),
            "proto-max-bulk-len" => within(1024, REQUEST_BULK_BYTES_MAX as u64),
            "acllog-max-len" => within(0, ACL_LOG_ENTRIES_MAX as u64),
            // Below zero it is off, as in the reference.
            "slowlog-log-slower-than" => match value.parse::<i64>() {
                Ok(_) => Ok(()),
                Err(_) => Err("argument couldn't be parsed into an integer".to_owned()),
            },
            "slowlog-max-len" => within(0, SLOW_LOG_ENTRIES_MAX),
            "latency-monitor-threshold" => within(0, u64::from(u32::MAX)),
            _ => return None,
        })
    }

    /// Sets a value that passed [`Self::check`].
    pub fn set(&self, name: &str, value: &str) {
        let number = || value.parse::<u64>().expect("the value was checked");
        match name {
            "requirepass" => value.clone_into(&mut self.requirepass.lock()),
            "protected-mode" => {
                let on = parse_yes_no(value).expect("the value was checked");
                self.protected_mode.store(on, Ordering::Relaxed);
            }
            "maxclients" => self.maxclients.store(number() as usize, Ordering::Relaxed),
            "timeout" => self.timeout_s.store(number(), Ordering::Relaxed),
            "proto-max-bulk-len" => self.bulk_bytes_max.store(number() as usize, Ordering::Relaxed),
            "acllog-max-len" => self.acl_log_entries_max.store(number() as usize, Ordering::Relaxed),
            "slowlog-log-slower-than" => {
                let us = value.parse().expect("the value was checked");
                self.slow_log_slower_than_us.store(us, Ordering::Relaxed);
            }
            "slowlog-max-len" => self.slow_log_length_max.store(number() as usize, Ordering::Relaxed),
            "latency-monitor-threshold" => self.latency_threshold_ms.store(number(), Ordering::Relaxed),
            _ => unreachable!("the name was checked"),
        }
    }
}

/// The names [`Tunables`] knows.
pub const NAMES: [&str; 9] = [
    "requirepass",
    "protected-mode",
    "maxclients",
    "timeout",
    "proto-max-bulk-len",
    "acllog-max-len",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "latency-monitor-threshold",
];

/// As Redis writes truth values in its configuration.
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn parse_yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_shown_checked_and_set() {
        let tunables = Tunables::new(&Config::default());
        for name in NAMES {
            let value = tunables.get(name).expect(name);
            assert_eq!(tunables.check(name, &value), Some(Ok(())), "{name}");
            tunables.set(name, &value);
            assert_eq!(tunables.get(name), Some(value));
        }
        assert_eq!(tunables.check("port", "1"), None);
        assert!(matches!(tunables.check("maxclients", "x"), Some(Err(_))));
    }

    #[test]
    fn bounds_hold_at_both_sides() {
        let tunables = Tunables::new(&Config::default());
        let entries_max = SLOW_LOG_ENTRIES_MAX.to_string();
        let too_many = (SLOW_LOG_ENTRIES_MAX + 1).to_string();
        for (name, value, is_allowed) in [
            ("slowlog-max-len", "0", true),
            ("slowlog-max-len", &entries_max, true),
            ("slowlog-max-len", &too_many, false),
            ("slowlog-max-len", "-1", false),
            ("slowlog-log-slower-than", "-1", true),
            ("slowlog-log-slower-than", "x", false),
            ("acllog-max-len", "0", true),
            ("acllog-max-len", "65536", true),
            ("acllog-max-len", "65537", false),
            ("latency-monitor-threshold", "4294967295", true),
            ("latency-monitor-threshold", "4294967296", false),
        ] {
            let checked = tunables.check(name, value).expect("a parameter");
            assert_eq!(checked.is_ok(), is_allowed, "{name} {value}: {checked:?}");
        }
    }

    #[test]
    fn the_slow_log_is_off_below_zero_and_without_room() {
        let tunables = Tunables::new(&Config::default());
        assert!(tunables.logs_slow_commands());
        tunables.set("slowlog-log-slower-than", "-1");
        assert!(!tunables.logs_slow_commands() && tunables.slow_log_threshold().is_none());
        tunables.set("slowlog-log-slower-than", "0");
        assert_eq!(tunables.slow_log_threshold(), Some(Duration::ZERO));
        tunables.set("slowlog-max-len", "0");
        assert!(!tunables.logs_slow_commands() && tunables.slow_log_threshold().is_none());
    }
}
