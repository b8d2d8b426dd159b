//! Which keys a command or query names: what routing, access rules and slots look at.

use std::slice::Iter;

use rivermark_types::StreamKey;

use crate::command::{Command, GroupReadFrom, Step};
use crate::query::{Query, ReadFrom};

/// The keys of a command or query, in the order given, repeats included.
pub struct RequestKeys<'a>(Keys<'a>);

enum Keys<'a> {
    One(Option<&'a StreamKey>),
    Two(std::array::IntoIter<&'a StreamKey, 2>),
    List(Iter<'a, StreamKey>),
    Read(Iter<'a, (StreamKey, ReadFrom)>),
    ReadGroup(Iter<'a, (StreamKey, GroupReadFrom)>),
    Nested(Box<dyn Iterator<Item = &'a StreamKey> + Send + 'a>),
}

impl<'a> Iterator for RequestKeys<'a> {
    type Item = &'a StreamKey;

    fn next(&mut self) -> Option<&'a StreamKey> {
        match &mut self.0 {
            Keys::One(key) => key.take(),
            Keys::Two(keys) => keys.next(),
            Keys::List(keys) => keys.next(),
            Keys::Read(streams) => streams.next().map(|(key, _)| key),
            Keys::ReadGroup(streams) => streams.next().map(|(key, _)| key),
            Keys::Nested(keys) => keys.next(),
        }
    }
}

impl Command {
    /// The keys it names; watched keys included.
    pub fn keys(&self) -> RequestKeys<'_> {
        RequestKeys(match self {
            Self::XAdd(command) => Keys::One(Some(&command.key)),
            Self::XTrim(command) => Keys::One(Some(&command.key)),
            Self::XDel(command) => Keys::One(Some(&command.key)),
            Self::XSetId(command) => Keys::One(Some(&command.key)),
            Self::XGroupCreate(command) => Keys::One(Some(&command.target.key)),
            Self::XGroupSetId(command) => Keys::One(Some(&command.target.key)),
            Self::XGroupDestroy(target) => Keys::One(Some(&target.key)),
            Self::XGroupCreateConsumer(target) | Self::XGroupDelConsumer(target) => {
                Keys::One(Some(&target.key))
            }
            Self::XReadGroup(command) => Keys::ReadGroup(command.streams.iter()),
            Self::XAck(command) => Keys::One(Some(&command.target.key)),
            Self::XClaim(command) => Keys::One(Some(&command.target.key)),
            Self::XAutoClaim(command) => Keys::One(Some(&command.target.key)),
            Self::XDelEx(command) => Keys::One(Some(&command.key)),
            Self::XAckDel(command) => Keys::One(Some(&command.target.key)),
            Self::XNack(command) => Keys::One(Some(&command.target.key)),
            Self::XCfgSet(command) => Keys::One(Some(&command.key)),
            Self::XIdmpRecord(command) => Keys::One(Some(&command.key)),
            Self::Delete(keys) => Keys::List(keys.iter()),
            Self::Expire(command) => Keys::One(Some(&command.key)),
            Self::Persist(key) => Keys::One(Some(key)),
            Self::Rename(command) => Keys::Two([&command.from, &command.to].into_iter()),
            Self::Copy(command) => Keys::Two([&command.from, &command.to].into_iter()),
            Self::Restore(command) => Keys::One(Some(&command.key)),
            Self::FlushDatabase(_) | Self::FlushAll | Self::Configure(_) => Keys::One(None),
            Self::Transaction(transaction) => {
                let watched = transaction.watches.iter().map(|(key, _)| key);
                Keys::Nested(Box::new(watched.chain(transaction.steps.iter().flat_map(Step::keys))))
            }
        })
    }
}

impl Query {
    /// The keys it names.
    pub fn keys(&self) -> RequestKeys<'_> {
        RequestKeys(match self {
            Self::XLen(key) | Self::XInfoStream(key) | Self::XInfoGroups(key) | Self::KeyType(key) => {
                Keys::One(Some(key))
            }
            Self::XRange(query) => Keys::One(Some(&query.key)),
            Self::XRangeByScore(query) => Keys::One(Some(&query.key)),
            Self::XRead(query) => Keys::Read(query.streams.iter()),
            Self::XPendingSummary(query) => Keys::One(Some(&query.key)),
            Self::XPendingRange(query) => Keys::One(Some(&query.key)),
            Self::Dump(key) => Keys::One(Some(key)),
            Self::KeyProperty(query) => Keys::One(Some(&query.key)),
            Self::XInfoStreamFull(query) => Keys::One(Some(&query.key)),
            Self::XInfoConsumers(query) => Keys::One(Some(&query.key)),
            Self::GroupsExist(query) => Keys::List(query.keys.iter()),
            Self::Exists(keys) | Self::KeyVersions(keys) => Keys::List(keys.iter()),
            Self::TimeToLive(query) => Keys::One(Some(&query.key)),
            Self::Keys(_)
            | Self::Scan(_)
            | Self::KeyCount(_)
            | Self::KeyspaceCounts
            | Self::CountKeysInSlot(_)
            | Self::KeysInSlot(_) => Keys::One(None),
        })
    }
}

impl Step {
    /// The keys it names.
    pub fn keys(&self) -> RequestKeys<'_> {
        match self {
            Self::Command(command) => command.keys(),
            Self::Query(query) => query.keys(),
        }
    }
}
