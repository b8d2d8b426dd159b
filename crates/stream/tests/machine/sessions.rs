use super::*;
use rivermark_types::limits::SESSION_IDLE_MS_MAX;

fn ids(ms: &[(u64, u64)]) -> PartOutcome {
    PartOutcome::Applied(ms.iter().map(|(ms, seq)| Outcome::EntryId(EntryId::new(*ms, *seq))).collect())
}

/// One part in a batch of its own.
fn send(machine: &mut Machine, stamp: u64, part: Part) -> PartOutcome {
    apply_parts(machine, stamp, vec![part]).parts.remove(0)
}

#[test]
fn a_repeated_part_is_answered_from_memory_and_applied_once() {
    let mut machine = Machine::new(Settings::default());
    let two = part(7, 1, 0, &[xadd("s"), xadd("s")]);
    assert_eq!(send(&mut machine, 10, two.clone()), ids(&[(10, 0), (10, 1)]));
    assert_eq!(send(&mut machine, 20, two), ids(&[(10, 0), (10, 1)]));
    let overlapping = part(7, 2, 0, &[xadd("s"), xadd("s")]);
    assert_eq!(send(&mut machine, 30, overlapping), ids(&[(10, 1), (30, 0)]));
    let within = part(7, 2, 0, &[xadd("s")]);
    assert_eq!(send(&mut machine, 40, within), ids(&[(10, 1)]));
}

#[test]
fn a_gap_is_sent_back_and_changes_nothing() {
    let mut machine = Machine::new(Settings::default());
    send(&mut machine, 10, part(7, 1, 0, &[xadd("s")]));
    let early = part(7, 3, 0, &[xadd("s")]);
    assert_eq!(send(&mut machine, 20, early), PartOutcome::Gap { expected: 2 });
    assert_eq!(send(&mut machine, 30, part(7, 2, 0, &[xadd("s")])), ids(&[(30, 0)]));
}

#[test]
fn only_the_first_number_opens_a_session() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(send(&mut machine, 10, part(7, 2, 0, &[xadd("s")])), PartOutcome::SessionUnknown);
    assert_eq!(send(&mut machine, 10, part(7, 2, 0, &[])), PartOutcome::SessionUnknown);
    assert_eq!(send(&mut machine, 10, part(7, 1, 0, &[])), PartOutcome::Applied(vec![]));
    assert_eq!(send(&mut machine, 20, part(7, 1, 0, &[xadd("s")])), ids(&[(20, 0)]));
}

#[test]
fn acknowledged_outcomes_are_forgotten() {
    let mut machine = Machine::new(Settings::default());
    send(&mut machine, 10, part(7, 1, 0, &[xadd("s"), xadd("s"), xadd("s")]));
    assert_eq!(send(&mut machine, 20, part(7, 4, 3, &[])), PartOutcome::Applied(vec![]));
    assert_eq!(send(&mut machine, 30, part(7, 3, 0, &[xadd("s")])), ids(&[(10, 2)]));
    assert_eq!(send(&mut machine, 30, part(7, 2, 0, &[xadd("s")])), PartOutcome::SessionUnknown);
    // A router cannot acknowledge what it has not sent.
    assert_eq!(send(&mut machine, 40, part(7, 4, 100, &[xadd("s")])), ids(&[(40, 0)]));
    assert_eq!(send(&mut machine, 40, part(7, 4, 0, &[xadd("s")])), ids(&[(40, 0)]));
}

#[test]
fn idle_sessions_are_forgotten_and_refreshed_ones_kept() {
    let mut machine = Machine::new(Settings::default());
    let start = 1000;
    send(&mut machine, start, part(7, 1, 0, &[xadd("s")]));
    send(&mut machine, start, part(8, 1, 0, &[xadd("s")]));
    send(&mut machine, start + 1, part(8, 2, 0, &[]));
    let late = start + SESSION_IDLE_MS_MAX + 1;
    let gone = send(&mut machine, late, part(7, 2, 0, &[xadd("s")]));
    assert_eq!(gone, PartOutcome::SessionUnknown);
    assert_eq!(send(&mut machine, late, part(8, 2, 0, &[xadd("s")])), ids(&[(late, 0)]));
}

#[test]
fn commands_of_no_session_are_applied_each_time() {
    let mut machine = Machine::new(Settings::default());
    for stamp in [10, 20] {
        assert_eq!(send(&mut machine, stamp, part(0, 1, 0, &[xadd("s")])), ids(&[(stamp, 0)]));
    }
}

#[test]
fn stamps_never_step_back() {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 100, &[xadd("s")]);
    let applied = apply(&mut machine, 50, &[xadd("t")]);
    assert_eq!(outcomes(applied), [Outcome::EntryId(id(100))]);
    assert_eq!(machine.last_stamp(), at(100));
}
