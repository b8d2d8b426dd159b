//! ACL LOG: what this node refused, newest first. Like refusals within a minute are one entry, as in Redis.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

/// Refusals further apart are entries of their own.
const LIKE_WITHIN_MS: u64 = 60_000;
/// How many of the newest entries are searched for a like one.
const SEARCHED_ENTRIES: usize = 10;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The command is not allowed.
    Command,
    /// A key is not.
    Key,
    /// A login failed.
    Auth,
}

impl Reason {
    /// Every reason, in the order of the counts.
    pub const ALL: [Self; 3] = [Self::Command, Self::Key, Self::Auth];

    /// As ACL LOG writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Auth => "auth",
        }
    }
}

/// Where it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// As it came.
    TopLevel,
    /// Between MULTI and EXEC, or by EXEC.
    Multi,
}

impl Context {
    /// As ACL LOG writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
        }
    }
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Why.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command's name, the key, or the word that was to log in.
    pub object: Bytes,
    /// Who tried.
    pub username: Bytes,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was refused.
    pub attempt: Attempt,
    /// How often.
    pub count: u64,
    /// The connection as CLIENT LIST shows it, the last time.
    pub client: String,
    /// The entry's number on this node, from zero.
    pub id: u64,
    /// Unix time of the first refusal.
    pub created_ms: u64,
    /// Unix time of the last one.
    pub updated_ms: u64,
}

/// The log.
#[derive(Debug, Default)]
pub struct AclLog {
    entries: Mutex<VecDeque<Entry>>,
    next_id: AtomicU64,
    counts: [AtomicU64; Reason::ALL.len()],
}

impl AclLog {
    /// Notes a refusal, by a connection that CLIENT LIST shows so, and keeps the newest `entries_max` entries.
    pub fn note(&self, attempt: Attempt, now_ms: u64, client: String, entries_max: usize) {
        self.counts[attempt.reason as usize].fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock();
        let like =
            |entry: &Entry| entry.attempt == attempt && now_ms.abs_diff(entry.updated_ms) <= LIKE_WITHIN_MS;
        let found = entries.iter().take(SEARCHED_ENTRIES).position(like);
        let entry = match found.and_then(|at| entries.remove(at)) {
            Some(entry) => Entry { count: entry.count + 1, client, updated_ms: now_ms, ..entry },
            None => Entry {
                attempt,
                count: 1,
                client,
                id: self.next_id.fetch_add(1, Ordering::Relaxed),
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        entries.push_front(entry);
        entries.truncate(entries_max);
    }

    /// The newest entries, at most so many.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        self.entries.lock().iter().take(count).cloned().collect()
    }

    /// Forgets all entries; the counts stay.
    pub fn reset(&self) {
        self.entries.lock().clear();
    }

    /// How often something was refused for this reason.
    pub fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(object: &str) -> Attempt {
        Attempt {
            reason: Reason::Command,
            context: Context::TopLevel,
            object: Bytes::copy_from_slice(object.as_bytes()),
            username: Bytes::from_static(b"bob"),
        }
    }

    fn shown(log: &AclLog) -> Vec<(String, u64)> {
        let text = |entry: &Entry| String::from_utf8_lossy(&entry.attempt.object).into_owned();
        log.newest(usize::MAX).iter().map(|entry| (text(entry), entry.count)).collect()
    }

    #[test]
    fn like_refusals_are_one_entry_and_the_newest_is_first() {
        let log = AclLog::default();
        for (object, now_ms) in [("xadd", 0), ("xlen", 1), ("xadd", 60_000), ("xadd", 120_001)] {
            log.note(attempt(object), now_ms, String::new(), 128);
        }
        let expected = [("xadd", 1), ("xadd", 2), ("xlen", 1)];
        assert_eq!(shown(&log), expected.map(|(object, count)| (object.to_owned(), count)));
        let newest = log.newest(2);
        assert_eq!((newest[0].id, newest[1].id), (2, 0));
        assert_eq!((newest[1].created_ms, newest[1].updated_ms), (0, 60_000));
        assert_eq!(log.count(Reason::Command), 4);
        log.reset();
        assert_eq!((shown(&log).len(), log.count(Reason::Command)), (0, 4));
    }

    #[test]
    fn the_log_is_bounded() {
        let log = AclLog::default();
        for (number, expected) in [(0, 1), (1, 2), (2, 3), (3, 3), (4, 3)] {
            log.note(attempt(&number.to_string()), 0, String::new(), 3);
            assert_eq!(shown(&log).len(), expected);
        }
        assert_eq!(shown(&log)[0].0, "4");
        log.note(attempt("x"), 0, String::new(), 0);
        assert_eq!(shown(&log), []);
    }
}
