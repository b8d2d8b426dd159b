//! Users: who may log in, and what they may do, as the cluster keeps it.
//!
//! This is the definition only. What a rule such as `+@stream` amounts to depends on the command table of the
//! node that enforces it, and how a definition is changed by rules is grammar; neither belongs to a replicated
//! machine. A definition replaces another as a whole, and names the revision it was made from, so that of two
//! changes made at once none is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rivermark_types::limits::{USER_BYTES_MAX, USERS_BYTES_MAX};

/// The name of the user that connections begin as. It always exists: where no definition of it is kept, it
/// may do everything, with the password each node is configured with.
pub const DEFAULT_USER: &[u8] = b"default";

/// SHA-256 of a password. Not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash(pub [u8; 32]);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// `on`.
    Enabled,
    /// `off`: connections already logged in stay.
    #[default]
    Disabled,
}

/// What a user must know to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// `nopass`: any password does.
    NotAsked,
    /// One of these, in the order given; without any, nobody can log in.
    AnyOf(Vec<PasswordHash>),
}

impl Default for Passwords {
    fn default() -> Self {
        Self::AnyOf(Vec::new())
    }
}

/// `sanitize-payload` and `skip-sanitize-payload`. Kept for the listing: RESTORE always checks its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadChecks {
    /// `sanitize-payload`.
    #[default]
    Full,
    /// `skip-sanitize-payload`.
    Skipped,
}

/// What a key pattern lets a command do with the keys that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAccess {
    /// `%R~`.
    Read,
    /// `%W~`.
    Write,
    /// `~`.
    ReadWrite,
}

/// Keys a selector is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// What may be done.
    pub access: KeyAccess,
    /// A glob.
    pub pattern: Bytes,
}

/// A set of names given by patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patterns<T> {
    /// Every name.
    All,
    /// Those that match any of these, in the order given.
    Some(Vec<T>),
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

/// Whether a rule grants or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// `+`.
    Allow,
    /// `-`.
    Deny,
}

/// One rule about commands: `+xadd`, `-@dangerous`, `+select|0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRule {
    /// The sign.
    pub grant: Grant,
    /// What follows the sign, in lower case.
    pub subject: Bytes,
}

/// Commands: a start, and rules that apply one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRules {
    /// `+@all` or `-@all`.
    pub base: Grant,
    /// The rules since.
    pub rules: Vec<CommandRule>,
}

impl Default for CommandRules {
    fn default() -> Self {
        Self { base: Grant::Deny, rules: Vec::new() }
    }
}

/// Rights that go together: a command runs if one selector allows it and all its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Which commands.
    pub commands: CommandRules,
    /// On which keys.
    pub keys: Patterns<KeyPattern>,
    /// In which channels. No command has any; kept for the listing.
    pub channels: Patterns<Bytes>,
}

/// A user's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Whether it may log in.
    pub login: Login,
    /// With what.
    pub passwords: Passwords,
    /// For the listing.
    pub payload_checks: PayloadChecks,
    /// The rights given directly.
    pub root: Selector,
    /// Further ones, each `( … )`.
    pub selectors: Vec<Selector>,
}

impl User {
    /// What `default` is while nobody changed it: `on nopass ~* &* +@all`.
    pub fn initial_default() -> Self {
        let commands = CommandRules { base: Grant::Allow, rules: Vec::new() };
        let root = Selector { commands, keys: Patterns::All, channels: Patterns::All };
        Self { login: Login::Enabled, passwords: Passwords::NotAsked, root, ..Self::default() }
    }

    /// Whether the definition, under this name, is one the cluster keeps.
    pub fn fits(&self, name: &[u8]) -> bool {
        self.bytes_with(name) <= USER_BYTES_MAX
    }

    fn bytes_with(&self, name: &[u8]) -> usize {
        name.len() + ITEM_BYTES + self.bytes()
    }

    /// About what it takes in memory and in messages.
    fn bytes(&self) -> usize {
        let hashes = match &self.passwords {
            Passwords::NotAsked => 0,
            Passwords::AnyOf(hashes) => hashes.len(),
        };
        let selectors = std::iter::once(&self.root).chain(&self.selectors);
        hashes * size_of::<PasswordHash>() + selectors.map(Selector::bytes).sum::<usize>()
    }
}

/// What an item of a list takes beside its text.
const ITEM_BYTES: usize = 16;

impl Selector {
    fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Patterns::All => 0,
            Patterns::Some(keys) => keys.iter().map(|key| key.pattern.len() + ITEM_BYTES).sum(),
        };
        let channels = match &self.channels {
            Patterns::All => 0,
            Patterns::Some(channels) => channels.iter().map(|channel| channel.len() + ITEM_BYTES).sum(),
        };
        let rules: usize = self.commands.rules.iter().map(|rule| rule.subject.len() + ITEM_BYTES).sum();
        keys + channels + rules + 2 * ITEM_BYTES
    }
}

/// A user as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The definition.
    pub user: User,
    /// The epoch that made the user: one that is removed and made again is another.
    pub created: u64,
    /// The epoch of the latest change.
    pub revision: u64,
}

/// All users that were ever defined and not removed, by name.
///
/// Invariants ([`crate::invariants::check`]): `created ≤ revision ≤ version` for every record, and all together
/// are within [`USERS_BYTES_MAX`], each within [`USER_BYTES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    pub(crate) version: u64,
    pub(crate) records: BTreeMap<Bytes, Arc<UserRecord>>,
}

impl Users {
    /// The epoch of the latest change to any user; zero if there was none. Equal versions of one cluster hold
    /// equal users.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The user of this name.
    pub fn get(&self, name: &[u8]) -> Option<&UserRecord> {
        self.records.get(name).map(|record| &**record)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &UserRecord)> {
        self.records.iter().map(|(name, record)| (name, &**record))
    }

    /// Whether the bounds hold.
    pub(crate) fn fit(&self) -> bool {
        let all = || self.records.iter();
        all().all(|(name, record)| record.user.fits(name))
            && all().map(|(name, record)| record.user.bytes_with(name)).sum::<usize>() <= USERS_BYTES_MAX
    }
}
