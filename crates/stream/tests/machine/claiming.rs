use super::*;
use rivermark_stream::outcome::{Delivery, StreamsRead};
use rivermark_stream::{Effect, Readiness, WaitCondition};

const WAIT: Readiness = Readiness::Wait;

fn condition(min_idle_ms: u64) -> WaitCondition {
    WaitCondition::Claim { key: key("s"), group: group("g"), min_idle_ms }
}

fn ready(machine: &Machine, now: u64) -> Readiness {
    machine.readiness(at(now), &condition(50))
}

fn look(machine: &Machine, now: u64) -> Option<u64> {
    machine.look_again_at(at(now), &condition(50)).map(|at| at.get())
}

fn claim(min_idle_ms: u64) -> Command {
    let Command::XReadGroup(mut read) = xreadgroup("s", 9) else { unreachable!("xreadgroup makes one") };
    read.claim_min_idle_ms = Some(min_idle_ms);
    Command::XReadGroup(read)
}

fn xnack(ms: u64) -> Command {
    let target = GroupRef { key: key("s"), group: group("g") };
    let (ids, retry_count) = (vec![id(ms)], None);
    Command::XNack(XNack { target, mode: NackMode::Silent, ids, retry_count, force: Force::No })
}

/// Entries 1-0 and 2-0, delivered at 100 and at 120.
fn two_pending() -> Machine {
    let mut machine = Machine::new(Settings::default());
    apply(&mut machine, 1, &[xadd("s")]);
    apply(&mut machine, 2, &[xadd("s"), xgroup_create("s", GroupStart::After(EntryId::MIN))]);
    apply(&mut machine, 100, &[xreadgroup("s", 1)]);
    apply(&mut machine, 120, &[xreadgroup("s", 1)]);
    machine
}

fn claimed(outcome: &Outcome) -> Vec<(u64, Delivery)> {
    let Outcome::StreamsClaimed(claims) = outcome else { panic!("nothing claimed: {outcome:?}") };
    let ids = claims[0].read.entries.iter().map(|entry| entry.id.ms);
    ids.zip(claims[0].deliveries.iter().copied()).collect()
}

#[test]
fn time_alone_ends_the_wait() {
    let mut machine = two_pending();
    assert_eq!((ready(&machine, 149), look(&machine, 120)), (WAIT, Some(150)));
    assert_eq!(ready(&machine, 150), Readiness::Ready { available: 1 });
    assert_eq!(ready(&machine, 170), Readiness::Ready { available: 2 });
    let outcome = &outcomes(apply(&mut machine, 150, &[claim(50)]))[0];
    assert_eq!(claimed(outcome), [(1, Delivery { idle_ms: 50, delivery_count: 1 })]);
    assert_eq!((ready(&machine, 150), look(&machine, 150)), (WAIT, Some(170)));
}

#[test]
fn entries_that_are_gone_end_no_wait() {
    let mut machine = two_pending();
    apply(&mut machine, 121, &[Command::XDel(XDel { key: key("s"), ids: vec![id(1)] })]);
    assert_eq!((ready(&machine, 160), look(&machine, 160)), (WAIT, Some(170)));
    let read = outcomes(apply(&mut machine, 160, &[claim(50)]));
    assert_eq!(read, [Outcome::Streams(StreamsRead::default())]);
}

#[test]
fn with_nothing_pending_the_wait_is_at_least_as_long_as_the_idle_time() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!((ready(&machine, 5), look(&machine, 5)), (Readiness::Ready { available: 0 }, None));
    apply(&mut machine, 5, &[xgroup_create("s", GroupStart::Last)]);
    assert_eq!((ready(&machine, 5), look(&machine, 5)), (WAIT, Some(55)));
    assert_eq!(machine.look_again_at(at(5), &condition(0)).map(|at| at.get()), Some(15));
    assert_eq!(machine.look_again_at(at(5), &condition(u64::MAX)).map(|at| at.get()), Some(u64::MAX));
    apply(&mut machine, 6, &[xadd("s")]);
    assert_eq!(ready(&machine, 6), Readiness::Ready { available: 1 });
}

#[test]
fn what_is_given_back_is_claimed_first_and_at_once() {
    let mut machine = two_pending();
    let applied = apply(&mut machine, 130, &[xnack(2)]);
    assert_eq!(applied.effects, [Effect::GroupMoved(key("s"), group("g"))]);
    assert_eq!(outcomes(applied), [Outcome::Integer(1)]);
    assert_eq!(ready(&machine, 130), Readiness::Ready { available: 1 });
    assert_eq!(apply(&mut machine, 131, &[xnack(9)]).effects, []);
    let outcome = &outcomes(apply(&mut machine, 200, &[claim(50)]))[0];
    let expected = [
        (2, Delivery { idle_ms: 200, delivery_count: 0 }),
        (1, Delivery { idle_ms: 100, delivery_count: 1 }),
    ];
    assert_eq!(claimed(outcome), expected);
}

#[test]
fn a_claim_that_makes_entries_look_older_is_told() {
    let mut machine = two_pending();
    let claim = |delivery_time| {
        Command::XClaim(XClaim {
            target: ConsumerRef {
                key: key("s"),
                group: group("g"),
                consumer: ConsumerName::new(Bytes::from_static(b"d")),
            },
            min_idle_ms: 0,
            ids: vec![id(2)],
            delivery_time,
            retry_count: None,
            force: Force::No,
            reply: ClaimReply::Ids,
            last_id: None,
        })
    };
    assert_eq!(apply(&mut machine, 130, &[claim(DeliveryTime::Now)]).effects, []);
    let applied = apply(&mut machine, 130, &[claim(DeliveryTime::IdleMs(60))]);
    assert_eq!(applied.effects, [Effect::GroupMoved(key("s"), group("g"))]);
    assert_eq!(ready(&machine, 130), Readiness::Ready { available: 1 });
}

#[test]
fn counts_do_not_wrap() {
    let mut machine = two_pending();
    let target = GroupRef { key: key("s"), group: group("g") };
    let nack = XNack { target, mode: NackMode::Fatal, ids: vec![id(1)], retry_count: None, force: Force::No };
    apply(&mut machine, 130, &[Command::XNack(nack), claim(0)]);
    apply(&mut machine, 131, &[claim(0)]);
    let outcome = &outcomes(apply(&mut machine, 132, &[claim(0)]))[0];
    let counts: Vec<u64> = claimed(outcome).iter().map(|(_, one)| one.delivery_count).collect();
    assert!(counts.contains(&(i64::MAX as u64)), "{counts:?}");
}
