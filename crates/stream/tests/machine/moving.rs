use super::*;
use proptest::prelude::*;
use rivermark_stream::query::{KeyProperty, Property};
use rivermark_stream::{Effect, Query, Rejection};
use rivermark_types::limits::READ_BYTES_MAX;

fn dump(machine: &Machine, name: &'static str, now: u64) -> Bytes {
    match machine.query(at(now), &Query::Dump(key(name))) {
        Outcome::Bytes(payload) => payload,
        other => panic!("no dump: {other:?}"),
    }
}

fn restore(name: &'static str, payload: Bytes, deadline: Option<Deadline>, occupied: Occupied) -> Command {
    Command::Restore(Restore { key: key(name), deadline, payload, occupied })
}

fn full(machine: &Machine, name: &'static str) -> Outcome {
    let query = Query::XInfoStreamFull(rivermark_stream::query::XInfoStreamFull { key: key(name), count: 0 });
    machine.query(at(50), &query)
}

/// Several blocks, a deleted entry, pending entries of two consumers and of nobody, an idempotent id.
fn busy() -> Machine {
    let mut machine = Machine::new(Settings { block_entries_max: 3, ..Settings::default() });
    let pair = IdempotentId { producer: "p".into(), id: "1".into() };
    let Command::XAdd(add) = xadd("s") else { unreachable!("xadd makes one") };
    let mut commands = vec![Command::XAdd(XAdd { id: NewEntryId::Idempotent(pair), ..add })];
    commands.extend((0..8).map(|_| xadd("s")));
    commands.push(xgroup_create("s", GroupStart::After(EntryId::MIN)));
    commands.push(xreadgroup("s", 5));
    commands.push(Command::XDel(XDel { key: key("s"), ids: vec![EntryId::new(10, 3)] }));
    let target = GroupRef { key: key("s"), group: group("g") };
    let ids = vec![EntryId::new(10, 2), EntryId::new(10, 1)];
    let (mode, retry_count, force) = (NackMode::Fail, None, Force::No);
    commands.push(Command::XNack(XNack { target, mode, ids, retry_count, force }));
    apply(&mut machine, 10, &commands);
    machine
}

#[test]
fn a_restored_stream_is_the_one_that_was_dumped() {
    let mut machine = busy();
    let payload = dump(&machine, "s", 20);
    let applied = apply(&mut machine, 20, &[restore("t", payload.clone(), None, Occupied::Keep)]);
    assert_eq!(applied.effects, [Effect::EntriesAdded(key("t"))]);
    assert_eq!(outcomes(applied), [Outcome::Done]);
    assert_eq!(full(&machine, "t"), full(&machine, "s"));
    assert_eq!(dump(&machine, "t", 20), payload);
    // Nothing of the key goes into the bytes.
    apply(&mut machine, 21, &[expire_in("t", 1000)]);
    assert_eq!(dump(&machine, "t", 21), payload);
    let kept = outcomes(apply(&mut machine, 22, &[restore("t", payload.clone(), None, Occupied::Keep)]));
    assert_eq!(kept, [Outcome::Rejected(Rejection::KeyExists)]);
    let deadline = Some(Deadline::AtUnixMs(30));
    apply(&mut machine, 22, &[restore("t", payload.clone(), deadline, Occupied::Replace)]);
    assert_eq!(machine.next_deadline(), Some(at(30)));
    let past = Some(Deadline::AtUnixMs(5));
    let gone = outcomes(apply(&mut machine, 22, &[restore("t", payload, past, Occupied::Replace)]));
    assert_eq!((gone, machine.key_count()), (vec![Outcome::Done], 1));
}

#[test]
fn no_damaged_or_foreign_payload_is_taken() {
    let mut machine = busy();
    let payload = dump(&machine, "s", 20);
    let mut refused = |payload: Vec<u8>| {
        let restore = restore("t", payload.into(), None, Occupied::Replace);
        let outcomes = outcomes(apply(&mut machine, 20, &[restore]));
        assert_eq!(outcomes, [Outcome::Rejected(Rejection::PayloadInvalid)]);
    };
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(flipped);
    }
    for length in 0..payload.len() {
        refused(payload[..length].to_vec());
    }
    refused([&payload[..], &[0]].concat());
    assert_eq!(machine.key_count(), 1);
}

proptest! {
    #[test]
    fn no_payload_panics(bytes: Vec<u8>) {
        let mut machine = Machine::new(Settings::default());
        apply(&mut machine, 1, &[restore("s", bytes.into(), None, Occupied::Replace)]);
        prop_assert_eq!(machine.key_count(), 0);
    }
}

#[test]
fn renaming_and_copying_wake_readers_of_the_new_name() {
    let mut machine = busy();
    let (from, to) = (key("s"), key("t"));
    let rename = |occupied| Command::Rename(Rename { from: from.clone(), to: to.clone(), occupied });
    apply(&mut machine, 11, &[expire_in("s", 100)]);
    let before = full(&machine, "s");
    let applied = apply(&mut machine, 12, &[rename(Occupied::Keep)]);
    assert_eq!(applied.effects, [Effect::KeyRemoved(from.clone()), Effect::EntriesAdded(to.clone())]);
    assert_eq!(full(&machine, "t"), before);
    assert_eq!(machine.next_deadline(), Some(at(111)));
    let missing = outcomes(apply(&mut machine, 12, &[rename(Occupied::Replace)]));
    assert_eq!(missing, [Outcome::Rejected(Rejection::NoSuchKey)]);
    let copy = CopyKey { from: to, to: from.clone(), occupied: Occupied::Keep };
    let applied = apply(&mut machine, 13, &[Command::Copy(copy.clone()), Command::Copy(copy)]);
    assert_eq!(applied.effects, [Effect::EntriesAdded(from)]);
    assert_eq!(outcomes(applied), [Outcome::Integer(1), Outcome::Integer(0)]);
    let watched = |name| machine.query(at(13), &Query::KeyVersions(vec![key(name)]));
    assert_ne!(watched("s"), watched("t"));
}

#[test]
fn properties() {
    let machine = busy();
    let ask =
        |name, property| machine.query(at(10), &Query::KeyProperty(KeyProperty { key: key(name), property }));
    assert_eq!(ask("s", Property::ReferenceCount), Outcome::Integer(1));
    assert_eq!(ask("s", Property::IdleTime), Outcome::Rejected(Rejection::IdleTimeNotTracked));
    assert_eq!(ask("s", Property::AccessFrequency), Outcome::Rejected(Rejection::AccessFrequencyNotTracked));
    assert!(matches!(ask("s", Property::MemoryBytes), Outcome::Integer(bytes) if bytes > 500));
    assert_eq!(ask("t", Property::IdleTime), Outcome::Nil);
}

/// An unbounded read is bounded all the same, and the next one goes on where it ended.
#[test]
fn no_outcome_grows_without_bound() {
    let mut machine = Machine::new(Settings::default());
    let Command::XAdd(mut large) = xadd("s") else { unreachable!("xadd makes one") };
    large.fields = Fields::from_pairs([(&b"f"[..], &vec![7; READ_BYTES_MAX / 3][..])]);
    let create = xgroup_create("s", GroupStart::After(EntryId::MIN));
    apply(&mut machine, 1, &[create, Command::XAdd(large.clone()), Command::XAdd(large.clone())]);
    apply(&mut machine, 2, &[Command::XAdd(large.clone()), Command::XAdd(large)]);
    let mut counts = Vec::new();
    for _ in 0..2 {
        let outcomes = outcomes(apply(&mut machine, 3, &[xreadgroup("s", u64::MAX)]));
        let Outcome::Streams(read) = &outcomes[0] else { panic!("{outcomes:?}") };
        counts.push(read.streams[0].entries.len());
    }
    assert_eq!(counts, [2, 2]);
}
