//! What mutations have in common: finding places in a history, and the property each must satisfy.

use proptest::test_runner::TestCaseError;
use rivermark_oracle::operation::{Delivery, Entry};
use rivermark_oracle::{Call, EventKind, Invariant, Operation, Reply, check};
use rivermark_types::EntryId;

use crate::generator::{Generated, generate};
use crate::profile::Profile;
use crate::random::Random;

/// Breaks a promise; none if this history gives no occasion.
pub type Mutation = fn(&mut Generated, &mut Random) -> Option<()>;

/// The named invariant finds what the mutation broke.
pub fn finds(
    seed: u64,
    profile: Profile,
    invariant: Invariant,
    mutation: Mutation,
) -> Result<(), TestCaseError> {
    let mut generated = generate(seed, profile);
    if mutation(&mut generated, &mut Random::new(!seed)).is_none() {
        return Err(TestCaseError::reject("no occasion"));
    }
    let report = check(&generated.history, Some(&generated.observation))
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    if report.violations.iter().any(|violation| violation.invariant == invariant) {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{invariant:?} found nothing: {report}")))
}

pub fn calls(generated: &Generated) -> Vec<Call> {
    generated.history.calls().expect("generated histories are valid")
}

/// The answer to the call that began with event `event`.
pub fn reply_mut(generated: &mut Generated, event: usize) -> Option<&mut Reply> {
    let process = generated.history.events[event].process;
    let later = generated.history.events[event + 1..].iter_mut().filter(|event| event.process == process);
    later.map(|event| &mut event.kind).find_map(|kind| match kind {
        EventKind::Ok { reply } => Some(Some(reply)),
        EventKind::Parked => None,
        _ => Some(None),
    })?
}

pub fn entries_mut(generated: &mut Generated, event: usize) -> Option<&mut Vec<Entry>> {
    match reply_mut(generated, event)? {
        Reply::Entries { entries } => Some(entries),
        _ => None,
    }
}

pub fn deliveries_mut(generated: &mut Generated, event: usize) -> Option<&mut Vec<Delivery>> {
    match reply_mut(generated, event)? {
        Reply::Deliveries { entries } | Reply::Claimed { entries, .. } => Some(entries),
        _ => None,
    }
}

pub fn operation_mut(generated: &mut Generated, event: usize) -> Option<&mut Operation> {
    match &mut generated.history.events[event].kind {
        EventKind::Invoke { operation } => Some(operation),
        _ => None,
    }
}

/// Acknowledged XADDs that nobody retried, with their ids.
pub fn acknowledged(calls: &[Call]) -> Vec<(&Call, EntryId)> {
    let plain = |call: &&Call| matches!(call.operation, Operation::Xadd { idempotence: None, .. });
    let id = |call| match Call::reply(call) {
        Some(Reply::Added { id }) => Some((call, *id)),
        _ => None,
    };
    calls.iter().filter(plain).filter_map(id).collect()
}

/// A pair of which the first ended before the second began.
pub fn ordered_pair<'a, T: Copy>(
    items: &[T],
    random: &mut Random,
    call: impl Fn(T) -> &'a Call,
    fits: impl Fn(T, T) -> bool,
) -> Option<(T, T)> {
    let mut pairs = Vec::new();
    for first in items {
        let later = items.iter().filter(|second| call(*first).precedes(call(**second)));
        pairs.extend(later.filter(|second| fits(*first, **second)).map(|second| (*first, *second)));
    }
    random.pick(&pairs).copied()
}

pub fn payload_of(call: &Call) -> &str {
    match &call.operation {
        Operation::Xadd { payload, .. } => payload,
        _ => "",
    }
}

/// An id above all of a stream's.
pub fn beyond(generated: &Generated, key: &str) -> EntryId {
    let last = generated.observation.streams.get(key).and_then(|stream| stream.entries.last());
    EntryId::new(last.map_or(1, |entry| entry.id.ms) + 1_000_000, 0)
}

/// Takes the end of a call away; what its client did later another one does.
pub fn lose_answer(generated: &mut Generated, event: usize) {
    let events = &mut generated.history.events;
    let process = events[event].process;
    let later = events.iter().enumerate().skip(event + 1);
    let end = later
        .filter(|(_, event)| event.process == process)
        .find(|(_, event)| !matches!(event.kind, EventKind::Parked))
        .map(|(index, _)| index);
    let Some(end) = end else { return };
    events.remove(end);
    events[end..]
        .iter_mut()
        .filter(|event| event.process == process)
        .for_each(|event| event.process = 1 << 41);
}
