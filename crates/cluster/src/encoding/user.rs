//! Users. Fields that say what is so by default are not written.

use bytes::Bytes;

use crate::codec::{DecodeError, Reader, Writer};
use crate::users::{
    CommandRule, CommandRules, Grant, KeyAccess, KeyPattern, Login, PasswordHash, Passwords, Patterns,
    PayloadChecks, Selector, User, UserRecord, Users,
};

/// All users as fields 7 (each) and 8 (their version) of a topology.
pub(super) fn write_users(writer: &mut Writer, users: &Users) {
    for (name, record) in users.iter() {
        writer.message(7, |w| {
            w.bytes(1, name);
            w.message(2, |w| write_user(w, &record.user));
            w.number(3, record.created);
            w.number(4, record.revision);
        });
    }
    if users.version() > 0 {
        writer.number(8, users.version());
    }
}

pub(super) fn read_record(mut reader: Reader<'_>) -> Result<(Bytes, UserRecord), DecodeError> {
    let (mut name, mut user, mut created, mut revision) = (None, None, None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => name = Some(field.bytes()),
            2 => user = Some(read_user(field.message()?)?),
            3 => created = Some(field.number()?),
            4 => revision = Some(field.number()?),
            _ => reader.unknown("user record field", tag)?,
        }
    }
    let record = UserRecord {
        user: user.ok_or(DecodeError::Missing("user"))?,
        created: created.ok_or(DecodeError::Missing("user's first epoch"))?,
        revision: revision.ok_or(DecodeError::Missing("user's revision"))?,
    };
    Ok((name.ok_or(DecodeError::Missing("user name"))?, record))
}

pub(super) fn write_user(writer: &mut Writer, user: &User) {
    if user.login == Login::Enabled {
        writer.number(1, 1);
    }
    match &user.passwords {
        Passwords::NotAsked => writer.number(2, 1),
        Passwords::AnyOf(hashes) => hashes.iter().for_each(|hash| writer.bytes(3, &hash.0)),
    }
    if user.payload_checks == PayloadChecks::Skipped {
        writer.number(4, 1);
    }
    writer.message(5, |w| write_selector(w, &user.root));
    for selector in &user.selectors {
        writer.message(6, |w| write_selector(w, selector));
    }
}

pub(super) fn read_user(mut reader: Reader<'_>) -> Result<User, DecodeError> {
    let mut user = User::default();
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => user.login = if flag(field.number()?)? { Login::Enabled } else { Login::Disabled },
            2 if flag(field.number()?)? => user.passwords = Passwords::NotAsked,
            2 => {}
            3 => match &mut user.passwords {
                Passwords::AnyOf(hashes) => hashes.push(PasswordHash(field.array()?)),
                Passwords::NotAsked => return Err(DecodeError::Invalid("password")),
            },
            4 if flag(field.number()?)? => user.payload_checks = PayloadChecks::Skipped,
            4 => {}
            5 => user.root = read_selector(field.message()?)?,
            6 => user.selectors.push(read_selector(field.message()?)?),
            _ => reader.unknown("user field", tag)?,
        }
    }
    Ok(user)
}

fn write_selector(writer: &mut Writer, selector: &Selector) {
    if selector.commands.base == Grant::Allow {
        writer.number(1, 1);
    }
    for rule in &selector.commands.rules {
        writer.message(2, |w| {
            w.number(1, u64::from(rule.grant == Grant::Allow));
            w.bytes(2, &rule.subject);
        });
    }
    match &selector.keys {
        Patterns::All => writer.number(3, 1),
        Patterns::Some(keys) => keys.iter().for_each(|key| {
            writer.message(4, |w| {
                w.number(1, access_number(key.access));
                w.bytes(2, &key.pattern);
            });
        }),
    }
    match &selector.channels {
        Patterns::All => writer.number(5, 1),
        Patterns::Some(channels) => channels.iter().for_each(|channel| writer.bytes(6, channel)),
    }
}

fn read_selector(mut reader: Reader<'_>) -> Result<Selector, DecodeError> {
    let mut commands = CommandRules::default();
    let (mut all_keys, mut keys, mut all_channels, mut channels) = (false, Vec::new(), false, Vec::new());
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => commands.base = grant(field.number()?)?,
            2 => commands.rules.push(read_rule(field.message()?)?),
            3 => all_keys = flag(field.number()?)?,
            4 => keys.push(read_key_pattern(field.message()?)?),
            5 => all_channels = flag(field.number()?)?,
            6 => channels.push(field.bytes()),
            _ => reader.unknown("selector field", tag)?,
        }
    }
    if (all_keys && !keys.is_empty()) || (all_channels && !channels.is_empty()) {
        return Err(DecodeError::Invalid("selector"));
    }
    Ok(Selector {
        commands,
        keys: if all_keys { Patterns::All } else { Patterns::Some(keys) },
        channels: if all_channels { Patterns::All } else { Patterns::Some(channels) },
    })
}

fn read_rule(mut reader: Reader<'_>) -> Result<CommandRule, DecodeError> {
    let (mut sign, mut subject) = (None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => sign = Some(grant(field.number()?)?),
            2 => subject = Some(field.bytes()),
            _ => reader.unknown("command rule field", tag)?,
        }
    }
    Ok(CommandRule {
        grant: sign.ok_or(DecodeError::Missing("sign of a rule"))?,
        subject: subject.ok_or(DecodeError::Missing("subject of a rule"))?,
    })
}

fn read_key_pattern(mut reader: Reader<'_>) -> Result<KeyPattern, DecodeError> {
    let (mut access, mut pattern) = (None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => access = Some(access_of_number(field.number()?)?),
            2 => pattern = Some(field.bytes()),
            _ => reader.unknown("key pattern field", tag)?,
        }
    }
    Ok(KeyPattern {
        access: access.ok_or(DecodeError::Missing("access of a pattern"))?,
        pattern: pattern.ok_or(DecodeError::Missing("pattern"))?,
    })
}

fn flag(number: u64) -> Result<bool, DecodeError> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Unknown { what: "mark of a user", number }),
    }
}

fn grant(number: u64) -> Result<Grant, DecodeError> {
    Ok(if flag(number)? { Grant::Allow } else { Grant::Deny })
}

fn access_number(access: KeyAccess) -> u64 {
    match access {
        KeyAccess::Read => 1,
        KeyAccess::Write => 2,
        KeyAccess::ReadWrite => 3,
    }
}

fn access_of_number(number: u64) -> Result<KeyAccess, DecodeError> {
    match number {
        1 => Ok(KeyAccess::Read),
        2 => Ok(KeyAccess::Write),
        3 => Ok(KeyAccess::ReadWrite),
        _ => Err(DecodeError::Unknown { what: "key access", number }),
    }
}
