//! The fast deciders agree with trying every order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rivermark_oracle::builder::xrange_all;
use rivermark_oracle::{Event, EventKind, History, Invariant, Operation, Reply, check};
use rivermark_types::EntryId;

use crate::exhaustive::is_linearizable;
use crate::generator::{Generated, Profile, generate};
use crate::random::Random;

/// Changes what one read or removal was told; whether it could.
fn distort(history: &mut History, random: &mut Random) -> bool {
    let changeable = |(index, event): (usize, &Event)| match &event.kind {
        EventKind::Ok { reply: Reply::Count { .. } } => Some(index),
        EventKind::Ok { reply: Reply::Entries { entries } } if !entries.is_empty() => Some(index),
        _ => None,
    };
    let candidates: Vec<usize> = history.events.iter().enumerate().filter_map(changeable).collect();
    let Some(index) = random.pick(&candidates).copied() else { return false };
    match &mut history.events[index].kind {
        EventKind::Ok { reply: Reply::Count { count } } => {
            *count = if random.percent(50) { *count + 1 } else { count.saturating_sub(1) };
        }
        EventKind::Ok { reply: Reply::Entries { entries } } => {
            let at = random.below(entries.len());
            entries.remove(at);
        }
        _ => {}
    }
    true
}

/// The observation at the end as one more read.
fn with_final_read(generated: &Generated) -> History {
    let mut history = generated.history.clone();
    let time_ns = history.events.last().map_or(0, |event| event.time_ns) + 1;
    let operation: Operation = xrange_all("s0");
    let entries = generated.observation.streams["s0"].entries.clone();
    history.events.push(Event { time_ns, process: 1 << 40, kind: EventKind::Invoke { operation } });
    let kind = EventKind::Ok { reply: Reply::Entries { entries } };
    history.events.push(Event { time_ns: time_ns + 1, process: 1 << 40, kind });
    history
}

fn ids_of(history: &History) -> BTreeMap<String, EntryId> {
    let mut ids = BTreeMap::new();
    for call in history.calls().expect("valid") {
        match (&call.operation, call.reply()) {
            (Operation::Xadd { payload, .. }, Some(Reply::Added { id })) => {
                ids.insert(payload.clone(), *id);
            }
            (_, Some(Reply::Entries { entries })) => {
                ids.extend(entries.iter().map(|entry| (entry.payload.clone(), entry.id)));
            }
            _ => {}
        }
    }
    ids
}

fn agree(seed: u64, profile: Profile, distorted: bool, with_end: bool) -> Result<(), TestCaseError> {
    let mut generated = generate(seed, profile);
    prop_assume!(generated.observation.streams.contains_key("s0"));
    if distorted {
        prop_assume!(distort(&mut generated.history, &mut Random::new(!seed)));
    }
    let (expected, observation) = if with_end {
        let history = with_final_read(&generated);
        let calls = history.calls().expect("valid");
        (is_linearizable(&calls, &ids_of(&history)), Some(&generated.observation))
    } else {
        let calls = generated.history.calls().expect("valid");
        (is_linearizable(&calls, &ids_of(&generated.history)), None)
    };
    prop_assert!(distorted || expected, "the generator made a history with no order");
    let report = check(&generated.history, observation).expect("valid");
    let found = report.violations.iter().any(|violation| violation.invariant == Invariant::LinearizableReads);
    prop_assert_eq!(!found, expected, "{}\n{:#?}", report, generated.history.events);
    prop_assert!(report.undecided.is_empty());
    Ok(())
}

/// Smaller still, and without anything that removes.
const TINY_GROWING: Profile = Profile { deletes: 0, trims: 0, ..Profile::TINY };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn schedule_agrees_with_every_order(seed: u64, distorted: bool) {
        agree(seed, TINY_GROWING, distorted, true)?;
    }

    #[test]
    fn search_agrees_with_every_order(seed: u64, distorted: bool, with_end: bool) {
        agree(seed, Profile::TINY, distorted, with_end)?;
    }

    #[test]
    fn unseen_entries_are_allowed_for(seed: u64, distorted: bool) {
        agree(seed, Profile { unknowns: 35, ..TINY_GROWING }, distorted, false)?;
    }
}
