//! XRANGEBYSCORE where the model test does not look: indexes are no part of the state.

use super::*;
use rivermark_stream::query::{KeyProperty, Property, XRangeByScore};
use rivermark_stream::{Query, Snapshot, SnapshotRestore};
use rivermark_types::Score;

fn job(run_at: u64) -> Command {
    let Command::XAdd(add) = xadd("s") else { unreachable!("xadd makes one") };
    let fields = Fields::from_pairs([(&b"run_at"[..], run_at.to_string().as_bytes())]);
    Command::XAdd(XAdd { fields, ..add })
}

fn due(until: u64) -> Query {
    let end = Score::new(until as f64).expect("a number");
    Query::XRangeByScore(XRangeByScore {
        key: key("s"),
        field: Bytes::from_static(b"run_at"),
        start: Score::MIN,
        end,
        count: None,
    })
}

fn found(outcome: &Outcome) -> Vec<u64> {
    match outcome {
        Outcome::Entries(entries) => entries.iter().map(|entry| entry.id.seq).collect(),
        other => panic!("no entries: {other:?}"),
    }
}

fn memory(machine: &Machine) -> Outcome {
    machine.query(at(50), &memory_usage())
}

fn memory_usage() -> Query {
    Query::KeyProperty(KeyProperty { key: key("s"), property: Property::MemoryBytes })
}

fn restored(snapshot: &Snapshot) -> Machine {
    let mut restore = SnapshotRestore::new();
    snapshot.chunks().for_each(|chunk| restore.push(&chunk).expect("a whole snapshot restores"));
    restore.finish().expect("a whole snapshot restores")
}

fn busy() -> Machine {
    let mut machine = Machine::new(Settings::default());
    let jobs: Vec<Command> = [30, 10, 20].into_iter().map(job).collect();
    apply(&mut machine, 10, &jobs);
    machine
}

#[test]
fn a_read_makes_an_index_and_changes_no_state() {
    let machine = busy();
    let (digest, before) = (machine.digest(), memory(&machine));
    assert_eq!(found(&machine.query(at(50), &due(20))), [1, 2]);
    assert_eq!(machine.digest(), digest);
    let (Outcome::Integer(before), Outcome::Integer(after)) = (before, memory(&machine)) else {
        panic!("no numbers")
    };
    assert!(after > before, "MEMORY USAGE tells of the index: {before} before, {after} after");
}

#[test]
fn replicas_agree_whoever_was_read() {
    let (mut read, mut unread) = (busy(), busy());
    read.query(at(50), &due(20));
    let steps = vec![
        Step::Query(memory_usage()),
        Step::Query(due(25)),
        Step::Command(job(5)),
        Step::Query(due(25)),
        Step::Query(memory_usage()),
    ];
    let transaction = Command::Transaction(Transaction { watches: Vec::new(), steps });
    let parts = vec![part(7, 1, 0, &[transaction])];
    let applied = apply_parts(&mut read, 60, parts.clone());
    assert_eq!(apply_parts(&mut unread, 60, parts), applied);
    assert_eq!(read.digest(), unread.digest());
    let Outcome::Transaction(outcomes) = &outcomes(applied)[0] else { panic!("no transaction") };
    assert_eq!(found(&outcomes[1]), [1, 2]);
    assert_eq!(found(&outcomes[3]), [0, 1, 2], "the new job comes first, by its own id");
}

#[test]
fn a_snapshot_takes_no_index_and_leaves_the_machine_its_own() {
    let mut machine = busy();
    machine.query(at(50), &due(20));
    let told = memory(&machine);
    let snapshot = machine.snapshot();
    apply(&mut machine, 60, &[Command::XDel(XDel { key: key("s"), ids: vec![EntryId::new(10, 1)] })]);
    assert_ne!(memory(&machine), memory(&restored(&machine.snapshot())), "the machine still has its own");
    assert_eq!(found(&machine.query(at(60), &due(40))), [2, 0]);
    let restored = restored(&snapshot);
    assert_ne!(memory(&restored), told, "no index came along");
    assert_eq!(found(&restored.query(at(60), &due(40))), [1, 2, 0]);
    assert_eq!(memory(&restored), told);
}

#[test]
fn an_index_goes_where_its_stream_goes() {
    let mut machine = busy();
    machine.query(at(50), &due(20));
    let told = memory(&machine);
    let commands = [
        Command::Copy(CopyKey { from: key("s"), to: key("t"), occupied: Occupied::Keep }),
        Command::XDel(XDel { key: key("t"), ids: vec![EntryId::new(10, 1)] }),
    ];
    apply(&mut machine, 60, &commands);
    assert_eq!(found(&machine.query(at(60), &due(40))), [1, 2, 0]);
    let rename = Command::Rename(Rename { from: key("t"), to: key("s"), occupied: Occupied::Replace });
    apply(&mut machine, 61, &[rename]);
    assert_ne!(memory(&machine), told);
    assert_eq!(found(&machine.query(at(61), &due(40))), [2, 0]);
    apply(&mut machine, 62, &[Command::Delete(vec![key("s")])]);
    assert_eq!(found(&machine.query(at(62), &due(40))), [0; 0]);
}
