//! Every value comes back, and no bytes break a decoder.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rivermark_types::{
    ConsumerName, DatabaseIndex, EntryId, GroupName, KeyPosition, Score, SessionId, Slot, StreamKey,
    UnixMillis,
};

use super::wire::Wire;
use super::*;
use crate::batch::{Batch, Part, PartOutcome};
use crate::command::*;
use crate::fields::{Entries, EntriesBuilder, Fields};
use crate::outcome;
use crate::outcome::*;
use crate::query;
use crate::query::*;

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

fn key() -> impl Strategy<Value = StreamKey> {
    (0u8..16, bytes()).prop_map(|(database, name)| {
        StreamKey::new(DatabaseIndex::new(database).expect("below the bound"), name)
    })
}

fn group() -> impl Strategy<Value = GroupName> {
    bytes().prop_map(GroupName::new)
}

fn consumer() -> impl Strategy<Value = ConsumerName> {
    bytes().prop_map(ConsumerName::new)
}

fn id() -> impl Strategy<Value = EntryId> {
    (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| EntryId::new(ms, seq))
}

fn fields() -> impl Strategy<Value = Fields> {
    vec((vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..9)), 1..4)
        .prop_map(|pairs| Fields::from_pairs(pairs.iter().map(|(f, v)| (&f[..], &v[..]))))
}

fn entries() -> impl Strategy<Value = Entries> {
    vec((id(), option::of(fields())), 0..4).prop_map(|list| {
        let mut builder = EntriesBuilder::default();
        for (id, fields) in list {
            match fields {
                None => builder.deleted(id),
                Some(fields) => {
                    builder.begin(id, fields.pairs());
                    fields.iter().for_each(|(field, value)| builder.pair(field, value));
                }
            }
        }
        builder.finish()
    })
}

fn trim() -> impl Strategy<Value = Trim> {
    let keep = prop_oneof![any::<u64>().prop_map(TrimKeep::MaxLength), id().prop_map(TrimKeep::MinId)];
    let precision = prop_oneof![
        Just(TrimPrecision::Exact),
        option::of(any::<u64>()).prop_map(|limit| TrimPrecision::Blocks { limit }),
    ];
    (keep, precision, references()).prop_map(|(keep, precision, references)| Trim {
        keep,
        precision,
        references,
    })
}

fn references() -> impl Strategy<Value = References> {
    prop_oneof![Just(References::Keep), Just(References::Drop), Just(References::Acknowledged)]
}

fn pair() -> impl Strategy<Value = IdempotentId> {
    (bytes(), bytes()).prop_map(|(producer, id)| IdempotentId { producer, id })
}

fn budget() -> impl Strategy<Value = ReadBudget> {
    let first = prop_oneof![Just(FirstEntry::Always), Just(FirstEntry::IfItFits)];
    let bounded = (option::of(any::<u64>()), option::of(any::<u64>()), first)
        .prop_map(|(entries, bytes, first)| ReadBudget { entries, bytes, first });
    prop_oneof![Just(ReadBudget::UNLIMITED), bounded]
}

fn force() -> impl Strategy<Value = Force> {
    prop_oneof![Just(Force::No), Just(Force::Yes)]
}

fn occupied() -> impl Strategy<Value = Occupied> {
    prop_oneof![Just(Occupied::Replace), Just(Occupied::Keep)]
}

fn group_ref() -> impl Strategy<Value = GroupRef> {
    (key(), group()).prop_map(|(key, group)| GroupRef { key, group })
}

fn consumer_ref() -> impl Strategy<Value = ConsumerRef> {
    (key(), group(), consumer()).prop_map(|(key, group, consumer)| ConsumerRef { key, group, consumer })
}

fn missing_key() -> impl Strategy<Value = MissingKey> {
    prop_oneof![Just(MissingKey::Create), Just(MissingKey::Keep)]
}

fn group_start() -> impl Strategy<Value = GroupStart> {
    prop_oneof![Just(GroupStart::Last), id().prop_map(GroupStart::After)]
}

fn claim_reply() -> impl Strategy<Value = ClaimReply> {
    prop_oneof![Just(ClaimReply::Entries), Just(ClaimReply::Ids)]
}

fn xadd() -> impl Strategy<Value = Command> {
    let new_id = prop_oneof![
        Just(NewEntryId::Auto),
        any::<u64>().prop_map(NewEntryId::AutoSequence),
        id().prop_map(NewEntryId::Exact),
        pair().prop_map(NewEntryId::Idempotent),
    ];
    (key(), missing_key(), option::of(trim()), new_id, fields()).prop_map(
        |(key, missing_key, trim, id, fields)| Command::XAdd(XAdd { key, missing_key, trim, id, fields }),
    )
}

fn xreadgroup() -> impl Strategy<Value = Command> {
    let from = prop_oneof![Just(GroupReadFrom::New), id().prop_map(GroupReadFrom::Pending)];
    let acknowledgement = prop_oneof![Just(Acknowledgement::Explicit), Just(Acknowledgement::Implicit)];
    let bounds = (option::of(any::<u64>()), budget(), option::of(any::<u64>()));
    (group(), consumer(), bounds, acknowledgement, vec((key(), from), 0..3)).prop_map(
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
        Just(DeliveryTime::Now),
        any::<i64>().prop_map(DeliveryTime::IdleMs),
        any::<i64>().prop_map(DeliveryTime::AtUnixMs),
    ];
    let counts = (any::<u64>(), option::of(any::<u64>()));
    (consumer_ref(), counts, vec(id(), 0..3), time, force(), claim_reply(), option::of(id())).prop_map(
        |(target, (min_idle_ms, retry_count), ids, delivery_time, force, reply, last_id)| {
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

fn newer_command() -> impl Strategy<Value = Command> {
    let mode = prop_oneof![Just(NackMode::Silent), Just(NackMode::Fail), Just(NackMode::Fatal)];
    let xnack = (group_ref(), mode, vec(id(), 0..3), option::of(any::<u64>()), force()).prop_map(
        |(target, mode, ids, retry_count, force)| {
            Command::XNack(XNack { target, mode, ids, retry_count, force })
        },
    );
    let deadline = prop_oneof![
        Just(None),
        any::<i64>().prop_map(|ms| Some(Deadline::InMs(ms))),
        any::<i64>().prop_map(|ms| Some(Deadline::AtUnixMs(ms))),
    ];
    prop_oneof![
        (key(), references(), vec(id(), 0..3)).prop_map(|(key, references, ids)| Command::XDelEx(XDelEx {
            key,
            references,
            ids
        })),
        (group_ref(), references(), vec(id(), 0..3))
            .prop_map(|(target, references, ids)| Command::XAckDel(XAckDel { target, references, ids })),
        xnack,
        (key(), option::of(any::<u32>()), option::of(any::<u32>())).prop_map(
            |(key, duration_s, pairs_max)| Command::XCfgSet(XCfgSet { key, duration_s, pairs_max })
        ),
        (key(), pair(), id()).prop_map(|(key, pair, entry)| Command::XIdmpRecord(XIdmpRecord {
            key,
            pair,
            entry
        })),
        (key(), key(), occupied()).prop_map(|(from, to, occupied)| Command::Rename(Rename {
            from,
            to,
            occupied
        })),
        (key(), key(), occupied()).prop_map(|(from, to, occupied)| Command::Copy(CopyKey {
            from,
            to,
            occupied
        })),
        (key(), deadline, bytes(), occupied()).prop_map(|(key, deadline, payload, occupied)| {
            Command::Restore(Restore { key, deadline, payload, occupied })
        }),
    ]
}

fn expire() -> impl Strategy<Value = Command> {
    let deadline =
        prop_oneof![any::<i64>().prop_map(Deadline::InMs), any::<i64>().prop_map(Deadline::AtUnixMs)];
    let condition = prop_oneof![
        Just(ExpireCondition::Always),
        Just(ExpireCondition::IfNone),
        Just(ExpireCondition::IfSome),
        Just(ExpireCondition::IfLater),
        Just(ExpireCondition::IfEarlier),
    ];
    let existing_only = prop_oneof![Just(ExistingOnly::No), Just(ExistingOnly::Yes)];
    (key(), deadline, condition, existing_only).prop_map(|(key, deadline, condition, existing_only)| {
        Command::Expire(Expire { key, deadline, condition, existing_only })
    })
}

fn group_command() -> impl Strategy<Value = Command> {
    let create = (group_ref(), group_start(), missing_key(), option::of(any::<u64>())).prop_map(
        |(target, start, missing_key, entries_read)| {
            Command::XGroupCreate(XGroupCreate { target, start, missing_key, entries_read })
        },
    );
    let set_id =
        (group_ref(), group_start(), option::of(any::<u64>())).prop_map(|(target, start, entries_read)| {
            Command::XGroupSetId(XGroupSetId { target, start, entries_read })
        });
    let autoclaim = (consumer_ref(), any::<u64>(), id(), any::<u64>(), claim_reply()).prop_map(
        |(target, min_idle_ms, start, count, reply)| {
            Command::XAutoClaim(XAutoClaim { target, min_idle_ms, start, count, reply })
        },
    );
    prop_oneof![
        create,
        set_id,
        group_ref().prop_map(Command::XGroupDestroy),
        consumer_ref().prop_map(Command::XGroupCreateConsumer),
        consumer_ref().prop_map(Command::XGroupDelConsumer),
        xreadgroup(),
        (group_ref(), vec(id(), 0..3)).prop_map(|(target, ids)| Command::XAck(XAck { target, ids })),
        xclaim(),
        autoclaim,
    ]
}

fn plain_command() -> impl Strategy<Value = Command> {
    let xsetid = (key(), id(), option::of(any::<u64>()), option::of(id())).prop_map(
        |(key, last_id, entries_added, max_deleted_id)| {
            Command::XSetId(XSetId { key, last_id, entries_added, max_deleted_id })
        },
    );
    let settings = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(block_entries_max, block_bytes_max, idempotent_s, idempotent_pairs_max)| Settings {
            block_entries_max,
            block_bytes_max,
            idempotent_s,
            idempotent_pairs_max,
        },
    );
    prop_oneof![
        xadd(),
        (key(), trim()).prop_map(|(key, trim)| Command::XTrim(XTrim { key, trim })),
        (key(), vec(id(), 0..3)).prop_map(|(key, ids)| Command::XDel(XDel { key, ids })),
        xsetid,
        newer_command(),
        group_command(),
        vec(key(), 0..3).prop_map(Command::Delete),
        expire(),
        key().prop_map(Command::Persist),
        key().prop_map(|key| Command::FlushDatabase(key.database())),
        Just(Command::FlushAll),
        settings.prop_map(Command::Configure),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let step = prop_oneof![plain_command().prop_map(Step::Command), query().prop_map(Step::Query)];
    let transaction = (vec((key(), any::<u64>()), 0..3), vec(step, 0..4))
        .prop_map(|(watches, steps)| Command::Transaction(Transaction { watches, steps }));
    prop_oneof![4 => plain_command(), 1 => transaction]
}

fn stream_query() -> impl Strategy<Value = Query> {
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let range = (key(), id(), id(), option::of(any::<u64>()), direction).prop_map(
        |(key, start, end, count, direction)| Query::XRange(XRange { key, start, end, count, direction }),
    );
    let score = || any::<f64>().prop_map(|value| Score::new(value).unwrap_or(Score::MIN));
    let by_score = (key(), bytes(), score(), score(), option::of(any::<u64>())).prop_map(
        |(key, field, start, end, count)| {
            Query::XRangeByScore(XRangeByScore { key, field, start, end, count })
        },
    );
    let from = prop_oneof![id().prop_map(ReadFrom::After), Just(ReadFrom::Last), Just(ReadFrom::LastEntry)];
    let pending = ((key(), group(), any::<u64>()), id(), id(), any::<u64>(), option::of(consumer()));
    let pending = pending.prop_map(|((key, group, min_idle_ms), start, end, count, consumer)| {
        Query::XPendingRange(query::PendingRange { key, group, min_idle_ms, start, end, count, consumer })
    });
    prop_oneof![
        key().prop_map(Query::XLen),
        range,
        by_score,
        (option::of(any::<u64>()), budget(), vec((key(), from), 0..3))
            .prop_map(|(count, budget, streams)| Query::XRead(XRead { count, budget, streams })),
        (key(), group())
            .prop_map(|(key, group)| Query::XPendingSummary(query::PendingSummary { key, group })),
        pending,
        key().prop_map(Query::XInfoStream),
        (key(), any::<u64>()).prop_map(|(key, count)| Query::XInfoStreamFull(XInfoStreamFull { key, count })),
        key().prop_map(Query::XInfoGroups),
        (key(), group()).prop_map(|(key, group)| Query::XInfoConsumers(XInfoConsumers { key, group })),
        (group(), vec(key(), 0..3)).prop_map(|(group, keys)| Query::GroupsExist(GroupsExist { group, keys })),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let form = prop_oneof![
        Just(DeadlineForm::SecondsLeft),
        Just(DeadlineForm::MillisLeft),
        Just(DeadlineForm::UnixSeconds),
        Just(DeadlineForm::UnixMillis),
    ];
    let property = prop_oneof![
        Just(Property::ReferenceCount),
        Just(Property::IdleTime),
        Just(Property::AccessFrequency),
        Just(Property::MemoryBytes),
    ];
    let slot = (0u16..16_384).prop_map(|raw| Slot::new(raw).expect("below the bound"));
    let scan =
        (key(), any::<u64>(), any::<u64>(), option::of(bytes())).prop_map(|(key, from, count, pattern)| {
            Query::Scan(Scan { database: key.database(), from: KeyPosition::new(from), count, pattern })
        });
    prop_oneof![
        4 => stream_query(),
        1 => vec(key(), 0..3).prop_map(Query::Exists),
        1 => key().prop_map(Query::KeyType),
        1 => (key(), form).prop_map(|(key, form)| Query::TimeToLive(TimeToLive { key, form })),
        1 => (key(), bytes())
            .prop_map(|(key, pattern)| Query::Keys(Keys { database: key.database(), pattern })),
        1 => scan,
        1 => option::of(key()).prop_map(|key| Query::KeyCount(key.map(|key| key.database()))),
        1 => Just(Query::KeyspaceCounts),
        1 => slot.clone().prop_map(Query::CountKeysInSlot),
        1 => (slot, any::<u64>()).prop_map(|(slot, count)| Query::KeysInSlot(KeysInSlot { slot, count })),
        1 => vec(key(), 0..3).prop_map(Query::KeyVersions),
        1 => key().prop_map(Query::Dump),
        1 => (key(), property)
            .prop_map(|(key, property)| Query::KeyProperty(KeyProperty { key, property })),
    ]
}

fn head() -> impl Strategy<Value = StreamHead> {
    let idempotence =
        (any::<[u64; 6]>()).prop_map(|[duration_s, pairs_max, producers, pairs, added, duplicates]| {
            IdempotenceInfo { duration_s, pairs_max, producers, pairs, added, duplicates }
        });
    (any::<u64>(), any::<u64>(), id(), id(), any::<u64>(), id(), idempotence).prop_map(
        |(length, blocks, last_id, max_deleted_id, entries_added, first_id, idempotence)| StreamHead {
            idempotence,
            length,
            blocks,
            last_id,
            max_deleted_id,
            entries_added,
            first_id,
        },
    )
}

fn pending_record() -> impl Strategy<Value = outcome::PendingRecord> {
    (id(), consumer(), any::<u64>(), any::<u64>()).prop_map(
        |(id, consumer, delivery_time_ms, delivery_count)| outcome::PendingRecord {
            id,
            consumer,
            delivery_time_ms,
            delivery_count,
        },
    )
}

fn stream_full() -> impl Strategy<Value = Outcome> {
    let consumer =
        (consumer(), any::<u64>(), option::of(any::<u64>()), any::<u64>(), vec(pending_record(), 0..3));
    let consumer = consumer.prop_map(|(name, seen_time_ms, active_time_ms, pending_count, pending)| {
        ConsumerFull { name, seen_time_ms, active_time_ms, pending_count, pending }
    });
    let group = (group(), id(), option::of(any::<u64>()), vec(pending_record(), 0..3), vec(consumer, 0..3));
    let group = group.prop_map(|(name, last_delivered_id, entries_read, pending, consumers)| GroupFull {
        name,
        last_delivered_id,
        entries_read,
        lag: entries_read,
        pending_count: pending.len() as u64,
        nacked_count: pending.len() as u64 / 2,
        pending,
        consumers,
    });
    (head(), entries(), vec(group, 0..3)).prop_map(|(head, entries, groups)| {
        Outcome::StreamFull(Box::new(StreamFull { head, entries, groups }))
    })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    prop_oneof![
        Just(Rejection::NoSuchKey),
        Just(Rejection::KeyRequiredByXGroup),
        Just(Rejection::GroupExists),
        (key(), group()).prop_map(|(key, group)| Rejection::NoKeyOrGroup(key, group)),
        (key(), group()).prop_map(|(key, group)| Rejection::NoKeyOrGroupToRead(key, group)),
        (key(), group()).prop_map(|(key, group)| Rejection::NoGroup(key, group)),
        Just(Rejection::IdTooSmall),
        Just(Rejection::IdsExhausted),
        Just(Rejection::SetIdBelowGivenMaxDeleted),
        Just(Rejection::SetIdBelowMaxDeleted),
        Just(Rejection::SetIdBelowLastEntry),
        Just(Rejection::EntriesAddedBelowLength),
        Just(Rejection::NoSuchEntry),
        Just(Rejection::IdempotentIdTaken),
        Just(Rejection::KeyExists),
        Just(Rejection::PayloadInvalid),
        Just(Rejection::DumpTooLarge),
        Just(Rejection::RangeTooLarge),
        Just(Rejection::IdleTimeNotTracked),
        Just(Rejection::AccessFrequencyNotTracked),
    ]
}

fn stream_outcome() -> impl Strategy<Value = Outcome> {
    let stream = (any::<u32>(), key(), entries())
        .prop_map(|(index, key, entries)| StreamEntries { index, key, entries })
        .boxed();
    let delivery = (any::<u64>(), any::<u64>())
        .prop_map(|(idle_ms, delivery_count)| Delivery { idle_ms, delivery_count });
    let claims = (stream.clone(), vec(delivery, 0..3))
        .prop_map(|(read, deliveries)| StreamClaims { read, deliveries });
    let streams = (vec(stream, 0..3), vec(id(), 0..3))
        .prop_map(|(streams, resolved)| Outcome::Streams(StreamsRead { streams, resolved }));
    let claimed = prop_oneof![entries().prop_map(Claimed::Entries), vec(id(), 0..3).prop_map(Claimed::Ids)];
    let auto = (id(), claimed, vec(id(), 0..3)).prop_map(|(cursor, claimed, deleted)| {
        Outcome::AutoClaimed(AutoClaimed { cursor, claimed, deleted })
    });
    let summary = (any::<u64>(), option::of((id(), id())), vec((consumer(), any::<u64>()), 0..3)).prop_map(
        |(count, range, consumers)| {
            Outcome::PendingSummary(outcome::PendingSummary { count, range, consumers })
        },
    );
    let pending = (id(), consumer(), option::of(0..u64::MAX), any::<u64>()).prop_map(
        |(id, consumer, idle_ms, delivery_count)| PendingEntry { id, consumer, idle_ms, delivery_count },
    );
    let info =
        (head(), any::<u64>(), entries(), entries()).prop_map(|(head, groups, first_entry, last_entry)| {
            Outcome::StreamInfo(Box::new(StreamInfo { head, groups, first_entry, last_entry }))
        });
    let group = (group(), any::<u64>(), any::<u64>(), id(), option::of(any::<u64>())).prop_map(
        |(name, consumers, pending, last_delivered_id, lag)| GroupInfo {
            name,
            consumers,
            pending,
            last_delivered_id,
            entries_read: lag,
            lag,
        },
    );
    let consumer = (consumer(), any::<u64>(), any::<u64>(), option::of(any::<u64>())).prop_map(
        |(name, pending, idle_ms, inactive_ms)| ConsumerInfo { name, pending, idle_ms, inactive_ms },
    );
    prop_oneof![
        streams,
        auto,
        summary,
        vec(pending, 0..3).prop_map(Outcome::PendingRange),
        vec(claims, 0..3).prop_map(Outcome::StreamsClaimed),
        info,
        stream_full(),
        vec(group, 0..3).prop_map(Outcome::Groups),
        vec(consumer, 0..3).prop_map(Outcome::Consumers),
    ]
}

fn plain_outcome() -> impl Strategy<Value = Outcome> {
    let counts = (any::<u8>(), any::<u64>(), any::<u64>())
        .prop_map(|(database, keys, expiring)| DatabaseCount { database, keys, expiring });
    let page = (option::of(any::<u64>()), vec(key(), 0..3))
        .prop_map(|(next, keys)| Outcome::ScanPage(ScanPage { next: next.map(KeyPosition::new), keys }));
    prop_oneof![
        Just(Outcome::Done),
        any::<i64>().prop_map(Outcome::Integer),
        Just(Outcome::Nil),
        Just(Outcome::NilArray),
        id().prop_map(Outcome::EntryId),
        vec(id(), 0..3).prop_map(Outcome::EntryIds),
        entries().prop_map(Outcome::Entries),
        stream_outcome(),
        prop_oneof![Just(KeyType::None), Just(KeyType::Stream)].prop_map(Outcome::KeyType),
        vec(key(), 0..3).prop_map(Outcome::Keys),
        page,
        vec(counts, 0..3).prop_map(Outcome::KeyspaceCounts),
        vec(any::<u64>(), 0..3).prop_map(Outcome::KeyVersions),
        vec(any::<i64>(), 0..3).prop_map(Outcome::Integers),
        bytes().prop_map(Outcome::Bytes),
        Just(Outcome::WatchFailed),
        rejection().prop_map(Outcome::Rejected),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![4 => plain_outcome(), 1 => vec(plain_outcome(), 0..4).prop_map(Outcome::Transaction)]
}

fn part_outcome() -> impl Strategy<Value = PartOutcome> {
    prop_oneof![
        vec(outcome(), 0..4).prop_map(PartOutcome::Applied),
        any::<u64>().prop_map(|expected| PartOutcome::Gap { expected }),
        Just(PartOutcome::SessionUnknown),
    ]
}

fn comes_back<T: Wire + PartialEq + std::fmt::Debug>(value: &T) {
    let mut encoded = vec![0xff];
    value.encode(&mut encoded);
    let encoded = Bytes::from(encoded).slice(1..);
    let mut reader = Reader::new(&encoded);
    assert_eq!(T::decode(&mut reader).as_ref(), Ok(value));
    assert!(reader.is_empty());
    let cut = encoded.slice(..encoded.len() - 1);
    assert!(T::decode(&mut Reader::new(&cut)).is_err(), "a value cut short was taken for whole");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn commands_come_back(command in command()) {
        comes_back(&command);
    }

    #[test]
    fn queries_come_back(query in query()) {
        comes_back(&query);
    }

    #[test]
    fn outcomes_come_back(outcome in part_outcome()) {
        comes_back(&outcome);
    }

    #[test]
    fn batches_come_back(
        stamp: u64,
        parts in vec((any::<u64>(), any::<u64>(), any::<u64>(), vec(command(), 0..4)), 0..4),
    ) {
        let mut builder = BatchBuilder::new(UnixMillis::new(stamp));
        let mut expected = Vec::new();
        for (session, first_sequence, acknowledged_below, commands) in &parts {
            let mut part = PartBuilder::new(SessionId::new(*session), *first_sequence, *acknowledged_below);
            commands.iter().for_each(|command| part.push(command));
            let part = part.finish();
            prop_assert_eq!(part.check(), Ok(()));
            let read: Result<Vec<_>, _> = part.iter().collect();
            prop_assert_eq!(read.as_ref(), Ok(commands));
            let mut encoded = Vec::new();
            part.encode(&mut encoded);
            builder.push_encoded_part(&encoded);
            expected.push(part);
        }
        let batch = Batch { stamp: UnixMillis::new(stamp), parts: expected };
        let encoded = builder.finish();
        prop_assert_eq!(&encoded, &batch.encode());
        prop_assert_eq!(Batch::decode(&encoded), Ok(batch));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(prop_oneof![0u8..70, any::<u8>()], 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = decode_command(&mut Reader::new(&bytes));
        let _ = decode_query(&mut Reader::new(&bytes));
        let _ = decode_part_outcome(&mut Reader::new(&bytes));
        let _ = Batch::decode(&bytes);
        let part = Part {
            session: SessionId::NONE,
            first_sequence: 1,
            acknowledged_below: 0,
            count: u32::MAX,
            commands: bytes,
        };
        prop_assert!(part.check().is_err());
    }

    #[test]
    fn damaged_values_never_panic(command in command(), at: prop::sample::Index, with: u8) {
        let mut encoded = Vec::new();
        encode_command(&command, &mut encoded);
        let at = at.index(encoded.len());
        encoded[at] = with;
        let _ = decode_command(&mut Reader::new(&Bytes::from(encoded)));
    }
}

#[test]
fn transactions_do_not_nest() {
    let inner = Command::Transaction(Transaction { watches: Vec::new(), steps: Vec::new() });
    let outer = Transaction { watches: Vec::new(), steps: vec![Step::Command(inner)] };
    let mut encoded = Vec::new();
    encode_command(&Command::Transaction(outer), &mut encoded);
    let decoded = decode_command(&mut Reader::new(&Bytes::from(encoded)));
    assert_eq!(decoded, Err(DecodeError::Invalid("step of a transaction")));
}

#[test]
fn deep_nesting_and_false_lengths_are_refused() {
    let nested = Bytes::from([64u8, 1].repeat(100_000));
    assert_eq!(decode_outcome(&mut Reader::new(&nested)), Err(DecodeError::NestedTooDeep));
    let mut long = vec![32];
    crate::varint::put_varint(&mut long, u64::MAX);
    assert_eq!(decode_command(&mut Reader::new(&Bytes::from(long))), Err(DecodeError::UnexpectedEnd));
}
