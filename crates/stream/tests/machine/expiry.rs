use super::*;
use rivermark_stream::query::{DeadlineForm, Scan, TimeToLive};
use rivermark_stream::{Effect, Query};
use rivermark_types::KeyPosition;

fn time_to_live(machine: &Machine, now: u64, form: DeadlineForm) -> Outcome {
    machine.query(at(now), &Query::TimeToLive(TimeToLive { key: key("s"), form }))
}

#[test]
fn a_key_is_missing_to_queries_before_a_batch_removes_it() {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 100, &[xadd("s"), expire_in("s", 50)]);
    assert_eq!(machine.next_deadline(), Some(at(150)));
    let length = |machine: &Machine, now| machine.query(at(now), &Query::XLen(key("s")));
    assert_eq!(length(&machine, 149), Outcome::Integer(1));
    assert_eq!(length(&machine, 150), Outcome::Integer(0));
    assert_eq!(machine.query(at(150), &Query::KeyCount(None)), Outcome::Integer(0));
    assert_eq!(machine.key_count(), 1);
    let applied = apply(&mut machine, 150, &[xadd("s")]);
    assert_eq!(applied.effects, [Effect::KeyRemoved(key("s")), Effect::EntriesAdded(key("s"))]);
    assert_eq!(length(&machine, 150), Outcome::Integer(1));
    assert_eq!(machine.next_deadline(), None);
}

#[test]
fn a_past_deadline_removes_at_once() {
    let mut machine = Machine::new(Settings::default());
    let applied = apply(&mut machine, 100, &[xadd("s"), expire_in("s", -1), expire_in("s", 5)]);
    assert_eq!(applied.effects, [Effect::KeyRemoved(key("s"))]);
    let expected = [Outcome::EntryId(id(100)), Outcome::Integer(1), Outcome::Integer(0)];
    assert_eq!(outcomes(applied), expected);
}

#[test]
fn time_to_live_is_told_in_every_form() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(time_to_live(&machine, 0, DeadlineForm::MillisLeft), Outcome::Integer(-2));
    apply(&mut machine, 100, &[xadd("s")]);
    assert_eq!(time_to_live(&machine, 100, DeadlineForm::SecondsLeft), Outcome::Integer(-1));
    apply(&mut machine, 100, &[expire_in("s", 2600)]);
    for (form, expected) in [
        (DeadlineForm::MillisLeft, 2600),
        (DeadlineForm::SecondsLeft, 3),
        (DeadlineForm::UnixMillis, 2700),
        (DeadlineForm::UnixSeconds, 3),
    ] {
        assert_eq!(time_to_live(&machine, 100, form), Outcome::Integer(expected), "{form:?}");
    }
}

#[test]
fn scan_finds_every_key_once_whatever_the_page() {
    let mut machine = Machine::new(Settings::default());
    let names: Vec<&'static str> =
        (0..300).map(|n| &*Box::leak(format!("key:{n}").into_boxed_str())).collect();
    let commands: Vec<Command> = names.iter().map(|name| xadd(name)).collect();
    apply(&mut machine, 1, &commands);
    for count in [1, 7, 1000] {
        let mut found = Vec::new();
        let mut from = Some(KeyPosition::START);
        while let Some(position) = from {
            let scan = Scan { database: key("s").database(), from: position, count, pattern: None };
            let Outcome::ScanPage(page) = machine.query(at(1), &Query::Scan(scan)) else { panic!("no page") };
            found.extend(page.keys);
            from = page.next;
        }
        let mut expected: Vec<StreamKey> = names.iter().map(|name| key(name)).collect();
        expected.sort();
        assert_eq!(found, expected, "pages of {count}");
    }
}

#[test]
fn flushing_a_database_keeps_the_others() {
    let mut machine = Machine::new(Settings::default());
    let other = StreamKey::new(DatabaseIndex::new(3).unwrap(), Bytes::from_static(b"s"));
    let Command::XAdd(mut elsewhere) = xadd("s") else { unreachable!("xadd makes one") };
    elsewhere.key = other.clone();
    let commands =
        [xadd("s"), expire_in("s", 9), Command::XAdd(elsewhere), Command::FlushDatabase(key("s").database())];
    let applied = apply(&mut machine, 1, &commands);
    assert_eq!(applied.effects, [Effect::Flushed(Some(key("s").database())), Effect::EntriesAdded(other)]);
    assert_eq!((machine.key_count(), machine.next_deadline()), (1, None));
    apply(&mut machine, 2, &[Command::FlushAll]);
    assert_eq!(machine.key_count(), 0);
}
