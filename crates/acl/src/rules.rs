//! The words of ACL SETUSER, applied to a user's definition. Grammar and texts are those of Redis 8.
//!
//! All words apply, or none: the first that is wrong is told, and the definition is as it was.

use bytes::Bytes;
use rivermark_cluster::User;
use rivermark_cluster::users::{Login, PasswordHash, Passwords, PayloadChecks, Selector};
use rivermark_protocol::resp::split_words;

use crate::password;
use crate::selector_rules;

/// Why a word was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// A command or category that is none.
    #[error("Unknown command or category name in ACL")]
    Unknown,
    /// Not a rule.
    #[error("Syntax error")]
    Syntax,
    /// A key pattern where all keys are allowed.
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. \
         Try 'resetkeys' to start with an empty list of patterns"
    )]
    AfterAllKeys,
    /// A channel pattern where all channels are allowed.
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
         effect. Try 'resetchannels' to start with an empty list of channels"
    )]
    AfterAllChannels,
    /// A password to remove that is not there.
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    /// Not a hash.
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
    )]
    BadHash,
    /// A first argument of a subcommand.
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgumentOfSubcommand,
}

/// Why a definition could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A `(` without its `)`.
    #[error("Unmatched parenthesis in acl selector starting at '{}'.", .0.escape_ascii())]
    Unmatched(Bytes),
    /// A word that is no rule, or cannot be applied.
    #[error("Error in ACL SETUSER modifier '{}': {}", .0.escape_ascii(), .1)]
    Refused(Bytes, RuleFault),
}

/// Whether this may be a user's name: no white space and no NUL, as names are listed between blanks.
pub fn is_user_name(name: &[u8]) -> bool {
    !has_blanks(name)
}

/// The definition after these words.
///
/// # Errors
/// The first word that is wrong.
pub fn apply(user: &User, words: &[Bytes]) -> Result<User, RuleError> {
    let mut changed = user.clone();
    for word in merge_selectors(words)? {
        apply_one(&mut changed, &word).map_err(|fault| RuleError::Refused(word, fault))?;
    }
    Ok(changed)
}

/// A selector may come as one word or as several: `( +xlen ~a )`.
fn merge_selectors(words: &[Bytes]) -> Result<Vec<Bytes>, RuleError> {
    let mut merged = Vec::with_capacity(words.len());
    let mut open: Option<(&Bytes, Vec<u8>)> = None;
    for word in words {
        let closes = word.last() == Some(&b')');
        match &mut open {
            Some((_, text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
                if closes {
                    merged.push(Bytes::from(std::mem::take(text)));
                    open = None;
                }
            }
            None if word.first() == Some(&b'(') && !closes => open = Some((word, word.to_vec())),
            None => merged.push(word.clone()),
        }
    }
    match open {
        Some((start, _)) => Err(RuleError::Unmatched(start.clone())),
        None => Ok(merged),
    }
}

fn apply_one(user: &mut User, word: &[u8]) -> Result<(), RuleFault> {
    match word.to_ascii_lowercase().as_slice() {
        b"" => {}
        b"on" => user.login = Login::Enabled,
        b"off" => user.login = Login::Disabled,
        b"sanitize-payload" => user.payload_checks = PayloadChecks::Full,
        b"skip-sanitize-payload" => user.payload_checks = PayloadChecks::Skipped,
        b"nopass" => user.passwords = Passwords::NotAsked,
        b"resetpass" => user.passwords = Passwords::default(),
        b"clearselectors" => user.selectors.clear(),
        b"reset" => *user = User::default(),
        _ => match word {
            [b'>', clear @ ..] => accept(user, password::hash(clear)),
            [b'#', hash @ ..] => accept(user, password::parse_hash(hash).ok_or(RuleFault::BadHash)?),
            [b'<', clear @ ..] => forget(user, password::hash(clear))?,
            [b'!', hash @ ..] => forget(user, password::parse_hash(hash).ok_or(RuleFault::BadHash)?)?,
            [b'(', rules @ .., b')'] => user.selectors.push(selector(rules)?),
            _ => selector_rules::apply(&mut user.root, word)?,
        },
    }
    Ok(())
}

fn accept(user: &mut User, hash: PasswordHash) {
    match &mut user.passwords {
        Passwords::AnyOf(hashes) if hashes.contains(&hash) => {}
        Passwords::AnyOf(hashes) => hashes.push(hash),
        Passwords::NotAsked => user.passwords = Passwords::AnyOf(vec![hash]),
    }
}

fn forget(user: &mut User, hash: PasswordHash) -> Result<(), RuleFault> {
    let Passwords::AnyOf(hashes) = &mut user.passwords else { return Err(RuleFault::NoSuchPassword) };
    let at = hashes.iter().position(|known| *known == hash).ok_or(RuleFault::NoSuchPassword)?;
    hashes.remove(at);
    Ok(())
}

fn selector(rules: &[u8]) -> Result<Selector, RuleFault> {
    let words = split_words(rules).ok_or(RuleFault::Syntax)?;
    let mut selector = Selector::default();
    for word in words {
        selector_rules::apply(&mut selector, &word)?;
    }
    Ok(selector)
}

/// White space as C's `isspace`, and NUL.
pub(crate) fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0))
}
