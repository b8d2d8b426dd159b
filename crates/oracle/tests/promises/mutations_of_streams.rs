//! Broken promises about entries and reads.

use proptest::prelude::*;
use rivermark_oracle::operation::{Entry, ReadFrom, Wait};
use rivermark_oracle::{Call, Invariant, Operation, Reply};

use crate::generator::Generated;
use crate::mutation::{
    acknowledged, beyond, calls, entries_mut, finds, lose_answer, ordered_pair, payload_of, reply_mut,
};
use crate::profile::Profile;
use crate::random::Random;

fn lose_an_acknowledged_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let (call, id) = *random.pick(&acknowledged(&calls))?;
    let stream = generated.observation.streams.get_mut(call.operation.key())?;
    stream.entries.retain(|entry| entry.id != id);
    Some(())
}

fn apply_twice(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let (call, _) = *random.pick(&acknowledged(&calls))?;
    let id = beyond(generated, call.operation.key());
    let stream = generated.observation.streams.get_mut(call.operation.key())?;
    stream.entries.push(Entry { id, payload: payload_of(call).to_owned() });
    Some(())
}

fn answer_a_retry_with_another_id(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let retried = |call: &&Call| {
        matches!(call.operation, Operation::Xadd { idempotence: Some(_), .. }) && call.reply().is_some()
    };
    let retried: Vec<&Call> = calls.iter().filter(retried).collect();
    let call = *random.pick(&retried)?;
    let id = beyond(generated, call.operation.key());
    *reply_mut(generated, call.event)? = Reply::Added { id };
    Some(())
}

fn swap_ids(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let adds = acknowledged(&calls);
    let same_key = |a: (&Call, _), b: (&Call, _)| a.0.operation.key() == b.0.operation.key();
    let (first, second) = ordered_pair(&adds, random, |add| add.0, same_key)?;
    *reply_mut(generated, first.0.event)? = Reply::Added { id: second.1 };
    *reply_mut(generated, second.0.event)? = Reply::Added { id: first.1 };
    Some(())
}

fn give_an_id_twice(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let adds = acknowledged(&calls);
    let same_key = |a: (&Call, _), b: (&Call, _)| a.0.operation.key() == b.0.operation.key();
    let (first, second) = ordered_pair(&adds, random, |add| add.0, same_key)?;
    *reply_mut(generated, second.0.event)? = Reply::Added { id: first.1 };
    Some(())
}

fn keep_a_refused_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let refused = |call: &&Call| {
        matches!(call.operation, Operation::Xadd { idempotence: None, .. }) && !call.may_have_happened()
    };
    let refused: Vec<&Call> = calls.iter().filter(refused).collect();
    let call = *random.pick(&refused)?;
    let id = beyond(generated, call.operation.key());
    let stream = generated.observation.streams.get_mut(call.operation.key())?;
    stream.entries.push(Entry { id, payload: payload_of(call).to_owned() });
    Some(())
}

fn invent_an_entry(generated: &mut Generated, _: &mut Random) -> Option<()> {
    let id = beyond(generated, "s0");
    let stream = generated.observation.streams.get_mut("s0")?;
    stream.entries.push(Entry { id, payload: "nobody's".to_owned() });
    Some(())
}

fn read_the_future(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let mut found = Vec::new();
    for read in calls.iter().filter(|call| matches!(call.operation, Operation::Xrange { count: None, .. })) {
        let later = acknowledged(&calls).into_iter().filter(|(add, _)| read.precedes(add));
        found.extend(later.map(|(add, id)| (read, add, id)));
    }
    let (read, add, id) = *random.pick(&found)?;
    let payload = payload_of(add).to_owned();
    entries_mut(generated, read.event)?.push(Entry { id, payload });
    Some(())
}

fn bring_back_a_deleted_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| call.reply().is_some()) {
        let Operation::Xdel { key, ids } = &call.operation else { continue };
        let known = acknowledged(&calls)
            .into_iter()
            .filter(|(add, id)| add.operation.key() == key && add.precedes(call) && ids.contains(id));
        found.extend(known.map(|(add, id)| (key.clone(), Entry { id, payload: payload_of(add).to_owned() })));
    }
    let (key, entry) = random.take(&mut found)?;
    let entries = &mut generated.observation.streams.get_mut(&key)?.entries;
    let at = entries.partition_point(|other| other.id < entry.id);
    entries.insert(at, entry);
    Some(())
}

/// Reads that show something, with the place of an entry acknowledged before they began.
fn stale_choices(calls: &[Call]) -> Vec<(usize, usize)> {
    let adds = acknowledged(calls);
    let mut found = Vec::new();
    for call in calls {
        let (Some(Reply::Entries { entries }), false) = (call.reply(), call.operation.may_wait()) else {
            continue;
        };
        let before = |entry: &Entry| {
            adds.iter().any(|(add, id)| {
                *id == entry.id && add.operation.key() == call.operation.key() && add.precedes(call)
            })
        };
        let places = entries.iter().enumerate().filter(|(_, entry)| before(entry));
        found.extend(places.map(|(place, _)| (call.event, place)));
    }
    found
}

fn read_stale(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let (event, place) = *random.pick(&stale_choices(&calls))?;
    entries_mut(generated, event)?.remove(place);
    Some(())
}

fn count_too_few(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let adds = acknowledged(&calls);
    let counts = |call: &&Call| {
        let before =
            |(add, _): &(&Call, _)| add.operation.key() == call.operation.key() && add.precedes(call);
        matches!(call.operation, Operation::Xlen { .. }) && call.reply().is_some() && adds.iter().any(before)
    };
    let found: Vec<&Call> = calls.iter().filter(counts).collect();
    let call = *random.pick(&found)?;
    *reply_mut(generated, call.event)? = Reply::Count { count: 0 };
    Some(())
}

/// A later read sees fewer entries than an earlier one, each of them possible alone.
fn count_backwards(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let lengths: Vec<(&Call, u64)> = calls
        .iter()
        .filter_map(|call| match (&call.operation, call.reply()) {
            (Operation::Xlen { .. }, Some(Reply::Count { count })) => Some((call, *count)),
            _ => None,
        })
        .collect();
    let grown = |a: (&Call, u64), b: (&Call, u64)| a.0.operation.key() == b.0.operation.key() && a.1 < b.1;
    let (first, second) = ordered_pair(&lengths, random, |length| length.0, grown)?;
    *reply_mut(generated, first.0.event)? = Reply::Count { count: second.1 };
    *reply_mut(generated, second.0.event)? = Reply::Count { count: first.1 };
    Some(())
}

fn delete_without_saying(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let deletes: Vec<&Call> =
        calls.iter().filter(|call| matches!(call.operation, Operation::Xdel { .. })).collect();
    let counted: Vec<&Call> = deletes
        .iter()
        .copied()
        .filter(|call| matches!(call.reply(), Some(Reply::Count { count: 1.. })))
        .collect();
    let call = *random.pick(&counted)?;
    let Some(Reply::Count { count }) = reply_mut(generated, call.event) else { return None };
    *count += 1;
    let Operation::Xdel { ids, .. } = &call.operation else { return None };
    (*count > ids.len() as u64).then_some(())
}

fn parked_tails(calls: &[Call]) -> Vec<(&Call, u64)> {
    let tail = |call: &&Call| {
        matches!(call.operation, Operation::Xread { from: ReadFrom::Newest, wait: Wait::Block, .. })
    };
    calls.iter().filter(tail).filter_map(|call| call.parked_ns.map(|ns| (call, ns))).collect()
}

fn miss_the_first_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let adds = acknowledged(&calls);
    let mut found = Vec::new();
    for (call, parked_ns) in parked_tails(&calls) {
        let Some(Reply::Entries { entries }) = call.reply() else { continue };
        let begun_after = |entry: &Entry| {
            adds.iter().any(|(add, id)| {
                *id == entry.id && add.operation.key() == call.operation.key() && add.invoked_ns > parked_ns
            })
        };
        if entries.len() > 1 && begun_after(&entries[0]) {
            found.push(call.event);
        }
    }
    entries_mut(generated, *random.pick(&found)?)?.remove(0);
    Some(())
}

fn forget_a_waiting_reader(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let adds = acknowledged(&calls);
    let mut found = Vec::new();
    for (call, parked_ns) in parked_tails(&calls) {
        let owed = adds
            .iter()
            .any(|(add, _)| add.operation.key() == call.operation.key() && add.invoked_ns > parked_ns);
        if call.reply().is_some() && owed {
            found.push(call.event);
        }
    }
    let event = *random.pick(&found)?;
    lose_answer(generated, event);
    Some(())
}

fn diverge(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let at = random.below(generated.observation.replicas.len());
    generated.observation.replicas[at].digest = "other".to_owned();
    Some(())
}

fn hang(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let open: Vec<Call> = calls(generated)
        .into_iter()
        .filter(|call| call.reply().is_some() && !call.operation.may_wait())
        .collect();
    let call = random.pick(&open)?;
    lose_answer(generated, call.event);
    Some(())
}

fn answer_late(generated: &mut Generated, _: &mut Random) -> Option<()> {
    let healed = generated.observation.healed.as_mut()?;
    healed.at_ns = 0;
    healed.budget_ns = 1;
    Some(())
}

macro_rules! found {
    ($($mutation:ident in $profile:ident by $invariant:ident;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(30))]
            $(
                #[test]
                fn $mutation(seed: u64) {
                    finds(seed, Profile::$profile, Invariant::$invariant, super::$mutation)?;
                }
            )+
        }
    };
}

mod each {
    use super::*;

    found! {
        lose_an_acknowledged_entry in PLAIN by AcknowledgedPresent;
        apply_twice in PLAIN by AppliedOnce;
        answer_a_retry_with_another_id in PLAIN by AppliedOnce;
        swap_ids in PLAIN by IdsIncrease;
        give_an_id_twice in PLAIN by IdsIncrease;
        keep_a_refused_entry in PLAIN by OnlyAttempted;
        invent_an_entry in PLAIN by OnlyAttempted;
        read_the_future in PLAIN by OnlyAttempted;
        bring_back_a_deleted_entry in DELETES by DeletedStaysDeleted;
        read_stale in PLAIN by LinearizableReads;
        count_too_few in PLAIN by LinearizableReads;
        count_backwards in PLAIN by LinearizableReads;
        delete_without_saying in DELETES by LinearizableReads;
        miss_the_first_entry in TAILS by TailReaders;
        forget_a_waiting_reader in TAILS by TailReaders;
        diverge in PLAIN by ReplicasAgree;
        hang in PLAIN by Responsive;
        answer_late in PLAIN by Responsive;
    }
}
