//! What a user may do: its definition, compiled against the command table.
//!
//! Each selector stands for itself: a command runs if one of them allows the command and every key it names.
//! Rules about commands this node does not know (of a later release) have no effect here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rivermark_cluster::User;
use rivermark_cluster::users::{CommandRules, Grant, KeyAccess, KeyPattern, Patterns, Selector};
use rivermark_protocol::Request;
use rivermark_protocol::commands::{CommandFlags, CommandSpec, table};
use rivermark_stream::glob::glob_matches;

use crate::selector_rules::{Subject, resolve};

/// Why a request may not run. Ordered: of what several selectors say, the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// No selector allows the command.
    Command,
    /// Selectors that allow the command do not allow the key at this index of the request.
    Key(usize),
}

/// A compiled definition.
#[derive(Debug)]
pub struct Permissions {
    unrestricted: bool,
    selectors: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    commands: Commands,
    /// First arguments, in lower case, that let a command run that is not among those allowed as a whole.
    first_arguments: BTreeMap<&'static str, Vec<Bytes>>,
    keys: Patterns<KeyPattern>,
}

#[derive(Debug)]
enum Commands {
    All,
    /// Full names, sorted.
    These(Vec<&'static str>),
}

impl Permissions {
    /// Compiles a definition.
    pub fn of(user: &User) -> Self {
        let selectors: Vec<_> =
            std::iter::once(&user.root).chain(&user.selectors).map(Compiled::of).collect();
        let unrestricted = selectors.iter().any(Compiled::allows_everything);
        Self { unrestricted, selectors }
    }

    /// Whether every command may run on every key, so that nothing needs to be checked.
    pub fn is_unrestricted(&self) -> bool {
        self.unrestricted
    }

    /// Whether a request, which resolved to this command, may run.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn check(&self, spec: &CommandSpec, request: &Request) -> Result<(), Denial> {
        if self.unrestricted {
            return Ok(());
        }
        let mut told = Denial::Command;
        for selector in &self.selectors {
            match selector.check(spec, request) {
                Ok(()) => return Ok(()),
                Err(denial) => told = told.max(denial),
            }
        }
        Err(told)
    }
}

impl Compiled {
    fn of(selector: &Selector) -> Self {
        let (allowed, first_arguments) = replay(&selector.commands);
        let all = allowed.len() == every_command().count();
        let commands = if all { Commands::All } else { Commands::These(allowed.into_iter().collect()) };
        Self { commands, first_arguments, keys: selector.keys.clone() }
    }

    fn allows_everything(&self) -> bool {
        matches!((&self.commands, &self.keys), (Commands::All, Patterns::All))
    }

    fn check(&self, spec: &CommandSpec, request: &Request) -> Result<(), Denial> {
        // What brings a connection in, or ends it, is for everyone.
        if !spec.flags.contains(CommandFlags::NO_AUTH) && !self.allows(spec, request) {
            return Err(Denial::Command);
        }
        let Patterns::Some(patterns) = &self.keys else { return Ok(()) };
        // Where the keys cannot be found the command will not run: its grammar refuses it.
        let Ok(keys) = spec.keys_of(request) else { return Ok(()) };
        for index in keys.clone() {
            let access = spec.access_to(index, &keys);
            let key = request.get(index).unwrap_or_default();
            let allows =
                |pattern: &KeyPattern| grants(pattern.access, access) && glob_matches(&pattern.pattern, key);
            if !patterns.iter().any(allows) {
                return Err(Denial::Key(index));
            }
        }
        Ok(())
    }

    fn allows(&self, spec: &CommandSpec, request: &Request) -> bool {
        let Commands::These(names) = &self.commands else { return true };
        if names.binary_search(&spec.name).is_ok() {
            return true;
        }
        let given = request.get(1).unwrap_or_default();
        self.first_arguments.get(spec.name).is_some_and(|allowed| {
            request.len() > 1 && allowed.iter().any(|one| one.eq_ignore_ascii_case(given))
        })
    }
}

/// Whether a pattern's access is enough for what a command does to the key, in the words of key
/// specifications. A command that only looks whether a key exists, or how long it is, needs neither.
fn grants(pattern: KeyAccess, access: &[&str]) -> bool {
    let reads = access.contains(&"access");
    let writes = ["insert", "delete", "update"].iter().any(|word| access.contains(word));
    match pattern {
        KeyAccess::ReadWrite => true,
        KeyAccess::Read => !writes,
        KeyAccess::Write => !reads,
    }
}

type FirstArguments = BTreeMap<&'static str, Vec<Bytes>>;

/// The commands that remain allowed after all rules, one after the other.
fn replay(commands: &CommandRules) -> (BTreeSet<&'static str>, FirstArguments) {
    let mut allowed = BTreeSet::new();
    let mut first_arguments = FirstArguments::new();
    if commands.base == Grant::Allow {
        allowed.extend(every_command().map(|spec| spec.name));
    }
    for rule in &commands.rules {
        match resolve(&rule.subject) {
            Ok(Subject::Category(category)) => {
                for spec in every_command().filter(|spec| spec.categories.contains(category)) {
                    set(&mut allowed, &mut first_arguments, spec, rule.grant);
                }
            }
            Ok(Subject::Command(spec)) => set(&mut allowed, &mut first_arguments, spec, rule.grant),
            Ok(Subject::FirstArgument(spec, _)) => {
                let argument = rule.subject.slice(spec.name.len() + 1..);
                first_arguments.entry(spec.name).or_default().push(argument);
            }
            Err(_) => {}
        }
    }
    (allowed, first_arguments)
}

/// A container stands for all its subcommands.
fn set(
    allowed: &mut BTreeSet<&'static str>,
    first_arguments: &mut FirstArguments,
    spec: &'static CommandSpec,
    grant: Grant,
) {
    first_arguments.remove(spec.name);
    for spec in std::iter::once(spec).chain(spec.subcommands) {
        match grant {
            Grant::Allow => allowed.insert(spec.name),
            Grant::Deny => allowed.remove(spec.name),
        };
    }
}

/// Every command and subcommand.
fn every_command() -> impl Iterator<Item = &'static CommandSpec> {
    table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands))
}
