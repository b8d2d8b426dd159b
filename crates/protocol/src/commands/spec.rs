//! A row of the command table: what is known of a command before its arguments are read.

use std::fmt;

use rivermark_types::DatabaseIndex;
use rivermark_types::limits::COMMAND_BYTES_MAX;

use super::args::Arguments;
pub(super) use super::flags::{AclCategories, CommandFlags};
use super::parsed::Parsed;
use crate::reply_error::ReplyError;
use crate::resp::Request;

/// The grammar of one command.
pub(super) type Parse = fn(Arguments<'_>) -> Result<Parsed, ReplyError>;

/// The chapter of the documentation a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandGroup {
    /// Streams.
    Stream,
    /// Keys of any type.
    Generic,
    /// The connection.
    Connection,
    /// MULTI and its like.
    Transactions,
    /// The node.
    Server,
    /// The cluster.
    Cluster,
}

impl CommandGroup {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Generic => "generic",
            Self::Connection => "connection",
            Self::Transactions => "transactions",
            Self::Server => "server",
            Self::Cluster => "cluster",
        }
    }
}

/// Where a command's keys stand among its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpec {
    /// It has none.
    None,
    /// Every argument from `first` to `last`; negative counts from the end, -1 being the last.
    Range {
        /// Index of the first key.
        first: usize,
        /// Index of the last key.
        last: isize,
    },
    /// The first half of what follows the word STREAMS, looked for from this index.
    Streams {
        /// Where clients are told to look from. What is found here is found by reading the options from the first
        /// on: any of them may come before GROUP.
        from: usize,
    },
}

/// One command or subcommand.
pub struct CommandSpec {
    /// In lower case; a subcommand's with its container, `xgroup|create`.
    pub name: &'static str,
    /// How many arguments, names included; `-n` is at least `n`.
    pub arity: i32,
    /// How it is treated.
    pub flags: CommandFlags,
    /// Who may use it.
    pub categories: AclCategories,
    /// Where its keys are.
    pub keys: KeySpec,
    /// What it does to its keys, in the words of COMMAND's key specifications.
    pub key_access: &'static [&'static str],
    /// What it does to the last of its keys, if that is something else than to those before (COPY, RENAME).
    pub destination_access: Option<&'static [&'static str]>,
    /// Its chapter.
    pub group: CommandGroup,
    /// The version of Redis that introduced it.
    pub since: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// Hints for cluster clients and proxies.
    pub tips: &'static [&'static str],
    /// Its subcommands.
    pub subcommands: &'static [CommandSpec],
    parse: Parse,
}

impl CommandSpec {
    pub(super) const fn new(name: &'static str, arity: i32, group: CommandGroup, parse: Parse) -> Self {
        Self {
            name,
            arity,
            flags: CommandFlags::NONE,
            categories: AclCategories::SLOW,
            keys: KeySpec::None,
            key_access: &[],
            destination_access: None,
            group,
            since: "1.0.0",
            summary: "",
            complexity: "O(1)",
            tips: &[],
            subcommands: &[],
            parse,
        }
    }

    /// Sets the flags and the categories that follow from them.
    pub(super) const fn flags(mut self, flags: CommandFlags) -> Self {
        const IMPLIED: [(CommandFlags, AclCategories); 4] = [
            (CommandFlags::WRITE, AclCategories::WRITE),
            (CommandFlags::READONLY, AclCategories::READ),
            (CommandFlags::ADMIN, AclCategories::ADMIN.with(AclCategories::DANGEROUS)),
            (CommandFlags::BLOCKING, AclCategories::BLOCKING),
        ];
        self.flags = flags;
        self.categories =
            if flags.contains(CommandFlags::FAST) { AclCategories::FAST } else { AclCategories::SLOW };
        let mut index = 0;
        while index < IMPLIED.len() {
            if flags.contains(IMPLIED[index].0) {
                self.categories = self.categories.with(IMPLIED[index].1);
            }
            index += 1;
        }
        self
    }

    /// Adds categories; after [`Self::flags`].
    pub(super) const fn also(mut self, categories: AclCategories) -> Self {
        self.categories = self.categories.with(categories);
        self
    }

    pub(super) const fn keys(mut self, first: usize, last: isize, access: &'static [&'static str]) -> Self {
        self.keys = KeySpec::Range { first, last };
        self.key_access = access;
        self
    }

    /// What is done to the last key; after [`Self::keys`].
    pub(super) const fn destination(mut self, access: &'static [&'static str]) -> Self {
        self.destination_access = Some(access);
        self
    }

    pub(super) const fn stream_keys(mut self, from: usize, access: &'static [&'static str]) -> Self {
        self.keys = KeySpec::Streams { from };
        self.key_access = access;
        self
    }

    pub(super) const fn doc(
        mut self,
        since: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Self {
        self.since = since;
        self.complexity = complexity;
        self.summary = summary;
        self
    }

    pub(super) const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    pub(super) const fn subcommands(mut self, subcommands: &'static [CommandSpec]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// What it does to the key at this place among its keys, from 0.
    pub fn access_of_key(&self, place: usize) -> &'static [&'static str] {
        self.destination_access.filter(|_| place == 1).unwrap_or(self.key_access)
    }

    /// Whether it changes keys.
    pub fn is_write(&self) -> bool {
        self.flags.contains(CommandFlags::WRITE)
    }

    /// The last word of the name: `create` of `xgroup|create`.
    pub fn own_name(&self) -> &'static str {
        self.name.rsplit_once('|').map_or(self.name, |(_, own)| own)
    }

    /// How many words the name takes in a request.
    pub fn name_words(&self) -> usize {
        if self.name.contains('|') { 2 } else { 1 }
    }

    /// Whether a request with so many arguments may be this command.
    pub fn accepts_arity(&self, arguments: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { arguments >= least } else { arguments == least }
    }

    /// Applies the grammar. The request must have resolved to this command.
    ///
    /// # Errors
    /// What the client is told if the arguments do not follow the grammar.
    pub fn parse(&self, request: &Request, database: DatabaseIndex) -> Result<Parsed, ReplyError> {
        // What is replicated must fit a log entry. Encoded, a command never exceeds this bound.
        const FIXED_BYTES: usize = 1024;
        if self.is_write() && request.bytes_bound() + FIXED_BYTES > COMMAND_BYTES_MAX {
            let entry = self.name == "xadd";
            return Err(if entry { ReplyError::EntryTooLarge } else { ReplyError::CommandTooLarge });
        }
        (self.parse)(Arguments::new(self.name, request, self.name_words(), database))
    }

    /// The indexes of the arguments that are keys.
    ///
    /// # Errors
    /// The keys cannot be found: XREAD without STREAMS, or with keys that lack ids.
    pub fn keys_of(&self, request: &Request) -> Result<std::ops::Range<usize>, ReplyError> {
        let keys = match self.keys {
            KeySpec::None => 0..0,
            KeySpec::Range { first, last } => {
                let last =
                    if last < 0 { request.len().saturating_add_signed(last) } else { last.unsigned_abs() };
                first..last.saturating_add(1).min(request.len())
            }
            KeySpec::Streams { .. } => {
                let words = super::streams_option::find(request, self.name_words())
                    .ok_or(ReplyError::GetKeysInvalid)?;
                let left = request.len() - words;
                if left == 0 || !left.is_multiple_of(2) {
                    return Err(ReplyError::GetKeysInvalid);
                }
                words..words + left / 2
            }
        };
        Ok(keys)
    }
}

impl CommandSpec {
    /// What the command does to its key at `index`, one of [`Self::keys_of`].
    pub fn access_to(&self, index: usize, keys: &std::ops::Range<usize>) -> &'static [&'static str] {
        match self.destination_access {
            Some(access) if index + 1 == keys.end => access,
            _ => self.key_access,
        }
    }
}

impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommandSpec").field(&self.name).finish()
    }
}

impl PartialEq for CommandSpec {
    /// Rows are equal if they are the same row: names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for CommandSpec {}
