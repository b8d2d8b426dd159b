//! The definition itself: try every order of a few operations against the model.

use std::collections::BTreeMap;

use rivermark_oracle::model::Broker;
use rivermark_oracle::operation::{Precision, TrimBound};
use rivermark_oracle::{Call, Operation, Reply};
use rivermark_types::EntryId;

/// Whether some order of `calls` agrees with real time and with every answer. `ids` are those of the
/// payloads that anything saw; other entries get one right after the last or right
/// before the next known.
pub fn is_linearizable(calls: &[Call], ids: &BTreeMap<String, EntryId>) -> bool {
    let remaining: Vec<&Call> = calls.iter().filter(|call| call.may_have_happened()).collect();
    explore(&Broker::new(), &remaining, ids)
}

fn explore(broker: &Broker, remaining: &[&Call], ids: &BTreeMap<String, EntryId>) -> bool {
    if remaining.iter().all(|call| call.is_unknown()) {
        return true;
    }
    for (index, call) in remaining.iter().enumerate() {
        if remaining.iter().any(|other| other.precedes(call)) {
            continue;
        }
        let mut rest = remaining.to_vec();
        rest.remove(index);
        for (next, reply) in outcomes(broker, &call.operation, ids) {
            if call.reply().is_none_or(|told| *told == reply) && explore(&next, &rest, ids) {
                return true;
            }
        }
    }
    false
}

/// What the model can do: several things for approximate trims and entries whose id is not known.
fn outcomes(broker: &Broker, operation: &Operation, ids: &BTreeMap<String, EntryId>) -> Vec<(Broker, Reply)> {
    let mut next = broker.clone();
    match operation {
        Operation::Xadd { key, payload, .. } => {
            let last = broker.stream(key).map_or(EntryId::MIN, |stream| stream.last_id());
            let add = |id: EntryId| {
                let mut next = broker.clone();
                next.add_as(operation, id).ok().map(|reply| (next, reply))
            };
            match ids.get(payload) {
                Some(id) => add(*id).into_iter().collect(),
                None => unseen_ids(last, ids).into_iter().filter_map(add).collect(),
            }
        }
        Operation::Xtrim { key, bound, precision: Precision::Approximate } => {
            let exact = Operation::Xtrim { key: key.clone(), bound: *bound, precision: Precision::Exact };
            let Ok(Reply::Count { count: most }) = next.apply(&exact, 0) else { return Vec::new() };
            let length = broker.stream(key).map_or(0, |stream| stream.entries().len() as u64);
            let trimmed = |count: u64| {
                let mut next = broker.clone();
                let bound = TrimBound::MaxLen(length - count);
                let exact = Operation::Xtrim { key: key.clone(), bound, precision: Precision::Exact };
                next.apply(&exact, 0).ok().map(|reply| (next, reply))
            };
            (0..=most).filter_map(trimmed).collect()
        }
        _ => next.apply(operation, 0).map(|reply| (next, reply)).into_iter().collect(),
    }
}

/// The id that the generator deletes without having seen it.
pub const UNSEEN: EntryId = EntryId::new(1, 1);

/// Either side of any bound that lies between the last id and the next that is known.
fn unseen_ids(last: EntryId, ids: &BTreeMap<String, EntryId>) -> Vec<EntryId> {
    let next = ids.values().filter(|id| **id > last).min();
    let high = EntryId::new(next.map_or(1 << 50, |next| next.ms - 1), 0);
    last.successor().into_iter().chain([high, UNSEEN].into_iter().filter(|id| *id > last)).collect()
}
