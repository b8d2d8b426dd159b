use super::*;
use rivermark_stream::query::{ReadFrom, XRead};
use rivermark_stream::{Effect, Query, Readiness, WaitCondition};

const WAIT: Readiness = Readiness::Wait;

fn ready(available: u64) -> Readiness {
    Readiness::Ready { available }
}

fn entries(machine: &Machine, after: u64) -> Readiness {
    machine.readiness(at(0), &WaitCondition::Entries { key: key("s"), after: id(after) })
}

fn in_group(machine: &Machine, now: u64) -> Readiness {
    machine.readiness(at(now), &WaitCondition::Group { key: key("s"), group: group("g") })
}

#[test]
fn entries_above_the_id_end_the_wait() {
    let mut machine =
        Machine::new(Settings { block_entries_max: 2, block_bytes_max: 0, ..Settings::default() });
    assert_eq!(entries(&machine, 0), WAIT);
    for stamp in 1..=5 {
        apply(&mut machine, stamp, &[xadd("s")]);
    }
    for (after, expected) in [(0, ready(5)), (2, ready(3)), (4, ready(1)), (5, WAIT), (99, WAIT)] {
        assert_eq!(entries(&machine, after), expected, "after {after}");
    }
    apply(&mut machine, 6, &[Command::XDel(XDel { key: key("s"), ids: vec![id(5), id(3)] })]);
    assert_eq!((entries(&machine, 4), entries(&machine, 1)), (WAIT, ready(2)));
}

#[test]
fn a_group_waits_for_entries_or_for_its_end() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(in_group(&machine, 0), ready(0));
    apply(&mut machine, 1, &[xgroup_create("s", GroupStart::Last)]);
    assert_eq!(in_group(&machine, 1), WAIT);
    apply(&mut machine, 2, &[xadd("s"), xadd("s")]);
    assert_eq!(in_group(&machine, 2), ready(2));
    apply(&mut machine, 3, &[xreadgroup("s", 1)]);
    assert_eq!(in_group(&machine, 3), ready(1));
    apply(&mut machine, 4, &[xreadgroup("s", 9), expire_in("s", 10)]);
    assert_eq!((in_group(&machine, 4), in_group(&machine, 14)), (WAIT, ready(0)));
    let target = GroupRef { key: key("s"), group: group("g") };
    let applied = apply(&mut machine, 5, &[Command::XGroupDestroy(target)]);
    assert_eq!(applied.effects, [Effect::GroupRemoved(key("s"), group("g"))]);
    assert_eq!(in_group(&machine, 5), ready(0));
}

#[test]
fn a_cursor_set_back_is_told() {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 1, &[xadd("s"), xgroup_create("s", GroupStart::Last)]);
    let target = GroupRef { key: key("s"), group: group("g") };
    let set_id =
        |start| Command::XGroupSetId(XGroupSetId { target: target.clone(), start, entries_read: None });
    let applied = apply(&mut machine, 2, &[set_id(GroupStart::After(EntryId::MIN))]);
    assert_eq!(applied.effects, [Effect::GroupMoved(key("s"), group("g"))]);
    assert_eq!(in_group(&machine, 2), ready(1));
    assert_eq!(apply(&mut machine, 3, &[set_id(GroupStart::Last)]).effects, []);
}

#[test]
fn xread_resolves_where_to_wait() {
    let mut machine = Machine::new(Settings::default());
    for stamp in 1..=3 {
        apply(&mut machine, stamp, &[xadd("s")]);
    }
    let read = |name, from| {
        let query = Query::XRead(XRead {
            count: Some(2),
            budget: ReadBudget::UNLIMITED,
            streams: vec![(key(name), from)],
        });
        match machine.query(at(3), &query) {
            Outcome::Streams(mut read) => {
                let entries = read.streams.pop().map(|stream| stream.entries);
                let ids: Vec<u64> =
                    entries.iter().flat_map(|list| list.iter()).map(|entry| entry.id.ms).collect();
                (ids, read.resolved[0])
            }
            other => panic!("not read: {other:?}"),
        }
    };
    assert_eq!(read("s", ReadFrom::After(id(0))), (vec![1, 2], id(0)));
    assert_eq!(read("s", ReadFrom::After(id(3))), (vec![], id(3)));
    assert_eq!(read("s", ReadFrom::Last), (vec![], id(3)));
    assert_eq!(read("s", ReadFrom::LastEntry), (vec![3], id(3).predecessor().unwrap()));
    assert_eq!(read("missing", ReadFrom::Last), (vec![], EntryId::MIN));
    assert_eq!(read("missing", ReadFrom::LastEntry), (vec![], EntryId::MIN));
}
