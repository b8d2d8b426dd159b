//! A user's definition in the words of ACL SETUSER: ACL LIST and ACL GETUSER.

use rivermark_cluster::User;
use rivermark_cluster::users::{
    CommandRules, Grant, KeyAccess, KeyPattern, Login, PasswordHash, Passwords, Patterns, PayloadChecks,
    Selector,
};

use crate::password::hash_text;

/// The marks of a user, as ACL GETUSER's `flags`.
pub fn flags(user: &User) -> Vec<&'static str> {
    let login = match user.login {
        Login::Enabled => "on",
        Login::Disabled => "off",
    };
    let checks = match user.payload_checks {
        PayloadChecks::Full => "sanitize-payload",
        PayloadChecks::Skipped => "skip-sanitize-payload",
    };
    match user.passwords {
        Passwords::NotAsked => vec![login, "nopass", checks],
        Passwords::AnyOf(_) => vec![login, checks],
    }
}

/// The hashes of a user's passwords.
pub fn hashes(user: &User) -> &[PasswordHash] {
    match &user.passwords {
        Passwords::NotAsked => &[],
        Passwords::AnyOf(hashes) => hashes,
    }
}

/// `+@all -xadd`.
pub fn commands(rules: &CommandRules) -> Vec<u8> {
    let mut text = if rules.base == Grant::Allow { b"+@all".to_vec() } else { b"-@all".to_vec() };
    for rule in &rules.rules {
        text.extend_from_slice(if rule.grant == Grant::Allow { b" +" } else { b" -" });
        text.extend_from_slice(&rule.subject);
    }
    text
}

/// `~a* %R~b`.
pub fn keys(selector: &Selector) -> Vec<u8> {
    match &selector.keys {
        Patterns::All => b"~*".to_vec(),
        Patterns::Some(keys) => joined(keys.iter().map(key_pattern)),
    }
}

/// `&a* &b`.
pub fn channels(selector: &Selector) -> Vec<u8> {
    match &selector.channels {
        Patterns::All => b"&*".to_vec(),
        Patterns::Some(channels) => joined(channels.iter().map(|channel| [b"&", &channel[..]].concat())),
    }
}

/// The whole definition in one line, without the name: what ACL SETUSER would make the same user of.
pub fn line(user: &User) -> Vec<u8> {
    let mut words: Vec<Vec<u8>> = flags(user).into_iter().map(|flag| flag.as_bytes().to_vec()).collect();
    words.extend(hashes(user).iter().map(|hash| format!("#{}", hash_text(hash)).into_bytes()));
    words.push(selector(&user.root));
    words.extend(user.selectors.iter().map(|other| [b"(", &selector(other)[..], b")"].concat()));
    joined(words.into_iter())
}

fn selector(selector: &Selector) -> Vec<u8> {
    let restricted = matches!(selector.channels, Patterns::Some(_));
    let reset = restricted.then(|| b"resetchannels".to_vec());
    let words = [Some(keys(selector)), reset, Some(channels(selector)), Some(commands(&selector.commands))];
    joined(words.into_iter().flatten().filter(|word| !word.is_empty()))
}

fn key_pattern(key: &KeyPattern) -> Vec<u8> {
    let mark: &[u8] = match key.access {
        KeyAccess::Read => b"%R~",
        KeyAccess::Write => b"%W~",
        KeyAccess::ReadWrite => b"~",
    };
    [mark, &key.pattern].concat()
}

fn joined(words: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    words.collect::<Vec<_>>().join(&b' ')
}
