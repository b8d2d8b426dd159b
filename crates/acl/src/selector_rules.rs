//! The rules that a selector, the root included, is made of: commands, keys, channels.

use bytes::Bytes;
use rivermark_cluster::users::{CommandRule, CommandRules, Grant, KeyAccess, KeyPattern, Patterns, Selector};
use rivermark_protocol::commands::{AclCategories, CommandSpec, table};

use crate::rules::{RuleFault, has_blanks};

/// Applies one rule.
pub(crate) fn apply(selector: &mut Selector, word: &[u8]) -> Result<(), RuleFault> {
    match word.to_ascii_lowercase().as_slice() {
        b"allkeys" | b"~*" => selector.keys = Patterns::All,
        b"resetkeys" => selector.keys = Patterns::default(),
        b"allchannels" | b"&*" => selector.channels = Patterns::All,
        b"resetchannels" => selector.channels = Patterns::default(),
        b"allcommands" | b"+@all" => begin_with(selector, Grant::Allow),
        b"nocommands" | b"-@all" => begin_with(selector, Grant::Deny),
        _ => match word {
            [b'~', pattern @ ..] => add_keys(selector, KeyAccess::ReadWrite, pattern)?,
            [b'%', rest @ ..] => {
                let Patterns::Some(_) = selector.keys else { return Err(RuleFault::AfterAllKeys) };
                let (access, pattern) = access_and_pattern(rest).ok_or(RuleFault::Syntax)?;
                add_keys(selector, access, pattern)?;
            }
            [b'&', pattern @ ..] => add_channels(selector, pattern)?,
            [b'+', subject @ ..] => add_rule(&mut selector.commands, Grant::Allow, subject)?,
            [b'-', subject @ ..] => add_rule(&mut selector.commands, Grant::Deny, subject)?,
            _ => return Err(RuleFault::Syntax),
        },
    }
    Ok(())
}

fn begin_with(selector: &mut Selector, base: Grant) {
    selector.commands = CommandRules { base, rules: Vec::new() };
}

/// What follows a `%`: `R`, `W` or both, once each, then `~` and the pattern.
fn access_and_pattern(text: &[u8]) -> Option<(KeyAccess, &[u8])> {
    let (marks, pattern) = text.split_at(text.iter().position(|byte| *byte == b'~')?);
    let access = match marks.to_ascii_uppercase().as_slice() {
        b"R" => KeyAccess::Read,
        b"W" => KeyAccess::Write,
        b"RW" | b"WR" => KeyAccess::ReadWrite,
        _ => return None,
    };
    Some((access, &pattern[1..]))
}

fn add_keys(selector: &mut Selector, access: KeyAccess, pattern: &[u8]) -> Result<(), RuleFault> {
    let Patterns::Some(keys) = &mut selector.keys else { return Err(RuleFault::AfterAllKeys) };
    if has_blanks(pattern) {
        return Err(RuleFault::Syntax);
    }
    match keys.iter_mut().find(|known| known.pattern == pattern) {
        Some(known) if known.access != access => known.access = KeyAccess::ReadWrite,
        Some(_) => {}
        None => keys.push(KeyPattern { access, pattern: Bytes::copy_from_slice(pattern) }),
    }
    Ok(())
}

fn add_channels(selector: &mut Selector, pattern: &[u8]) -> Result<(), RuleFault> {
    let Patterns::Some(channels) = &mut selector.channels else { return Err(RuleFault::AfterAllChannels) };
    if has_blanks(pattern) {
        return Err(RuleFault::Syntax);
    }
    if !channels.iter().any(|known| known == pattern) {
        channels.push(Bytes::copy_from_slice(pattern));
    }
    Ok(())
}

fn add_rule(commands: &mut CommandRules, grant: Grant, subject: &[u8]) -> Result<(), RuleFault> {
    check_subject(grant, subject)?;
    let subject = subject.to_ascii_lowercase();
    // What the new rule decides alone needs no earlier rule: the same subject, or parts of it.
    commands.rules.retain(|rule| !is_part_of(&rule.subject, &subject));
    commands.rules.push(CommandRule { grant, subject: subject.into() });
    Ok(())
}

fn is_part_of(part: &[u8], whole: &[u8]) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest[0] == b'|')
}

fn check_subject(grant: Grant, subject: &[u8]) -> Result<(), RuleFault> {
    match resolve(subject) {
        Ok(Subject::FirstArgument(..)) if grant == Grant::Deny => Err(RuleFault::Unknown),
        // Shown between blanks, and read back from there.
        Ok(Subject::FirstArgument(_, argument)) if has_blanks(argument) => Err(RuleFault::Syntax),
        Ok(_) => Ok(()),
        // Only what is granted may name a first argument.
        Err(_) if grant == Grant::Deny => Err(RuleFault::Unknown),
        Err(fault) => Err(fault),
    }
}

/// What a rule about commands is about.
pub(crate) enum Subject<'a> {
    /// `@category`.
    Category(AclCategories),
    /// A command with all its subcommands, or one subcommand.
    Command(&'static CommandSpec),
    /// A command without subcommands, with this as its first argument.
    FirstArgument(&'static CommandSpec, &'a [u8]),
}

/// Finds what a rule is about.
pub(crate) fn resolve(subject: &[u8]) -> Result<Subject<'_>, RuleFault> {
    if let [b'@', category @ ..] = subject {
        return AclCategories::from_name(category).map(Subject::Category).ok_or(RuleFault::Unknown);
    }
    let Some(bar) = subject.iter().rposition(|byte| *byte == b'|') else {
        return table::find(subject).map(Subject::Command).ok_or(RuleFault::Unknown);
    };
    let (name, argument) = (&subject[..bar], &subject[bar + 1..]);
    let command = table::find_full(name).ok_or(RuleFault::Unknown)?;
    if command.name_words() > 1 {
        return Err(RuleFault::FirstArgumentOfSubcommand);
    }
    if argument.is_empty() {
        return Err(RuleFault::Syntax);
    }
    if command.subcommands.is_empty() {
        return Ok(Subject::FirstArgument(command, argument));
    }
    command.subcommand(argument).map(Subject::Command).ok_or(RuleFault::Unknown)
}
