//! Tags of commands and of their arguments.

use super::reader::{DecodeError, Reader};
use super::wire::{EXTENDED, Wire, take_mark, wire_enum, wire_struct};
use crate::command::{
    Acknowledgement, ClaimReply, Command, ConsumerRef, CopyKey, Deadline, DeliveryTime, ExistingOnly, Expire,
    ExpireCondition, FirstEntry, Force, GroupReadFrom, GroupRef, GroupStart, IdempotentId, MissingKey,
    NackMode, NewEntryId, Occupied, ReadBudget, References, Rename, Restore, Settings, Step, Transaction,
    Trim, TrimKeep, TrimPrecision, XAck, XAckDel, XAdd, XAutoClaim, XCfgSet, XClaim, XDel, XDelEx,
    XGroupCreate, XGroupSetId, XIdmpRecord, XNack, XReadGroup, XSetId, XTrim,
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
        38 => Configure(settings),
        39 => Rename(arguments),
        40 => Copy(arguments),
        41 => Restore(arguments),
        14 => XDelEx(arguments),
        15 => XAckDel(arguments),
        16 => XNack(arguments),
        17 => XCfgSet(arguments),
        18 => XIdmpRecord(arguments),
        64 => Transaction(transaction),
        ; formerly 37 => super::former::configure,
    }
    NewEntryId { 0 => Auto, 1 => AutoSequence(ms), 2 => Exact(id), 3 => Idempotent(pair) }
    References { 0 => Keep, 1 => Drop, 2 => Acknowledged }
    NackMode { 0 => Silent, 1 => Fail, 2 => Fatal }
    FirstEntry { 0 => Always, 1 => IfItFits }
    Occupied { 0 => Replace, 1 => Keep }
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
    Settings { block_entries_max, block_bytes_max, idempotent_s, idempotent_pairs_max }
    IdempotentId { producer, id }
    XDelEx { key, references, ids }
    XAckDel { target, references, ids }
    XNack { target, mode, ids, retry_count, force }
    XCfgSet { key, duration_s, pairs_max }
    XIdmpRecord { key, pair, entry }
    Rename { from, to, occupied }
    CopyKey { from, to, occupied }
    Restore { key, deadline, payload, occupied }
    ReadBudget { entries, bytes, first }
    XAdd { key, missing_key, trim, id, fields }
    XTrim { key, trim }
    XDel { key, ids }
    XSetId { key, last_id, entries_added, max_deleted_id }
    GroupRef { key, group }
    ConsumerRef { key, group, consumer }
    XGroupCreate { target, start, missing_key, entries_read }
    XGroupSetId { target, start, entries_read }
    XAck { target, ids }
    XClaim { target, min_idle_ms, ids, delivery_time, retry_count, force, reply, last_id }
    XAutoClaim { target, min_idle_ms, start, count, reply }
    Expire { key, deadline, condition, existing_only }
    Transaction { watches, steps }
}

/// As the first release wrote it, unless it deletes otherwise than that could: then a mark comes first that is no
/// tag of [`TrimKeep`].
impl Wire for Trim {
    fn encode(&self, out: &mut Vec<u8>) {
        if self.references != References::default() {
            out.push(EXTENDED);
            self.references.encode(out);
        }
        self.keep.encode(out);
        self.precision.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let references = if take_mark(reader)? { Wire::decode(reader)? } else { References::default() };
        Ok(Self { keep: Wire::decode(reader)?, precision: Wire::decode(reader)?, references })
    }
}

/// As the first release wrote it, unless it claims or has a budget: then a mark, which is no tag of an optional
/// count, and the two come before the count.
impl Wire for XReadGroup {
    fn encode(&self, out: &mut Vec<u8>) {
        self.group.encode(out);
        self.consumer.encode(out);
        if (self.budget, self.claim_min_idle_ms) != (ReadBudget::UNLIMITED, None) {
            out.push(EXTENDED);
            self.budget.encode(out);
            self.claim_min_idle_ms.encode(out);
        }
        self.count.encode(out);
        self.acknowledgement.encode(out);
        self.streams.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (group, consumer) = (Wire::decode(reader)?, Wire::decode(reader)?);
        let (budget, claim_min_idle_ms) = match take_mark(reader)? {
            true => (Wire::decode(reader)?, Wire::decode(reader)?),
            false => (ReadBudget::UNLIMITED, None),
        };
        Ok(Self {
            group,
            consumer,
            count: Wire::decode(reader)?,
            budget,
            claim_min_idle_ms,
            acknowledgement: Wire::decode(reader)?,
            streams: Wire::decode(reader)?,
        })
    }
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
