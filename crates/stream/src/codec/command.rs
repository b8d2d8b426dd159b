//! Tags of commands and of their arguments.

use super::reader::{DecodeError, Reader};
use super::wire::{Wire, wire_enum, wire_struct};
use crate::command::{
    Acknowledgement, ClaimReply, Command, ConsumerRef, Deadline, DeliveryTime, ExistingOnly, Expire,
    ExpireCondition, Force, GroupReadFrom, GroupRef, GroupStart, MissingKey, NewEntryId, Settings, Step,
    Transaction, Trim, TrimKeep, TrimPrecision, XAck, XAdd, XAutoClaim, XClaim, XDel, XGroupCreate,
    XGroupSetId, XReadGroup, XSetId, XTrim,
};
use crate::query::Query;

wire_enum! {
    Command {
        1 => XAdd(arguments),
        2 => XTrim(arguments),
        3 => XDel(arguments),
        4 => XSetId(arguments),
        5 => XGroupCreate(arguments),
        6 => XGroupSetId(arguments),
        7 => XGroupDestroy(target),
        8 => XGroupCreateConsumer(target),
        9 => XGroupDelConsumer(target),
        10 => XReadGroup(arguments),
        11 => XAck(arguments),
        12 => XClaim(arguments),
        13 => XAutoClaim(arguments),
        32 => Delete(keys),
        33 => Expire(arguments),
        34 => Persist(key),
        35 => FlushDatabase(database),
        36 => FlushAll,
        37 => Configure(settings),
        64 => Transaction(transaction),
    }
    NewEntryId { 0 => Auto, 1 => AutoSequence(ms), 2 => Exact(id) }
    TrimKeep { 0 => MaxLength(length), 1 => MinId(id) }
    TrimPrecision { 0 => Exact, 1 => Blocks { limit } }
    MissingKey { 0 => Create, 1 => Keep }
    GroupStart { 0 => Last, 1 => After(id) }
    GroupReadFrom { 0 => New, 1 => Pending(id) }
    Acknowledgement { 0 => Explicit, 1 => Implicit }
    DeliveryTime { 0 => Now, 1 => IdleMs(ms), 2 => AtUnixMs(ms) }
    ClaimReply { 0 => Entries, 1 => Ids }
    Force { 0 => No, 1 => Yes }
    Deadline { 0 => InMs(ms), 1 => AtUnixMs(ms) }
    ExpireCondition { 0 => Always, 1 => IfNone, 2 => IfSome, 3 => IfLater, 4 => IfEarlier }
    ExistingOnly { 0 => No, 1 => Yes }
}

wire_struct! {
    Settings { block_entries_max, block_bytes_max }
    Trim { keep, precision }
    XAdd { key, missing_key, trim, id, fields }
    XTrim { key, trim }
    XDel { key, ids }
    XSetId { key, last_id, entries_added, max_deleted_id }
    GroupRef { key, group }
    ConsumerRef { key, group, consumer }
    XGroupCreate { target, start, missing_key, entries_read }
    XGroupSetId { target, start, entries_read }
    XReadGroup { group, consumer, count, acknowledgement, streams }
    XAck { target, ids }
    XClaim { target, min_idle_ms, ids, delivery_time, retry_count, force, reply, last_id }
    XAutoClaim { target, min_idle_ms, start, count, reply }
    Expire { key, deadline, condition, existing_only }
    Transaction { watches, steps }
}

/// Transactions do not nest.
impl Wire for Step {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Command(command) => {
                out.push(0);
                command.encode(out);
            }
            Self::Query(query) => {
                out.push(1);
                query.encode(out);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => match Command::decode(reader)? {
                Command::Transaction(_) => Err(DecodeError::Invalid("step of a transaction")),
                command => Ok(Self::Command(command)),
            },
            1 => Query::decode(reader).map(Self::Query),
            tag => Err(DecodeError::UnknownTag { kind: "Step", tag }),
        }
    }
}
