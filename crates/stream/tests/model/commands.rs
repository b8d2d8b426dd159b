//! Commands over few keys, groups, consumers and ids, so that they meet.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rivermark_stream::command::*;
use rivermark_stream::{Command, Fields};
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, StreamKey};

pub const KEYS: [(u8, &str); 3] = [(0, "s"), (0, "t"), (3, "s")];

pub fn key_of(index: usize) -> StreamKey {
    let (database, name) = KEYS[index];
    StreamKey::new(DatabaseIndex::new(database).expect("below the bound"), Bytes::from(name))
}

fn key() -> impl Strategy<Value = StreamKey> {
    prop_oneof![6 => Just(0usize), 1 => Just(1), 1 => Just(2)].prop_map(key_of)
}

/// For commands that remove keys: the busy key mostly stays.
fn spare_key() -> impl Strategy<Value = StreamKey> {
    prop_oneof![1 => Just(0usize), 6 => Just(1), 6 => Just(2)].prop_map(key_of)
}

fn group() -> impl Strategy<Value = GroupName> {
    prop_oneof![4 => Just("g"), 1 => Just("h")].prop_map(|name| GroupName::new(Bytes::from(name)))
}

fn consumer() -> impl Strategy<Value = ConsumerName> {
    prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(|name| ConsumerName::new(Bytes::from(name)))
}

/// What most cases begin with, so that group commands find something.
pub fn prelude() -> Vec<Command> {
    ["g", "h"]
        .map(|name| {
            let target = GroupRef { key: key_of(0), group: GroupName::new(Bytes::from(name)) };
            Command::XGroupCreate(XGroupCreate {
                target,
                start: GroupStart::After(EntryId::MIN),
                missing_key: MissingKey::Create,
                entries_read: None,
            })
        })
        .into()
}

/// Ids near the stamps, which start at 100.
fn id() -> impl Strategy<Value = EntryId> {
    prop_oneof![
        20 => (99u64..116, prop_oneof![2 => Just(0u64), 1 => 1u64..3]).prop_map(|(ms, seq)| EntryId::new(ms, seq)),
        1 => Just(EntryId::MIN),
    ]
}

fn new_id() -> impl Strategy<Value = EntryId> {
    prop_oneof![
        40 => id(),
        1 => (1u64..180, 0u64..3).prop_map(|(ms, seq)| EntryId::new(ms, seq)),
        1 => (100u64..120).prop_map(|ms| EntryId::new(ms, u64::MAX)),
        1 => Just(EntryId::MAX),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![6 => Just(&b"f"[..]), 1 => Just(&b"g"[..])];
    let number = prop_oneof![(-2i64..8).prop_map(|n| n.to_string()), (0u8..8).prop_map(|n| format!("{n}.5"))];
    let time = (0u8..9).prop_map(|ms| format!("1970-01-01T00:00:00.00{ms}Z"));
    let value = prop_oneof![
        2 => vec(any::<u8>(), 0..4),
        2 => number.prop_map(String::into_bytes),
        1 => time.prop_map(String::into_bytes),
    ];
    vec((name, value), 1..3)
        .prop_map(|pairs| Fields::from_pairs(pairs.iter().map(|(name, value)| (*name, &value[..]))))
}

fn references() -> impl Strategy<Value = References> {
    prop_oneof![2 => Just(References::Keep), 1 => Just(References::Drop), 1 => Just(References::Acknowledged)]
}

fn pair() -> impl Strategy<Value = IdempotentId> {
    let name = || prop_oneof![2 => Just("p"), 1 => Just("q")];
    let id = prop_oneof![Just("1"), Just("2"), Just("3"), Just("4"), Just("5")];
    (name(), id).prop_map(|(producer, id)| IdempotentId { producer: producer.into(), id: id.into() })
}

fn budget() -> impl Strategy<Value = ReadBudget> {
    let first = prop_oneof![4 => Just(FirstEntry::Always), 1 => Just(FirstEntry::IfItFits)];
    let bounded = (option::of(0u64..5), option::of(1u64..250), first)
        .prop_map(|(entries, bytes, first)| ReadBudget { entries, bytes, first });
    prop_oneof![2 => Just(ReadBudget::UNLIMITED), 1 => bounded]
}

fn newer() -> impl Strategy<Value = Command> {
    let ids = || vec(id(), 1..6);
    let mode = prop_oneof![Just(NackMode::Silent), Just(NackMode::Fail), Just(NackMode::Fatal)];
    let force = prop_oneof![Just(Force::No), Just(Force::Yes)];
    let xnack = (group_ref(), mode, ids(), option::weighted(0.3, 0u64..9), force).prop_map(
        |(target, mode, ids, retry_count, force)| {
            Command::XNack(XNack { target, mode, ids, retry_count, force })
        },
    );
    let occupied = || prop_oneof![Just(Occupied::Replace), Just(Occupied::Keep)];
    prop_oneof![
        8 => (key(), references(), ids())
            .prop_map(|(key, references, ids)| Command::XDelEx(XDelEx { key, references, ids })),
        8 => (group_ref(), references(), ids())
            .prop_map(|(target, references, ids)| Command::XAckDel(XAckDel { target, references, ids })),
        10 => xnack,
        1 => (key(), option::of(1u32..3), option::of(1u32..5))
            .prop_map(|(key, duration_s, pairs_max)| Command::XCfgSet(XCfgSet { key, duration_s, pairs_max })),
        3 => (key(), pair(), id())
            .prop_map(|(key, pair, entry)| Command::XIdmpRecord(XIdmpRecord { key, pair, entry })),
        2 => (spare_key(), spare_key(), occupied())
            .prop_map(|(from, to, occupied)| Command::Rename(Rename { from, to, occupied })),
        2 => (key(), spare_key(), occupied())
            .prop_filter("COPY to itself is refused before", |(from, to, _)| from != to)
            .prop_map(|(from, to, occupied)| Command::Copy(CopyKey { from, to, occupied })),
    ]
}

fn trim() -> impl Strategy<Value = Trim> {
    let keep = prop_oneof![(0u64..20).prop_map(TrimKeep::MaxLength), id().prop_map(TrimKeep::MinId)];
    let precision = prop_oneof![
        Just(TrimPrecision::Exact),
        option::of(0u64..9).prop_map(|limit| TrimPrecision::Blocks { limit }),
    ];
    (keep, precision, references()).prop_map(|(keep, precision, references)| Trim {
        keep,
        precision,
        references,
    })
}

fn missing_key() -> impl Strategy<Value = MissingKey> {
    prop_oneof![6 => Just(MissingKey::Create), 1 => Just(MissingKey::Keep)]
}

fn start() -> impl Strategy<Value = GroupStart> {
    prop_oneof![1 => Just(GroupStart::Last), 2 => id().prop_map(GroupStart::After)]
}

fn group_ref() -> impl Strategy<Value = GroupRef> {
    (key(), group()).prop_map(|(key, group)| GroupRef { key, group })
}

fn consumer_ref() -> impl Strategy<Value = ConsumerRef> {
    (key(), group(), consumer()).prop_map(|(key, group, consumer)| ConsumerRef { key, group, consumer })
}

fn reply() -> impl Strategy<Value = ClaimReply> {
    prop_oneof![Just(ClaimReply::Entries), Just(ClaimReply::Ids)]
}

fn xadd() -> impl Strategy<Value = Command> {
    let how = prop_oneof![
        24 => Just(NewEntryId::Auto),
        2 => (90u64..112).prop_map(NewEntryId::AutoSequence),
        1 => new_id().prop_map(NewEntryId::Exact),
        5 => pair().prop_map(NewEntryId::Idempotent),
    ];
    (key(), missing_key(), option::weighted(0.1, trim()), how, fields()).prop_map(
        |(key, missing_key, trim, id, fields)| Command::XAdd(XAdd { key, missing_key, trim, id, fields }),
    )
}

fn xreadgroup() -> impl Strategy<Value = Command> {
    let from = prop_oneof![2 => Just(GroupReadFrom::New), 1 => id().prop_map(GroupReadFrom::Pending)];
    let acknowledgement =
        prop_oneof![4 => Just(Acknowledgement::Explicit), 1 => Just(Acknowledgement::Implicit)];
    let claim = option::weighted(0.4, 0u64..5);
    let bounds = (option::of(1u64..6), budget(), claim);
    (group(), consumer(), bounds, acknowledgement, vec((key(), from), 1..3)).prop_map(
        |(group, consumer, (count, budget, claim_min_idle_ms), acknowledgement, streams)| {
            Command::XReadGroup(XReadGroup {
                group,
                consumer,
                count,
                budget,
                claim_min_idle_ms,
                acknowledgement,
                streams,
            })
        },
    )
}

fn xclaim() -> impl Strategy<Value = Command> {
    let time = prop_oneof![
        2 => Just(DeliveryTime::Now),
        1 => (-5i64..200).prop_map(DeliveryTime::IdleMs),
        1 => (-5i64..200).prop_map(DeliveryTime::AtUnixMs),
    ];
    let force = prop_oneof![Just(Force::No), Just(Force::Yes)];
    let options = (0u64..4, option::of(0u64..9), option::weighted(0.1, id()));
    (consumer_ref(), vec(id(), 1..8), time, force, reply(), options).prop_map(
        |(target, ids, delivery_time, force, reply, (min_idle_ms, retry_count, last_id))| {
            Command::XClaim(XClaim {
                target,
                min_idle_ms,
                ids,
                delivery_time,
                retry_count,
                force,
                reply,
                last_id,
            })
        },
    )
}

fn expire() -> impl Strategy<Value = Command> {
    let deadline =
        prop_oneof![(-3i64..60).prop_map(Deadline::InMs), (90i64..250).prop_map(Deadline::AtUnixMs),];
    let condition = prop_oneof![
        Just(ExpireCondition::Always),
        Just(ExpireCondition::IfNone),
        Just(ExpireCondition::IfSome),
        Just(ExpireCondition::IfLater),
        Just(ExpireCondition::IfEarlier),
    ];
    let existing_only = prop_oneof![4 => Just(ExistingOnly::No), 1 => Just(ExistingOnly::Yes)];
    (spare_key(), deadline, condition, existing_only).prop_map(|(key, deadline, condition, existing_only)| {
        Command::Expire(Expire { key, deadline, condition, existing_only })
    })
}

fn group_command() -> impl Strategy<Value = Command> {
    let create = (group_ref(), start(), missing_key(), option::of(0u64..20)).prop_map(
        |(target, start, missing_key, entries_read)| {
            Command::XGroupCreate(XGroupCreate { target, start, missing_key, entries_read })
        },
    );
    let set_id = (group_ref(), start(), option::of(0u64..20)).prop_map(|(target, start, entries_read)| {
        Command::XGroupSetId(XGroupSetId { target, start, entries_read })
    });
    prop_oneof![
        8 => create,
        2 => set_id,
        1 => (spare_key(), group())
            .prop_map(|(key, group)| Command::XGroupDestroy(GroupRef { key, group })),
        1 => consumer_ref().prop_map(Command::XGroupCreateConsumer),
        1 => consumer_ref().prop_map(Command::XGroupDelConsumer),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    let xsetid = (key(), id(), option::of(0u64..30), option::weighted(0.2, id())).prop_map(
        |(key, last_id, entries_added, max_deleted_id)| {
            Command::XSetId(XSetId { key, last_id, entries_added, max_deleted_id })
        },
    );
    let autoclaim = (consumer_ref(), 0u64..4, id(), 1u64..4, reply()).prop_map(
        |(target, min_idle_ms, start, count, reply)| {
            Command::XAutoClaim(XAutoClaim { target, min_idle_ms, start, count, reply })
        },
    );
    prop_oneof![
        40 => xadd(),
        4 => (key(), trim()).prop_map(|(key, trim)| Command::XTrim(XTrim { key, trim })),
        8 => (key(), vec(id(), 1..6)).prop_map(|(key, ids)| Command::XDel(XDel { key, ids })),
        1 => xsetid,
        10 => group_command(),
        16 => newer(),
        24 => xreadgroup(),
        10 => (group_ref(), vec(id(), 1..6)).prop_map(|(target, ids)| Command::XAck(XAck { target, ids })),
        8 => xclaim(),
        8 => autoclaim,
        1 => vec(spare_key(), 1..3).prop_map(Command::Delete),
        2 => expire(),
        1 => key().prop_map(Command::Persist),
    ]
}
