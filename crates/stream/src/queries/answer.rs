//! What a read is given, and which one a query is.

use rivermark_types::{StreamKey, UnixMillis};

use super::{dump, keys, xinfo, xpending, xrange, xrangebyscore, xread};
use crate::command::Settings;
use crate::commands::integer;
use crate::keyspace::Keyspace;
use crate::outcome::Outcome;
use crate::query::Query;
use crate::stream::Stream;

/// The shard as of a moment: a key whose deadline has come is missing.
pub(crate) struct View<'a> {
    pub keyspace: &'a Keyspace,
    pub settings: &'a Settings,
    pub now: UnixMillis,
    pub asked_by: AskedBy,
}

/// Who is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// A client, of this replica.
    Client,
    /// A transaction, of every replica: the answer must follow from the state alone.
    Transaction,
}

impl<'a> View<'a> {
    pub fn get(&self, key: &StreamKey) -> Option<&'a Stream> {
        self.keyspace.get(key).filter(|stream| self.is_alive(stream))
    }

    pub fn is_alive(&self, stream: &Stream) -> bool {
        stream.deadline.is_none_or(|deadline| deadline > self.now)
    }
}

/// Answers one query.
pub(crate) fn answer(view: &View<'_>, query: &Query) -> Outcome {
    match query {
        Query::XLen(key) => integer(view.get(key).map_or(0, Stream::length)),
        Query::XRange(arguments) => xrange::answer(view, arguments),
        Query::XRangeByScore(arguments) => xrangebyscore::answer(view, arguments),
        Query::XRead(arguments) => xread::answer(view, arguments),
        Query::XPendingSummary(arguments) => xpending::summary(view, arguments),
        Query::XPendingRange(arguments) => xpending::range(view, arguments),
        Query::XInfoStream(key) => xinfo::stream(view, key),
        Query::XInfoStreamFull(arguments) => xinfo::stream_full(view, arguments),
        Query::XInfoGroups(key) => xinfo::groups(view, key),
        Query::XInfoConsumers(arguments) => xinfo::consumers(view, arguments),
        Query::GroupsExist(arguments) => xread::groups_exist(view, arguments),
        Query::Exists(keys) => keys::exists(view, keys),
        Query::KeyType(key) => keys::key_type(view, key),
        Query::TimeToLive(arguments) => keys::time_to_live(view, arguments),
        Query::Keys(arguments) => keys::keys(view, arguments),
        Query::Scan(arguments) => keys::scan(view, arguments),
        Query::KeyCount(database) => keys::key_count(view, *database),
        Query::KeyspaceCounts => keys::keyspace_counts(view),
        Query::CountKeysInSlot(slot) => keys::count_in_slot(view, *slot),
        Query::KeysInSlot(arguments) => keys::keys_in_slot(view, arguments),
        Query::Dump(key) => dump::answer(view, key),
        Query::KeyProperty(arguments) => keys::property(view, arguments),
        Query::KeyVersions(keys) => keys::versions(view, keys),
    }
}
