//! What a transition is given, and which one a command is.

use rivermark_types::UnixMillis;

use super::{
    expire, keys, rename, transaction, xack, xadd, xautoclaim, xcfgset, xclaim, xdel, xdelex, xgroup, xnack,
    xreadgroup, xsetid, xtrim,
};
use crate::command::{Command, Settings};
use crate::effect::Effects;
use crate::keyspace::Keyspace;
use crate::outcome::Outcome;

/// What a transition may change, and the time it is.
pub(crate) struct Change<'a> {
    pub keyspace: &'a mut Keyspace,
    pub settings: &'a mut Settings,
    pub effects: &'a mut Effects,
    pub stamp: UnixMillis,
}

/// Applies one command. No key of the shard has a deadline at or before the stamp, before and after.
pub(crate) fn apply(change: &mut Change<'_>, command: &Command) -> Outcome {
    match command {
        Command::XAdd(arguments) => xadd::apply(change, arguments),
        Command::XTrim(arguments) => xtrim::apply(change, arguments),
        Command::XDel(arguments) => xdel::apply(change, arguments),
        Command::XSetId(arguments) => xsetid::apply(change, arguments),
        Command::XGroupCreate(arguments) => xgroup::create(change, arguments),
        Command::XGroupSetId(arguments) => xgroup::set_id(change, arguments),
        Command::XGroupDestroy(target) => xgroup::destroy(change, target),
        Command::XGroupCreateConsumer(target) => xgroup::create_consumer(change, target),
        Command::XGroupDelConsumer(target) => xgroup::delete_consumer(change, target),
        Command::XReadGroup(arguments) => xreadgroup::apply(change, arguments),
        Command::XAck(arguments) => xack::apply(change, arguments),
        Command::XClaim(arguments) => xclaim::apply(change, arguments),
        Command::XAutoClaim(arguments) => xautoclaim::apply(change, arguments),
        Command::XDelEx(arguments) => xdelex::delete(change, arguments),
        Command::XAckDel(arguments) => xdelex::acknowledge(change, arguments),
        Command::XNack(arguments) => xnack::apply(change, arguments),
        Command::XCfgSet(arguments) => xcfgset::configure(change, arguments),
        Command::XIdmpRecord(arguments) => xcfgset::record(change, arguments),
        Command::Rename(arguments) => rename::rename(change, arguments),
        Command::Copy(arguments) => rename::copy(change, arguments),
        Command::Restore(arguments) => rename::restore(change, arguments),
        Command::Delete(keys) => keys::delete(change, keys),
        Command::Expire(arguments) => expire::expire(change, arguments),
        Command::Persist(key) => expire::persist(change, key),
        Command::FlushDatabase(database) => keys::flush_database(change, *database),
        Command::FlushAll => keys::flush_all(change),
        Command::Configure(settings) => {
            *change.settings = *settings;
            Outcome::Done
        }
        Command::Transaction(transaction) => transaction::apply(change, transaction),
    }
}

/// A count as an integer reply.
pub(crate) fn integer(count: u64) -> Outcome {
    Outcome::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
