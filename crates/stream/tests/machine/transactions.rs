use super::*;
use rivermark_stream::{Effect, Query, Rejection};

fn version(machine: &Machine, name: &'static str) -> u64 {
    match machine.query(at(0), &Query::KeyVersions(vec![key(name)])) {
        Outcome::KeyVersions(versions) => versions[0],
        other => panic!("no versions: {other:?}"),
    }
}

fn exec(watches: &[(&'static str, u64)], steps: Vec<Step>) -> Command {
    let watches = watches.iter().map(|(name, version)| (key(name), *version)).collect();
    Command::Transaction(Transaction { watches, steps })
}

#[test]
fn steps_see_what_earlier_steps_left() {
    let mut machine = Machine::new(Settings::default());
    let steps = vec![
        Step::Command(xadd("s")),
        Step::Query(Query::XLen(key("s"))),
        Step::Command(xgroup_create("s", GroupStart::Last)),
        Step::Command(xgroup_create("s", GroupStart::Last)),
        Step::Command(xadd("s")),
    ];
    let applied = apply(&mut machine, 10, &[exec(&[], steps)]);
    let expected = vec![
        Outcome::EntryId(EntryId::new(10, 0)),
        Outcome::Integer(1),
        Outcome::Done,
        Outcome::Rejected(Rejection::GroupExists),
        Outcome::EntryId(EntryId::new(10, 1)),
    ];
    assert_eq!(outcomes(applied), [Outcome::Transaction(expected)]);
}

#[test]
fn a_watched_key_that_changed_stops_everything() {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 10, &[xadd("s")]);
    let seen = version(&machine, "s");
    assert_eq!(version(&machine, "missing"), 0);
    let add = || vec![Step::Command(xadd("s"))];
    let watched = exec(&[("s", seen), ("missing", 0)], add());
    assert!(matches!(outcomes(apply(&mut machine, 20, &[watched]))[0], Outcome::Transaction(_)));
    let stale = exec(&[("s", seen)], add());
    assert_eq!(outcomes(apply(&mut machine, 30, &[stale])), [Outcome::WatchFailed]);
    assert_eq!(machine.query(at(30), &Query::XLen(key("s"))), Outcome::Integer(2));
}

#[test]
fn every_kind_of_change_changes_the_version() {
    let mut machine = Machine::new(Settings::default());
    let target = || GroupRef { key: key("s"), group: group("g") };
    let changes = [
        xadd("s"),
        xadd("s"),
        xgroup_create("s", GroupStart::After(EntryId::MIN)),
        xreadgroup("s", 9),
        Command::XAck(XAck { target: target(), ids: vec![id(1)] }),
        Command::XDel(XDel { key: key("s"), ids: vec![id(1)] }),
        Command::XTrim(XTrim {
            key: key("s"),
            trim: Trim {
                keep: TrimKeep::MaxLength(0),
                precision: TrimPrecision::Exact,
                references: References::Keep,
            },
        }),
        expire_in("s", 1000),
        Command::Persist(key("s")),
        Command::XSetId(XSetId { key: key("s"), last_id: id(99), entries_added: None, max_deleted_id: None }),
        Command::XGroupDestroy(target()),
        Command::Delete(vec![key("s")]),
        xadd("s"),
    ];
    let mut seen = vec![version(&machine, "s")];
    for change in changes {
        apply(&mut machine, 1, std::slice::from_ref(&change));
        let now = version(&machine, "s");
        assert_ne!(seen.last(), Some(&now), "{change:?}");
        seen.push(now);
    }
    seen.retain(|version| *version != 0);
    assert!(seen.is_sorted(), "versions are never used again: {seen:?}");
}

#[test]
fn what_changed_nothing_keeps_the_version() {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 1, &[xadd("s"), xgroup_create("s", GroupStart::Last), xreadgroup("s", 1)]);
    let before = version(&machine, "s");
    let idle = [
        xreadgroup("s", 1),
        Command::XDel(XDel { key: key("s"), ids: vec![id(77)] }),
        Command::Persist(key("s")),
        xgroup_create("s", GroupStart::Last),
    ];
    apply(&mut machine, 2, &idle);
    assert_eq!(version(&machine, "s"), before);
}

#[test]
fn effects_are_about_the_state_left() {
    let mut machine = Machine::new(Settings::default());
    let steps = vec![Step::Command(xadd("s")), Step::Command(Command::Delete(vec![key("s")]))];
    let applied = apply(&mut machine, 10, &[exec(&[], steps)]);
    assert_eq!(applied.effects, [Effect::KeyRemoved(key("s"))]);
    let applied = apply(&mut machine, 10, &[xadd("s"), xadd("t"), xadd("s")]);
    let mut expected = [key("s"), key("t")];
    expected.sort();
    assert_eq!(applied.effects, expected.map(Effect::EntriesAdded));
}
