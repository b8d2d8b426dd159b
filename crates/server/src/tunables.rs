//! The parameters of this node that CONFIG SET changes while it runs. They do not outlive the process, and
//! nothing of them is replicated; but a `requirepass` that is set becomes the password of the user `default`, whom
//! the cluster keeps.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rivermark_types::limits::{ACL_LOG_ENTRIES_DEFAULT, ACL_LOG_ENTRIES_MAX, REQUEST_BULK_BYTES_MAX};

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

    /// A parameter's value as CONFIG GET shows it; `None` if it is not one of these.
    pub fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "requirepass" => self.requirepass.lock().clone(),
            "protected-mode" => yes_no(self.protected_mode.load(Ordering::Relaxed)).to_owned(),
            "maxclients" => self.maxclients().to_string(),
            "timeout" => self.timeout_s().to_string(),
            "proto-max-bulk-len" => self.bulk_bytes_max().to_string(),
            "acllog-max-len" => self.acl_log_entries_max().to_string(),
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
            _ => unreachable!("the name was checked"),
        }
    }
}

/// The names [`Tunables`] knows.
pub const NAMES: [&str; 6] =
    ["requirepass", "protected-mode", "maxclients", "timeout", "proto-max-bulk-len", "acllog-max-len"];

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
}
