//! Commands about keys as such: DEL, UNLINK, EXISTS, TOUCH, TYPE, KEYS, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, OBJECT.

use rivermark_stream::query::{KeyProperty, Keys, Property};
use rivermark_stream::{Command, Query};

use super::args::Arguments;
use super::parsed::{KeyspaceCommand, Parsed};
use crate::reply_error::ReplyError;

/// `DEL|UNLINK key [key ...]`
pub(super) fn delete(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Command(Command::Delete(arguments.keys()?)))
}

/// `EXISTS|TOUCH key [key ...]`
pub(super) fn exists(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::Exists(arguments.keys()?)))
}

/// `TYPE key`
pub(super) fn key_type(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::KeyType(arguments.key()?)))
}

/// `KEYS pattern`
pub(super) fn matching(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let keys = Keys { database: arguments.database(), pattern: arguments.bytes()? };
    Ok(Parsed::Keyspace(KeyspaceCommand::Keys(keys)))
}

/// `RANDOMKEY`
pub(super) fn random(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Keyspace(KeyspaceCommand::Random(arguments.database())))
}

/// `DBSIZE`
pub(super) fn size(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Keyspace(KeyspaceCommand::Size(arguments.database())))
}

/// `FLUSHDB [ASYNC|SYNC]`
pub(super) fn flush_database(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let database = arguments.database();
    flush_mode(arguments)?;
    Ok(Parsed::Keyspace(KeyspaceCommand::FlushDatabase(database)))
}

/// `FLUSHALL [ASYNC|SYNC]`
pub(super) fn flush_all(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    flush_mode(arguments)?;
    Ok(Parsed::Keyspace(KeyspaceCommand::FlushAll))
}

/// `OBJECT ENCODING key`
pub(super) fn encoding(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Keyspace(KeyspaceCommand::Encoding(arguments.key()?)))
}

/// `OBJECT REFCOUNT key`
pub(super) fn reference_count(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    property(arguments, Property::ReferenceCount)
}

/// `OBJECT IDLETIME key`
pub(super) fn idle_time(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    property(arguments, Property::IdleTime)
}

/// `OBJECT FREQ key`
pub(super) fn access_frequency(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    property(arguments, Property::AccessFrequency)
}

/// `OBJECT HELP`
pub(super) fn object_help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "ENCODING <key>",
            "    Return the kind of representation of the key's value.",
            "FREQ <key>",
            "    Refused: how often keys are used is not tracked.",
            "IDLETIME <key>",
            "    Refused: when keys were last used is not tracked.",
            "REFCOUNT <key>",
            "    Return how many refer to the key's value: 1.",
        ],
    )
}

fn property(mut arguments: Arguments<'_>, property: Property) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Query(Query::KeyProperty(KeyProperty { key: arguments.key()?, property })))
}

/// Both modes do the same: the keys are gone when the reply is sent.
fn flush_mode(mut arguments: Arguments<'_>) -> Result<(), ReplyError> {
    if !arguments.option("ASYNC", 0) {
        arguments.option("SYNC", 0);
    }
    arguments.end()
}
