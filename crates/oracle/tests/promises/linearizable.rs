//! The fast deciders agree with trying every order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rivermark_oracle::builder::xrange_all;
use rivermark_oracle::operation::{ReadFrom, TrimBound};
use rivermark_oracle::{Call, Event, EventKind, History, Invariant, Operation, Reply, check};
use rivermark_types::EntryId;

use crate::exhaustive::is_linearizable;
use crate::generator::{Generated, generate};
use crate::profile::Profile;
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

/// Whether the operation names an id at which nobody saw an entry.
fn names_unseen(call: &Call, ids: &BTreeMap<String, EntryId>) -> bool {
    let named = match &call.operation {
        Operation::Xdel { ids, .. } => ids.clone(),
        Operation::Xtrim { bound: TrimBound::MinId(id), .. } => vec![*id],
        Operation::Xrange { start, end, .. } | Operation::Xrevrange { start, end, .. } => vec![*start, *end],
        Operation::Xread { from: ReadFrom::After(id), .. } => vec![*id],
        _ => Vec::new(),
    };
    let outside = [EntryId::MIN, EntryId::MAX];
    named.iter().any(|id| !outside.contains(id) && !ids.values().any(|known| known == id))
}

fn agree(seed: u64, profile: Profile, distorted: bool, with_end: bool) -> Result<(), TestCaseError> {
    let mut generated = generate(seed, profile);
    prop_assume!(generated.observation.streams.contains_key("s0"));
    let distorted = distorted && distort(&mut generated.history, &mut Random::new(!seed));
    let (history, observation) = if with_end {
        (with_final_read(&generated), Some(&generated.observation))
    } else {
        (generated.history.clone(), None)
    };
    let calls = history.calls().expect("valid");
    let ids = ids_of(&history);
    let expected = is_linearizable(&calls, &ids);
    prop_assert!(distorted || expected, "the generator made a history with no order");
    let report = check(&generated.history, observation).expect("valid");
    let found = report.violations.iter().any(|violation| violation.invariant == Invariant::LinearizableReads);
    if found == expected {
        // Where an unseen entry lies next to such an id is decided for each operation by itself.
        let lenient = !expected && calls.iter().any(|call| names_unseen(call, &ids));
        prop_assert!(lenient, "{}\n{:#?}", report, generated.history.events);
    }
    prop_assert!(report.undecided.is_empty());
    Ok(())
}

/// Smaller still, and without anything that removes.
const TINY_GROWING: Profile = Profile { deletes: 0, trims: 0, ..Profile::TINY };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

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
