//! Broken promises about groups.

use proptest::prelude::*;
use rivermark_oracle::observation::{FinalGroup, FinalPending};
use rivermark_oracle::operation::{Delivery, GroupFrom};
use rivermark_oracle::{Call, Invariant, Operation, Reply};
use rivermark_types::EntryId;

use crate::generator::Generated;
use crate::mutation::{calls, deliveries_mut, finds, operation_mut, ordered_pair};
use crate::profile::Profile;
use crate::random::Random;

/// A call with the deliveries it answered.
type Delivered<'a> = (&'a Call, &'a [Delivery]);

fn same_group(a: &Call, b: &Call) -> bool {
    a.operation.key() == b.operation.key() && a.operation.group() == b.operation.group()
}

fn deliveries(calls: &[Call]) -> Vec<Delivered<'_>> {
    let entries = |call| match Call::reply(call) {
        Some(Reply::Deliveries { entries } | Reply::Claimed { entries, .. }) => {
            Some((call, entries.as_slice()))
        }
        _ => None,
    };
    calls.iter().filter_map(entries).collect()
}

/// `>` reads that returned something.
fn news(calls: &[Call]) -> Vec<Delivered<'_>> {
    let new = |(call, entries): &Delivered<'_>| {
        matches!(call.operation, Operation::Xreadgroup { from: GroupFrom::New, .. }) && !entries.is_empty()
    };
    deliveries(calls).into_iter().filter(new).collect()
}

/// Ids that an XACK named after their delivery was answered.
fn acked(calls: &[Call]) -> Vec<(&Call, EntryId)> {
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| call.reply().is_some()) {
        let Operation::Xack { ids, .. } = &call.operation else { continue };
        for id in ids {
            let delivered = |(read, entries): &Delivered<'_>| {
                same_group(read, call) && read.precedes(call) && entries.iter().any(|entry| entry.id == *id)
            };
            if deliveries(calls).iter().any(delivered) {
                found.push((call, *id));
            }
        }
    }
    found
}

/// Ids that any XACK of the call's group names, whatever came of it.
fn named_by_acks(calls: &[Call], like: &Call) -> Vec<EntryId> {
    let same = calls.iter().filter(|call| same_group(call, like));
    same.flat_map(|call| match &call.operation {
        Operation::Xack { ids, .. } => ids.clone(),
        _ => Vec::new(),
    })
    .collect()
}

fn group_mut<'g>(generated: &'g mut Generated, like: &Call) -> Option<&'g mut FinalGroup> {
    let stream = generated.observation.streams.get_mut(like.operation.key())?;
    stream.groups.get_mut(like.operation.group()?)
}

fn deliver_to_two(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let news = news(&calls);
    let (first, second) = ordered_pair(&news, random, |read| read.0, |a, b| same_group(a.0, b.0))?;
    let entry = random.pick(first.1)?.clone();
    deliveries_mut(generated, second.0.event)?.insert(0, entry);
    Some(())
}

fn deliver_after_ack(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let mut found = Vec::new();
    for (ack, id) in acked(&calls) {
        let later =
            deliveries(&calls).into_iter().filter(|(read, _)| same_group(read, ack) && ack.precedes(read));
        found.extend(later.map(|(read, _)| (read.event, id)));
    }
    let (event, id) = *random.pick(&found)?;
    let entries = deliveries_mut(generated, event)?;
    let at = entries.partition_point(|entry| entry.id < id);
    entries.insert(at, Delivery { id, payload: None });
    Some(())
}

fn leak_an_acked_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let (ack, id) = *random.pick(&acked(&calls))?;
    let pending = FinalPending { id, consumer: "c0".to_owned(), delivery_count: 1 };
    group_mut(generated, ack)?.pending.push(pending);
    Some(())
}

fn lose_a_pending_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let mut found = Vec::new();
    for (read, entries) in deliveries(&calls) {
        let named = named_by_acks(&calls, read);
        found.extend(entries.iter().filter(|entry| !named.contains(&entry.id)).map(|entry| (read, entry.id)));
    }
    let (read, id) = *random.pick(&found)?;
    let pending = &mut group_mut(generated, read)?.pending;
    let before = pending.len();
    pending.retain(|pending| pending.id != id);
    (pending.len() < before).then_some(())
}

fn any_group<'g>(generated: &'g mut Generated, random: &mut Random) -> Option<&'g mut FinalGroup> {
    let groups = generated.observation.streams.values_mut().flat_map(|stream| stream.groups.values_mut());
    let mut groups: Vec<&mut FinalGroup> = groups.filter(|group| !group.pending.is_empty()).collect();
    random.take(&mut groups)
}

fn give_a_pending_entry_to_nobody(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let group = any_group(generated, random)?;
    let at = random.below(group.pending.len());
    group.pending[at].consumer = "ghost".to_owned();
    Some(())
}

fn list_a_pending_entry_twice(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let group = any_group(generated, random)?;
    let again = random.pick(&group.pending)?.clone();
    group.pending.push(again);
    Some(())
}

fn forget_a_delivery_count(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let group = any_group(generated, random)?;
    let at = random.below(group.pending.len());
    group.pending[at].delivery_count = if random.percent(50) { 0 } else { 1_000 };
    Some(())
}

fn skip_an_entry(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let mut found = Vec::new();
    for (read, entries) in news(&calls) {
        found.extend(entries.iter().map(|entry| (read, entry.id)));
    }
    let (read, id) = *random.pick(&found)?;
    for call in calls.iter().filter(|call| same_group(call, read)) {
        if let Some(entries) = deliveries_mut(generated, call.event) {
            entries.retain(|entry| entry.id != id);
        }
        if let Some(Operation::Xack { ids, .. }) = operation_mut(generated, call.event) {
            ids.retain(|other| *other != id);
        }
    }
    group_mut(generated, read)?.pending.retain(|pending| pending.id != id);
    // A group created at `$` may have started after the entry.
    let created_at_start = |call: &Call| {
        same_group(call, read)
            && matches!(
                call.operation,
                Operation::XgroupCreate { cursor: rivermark_oracle::operation::Cursor::At(_), .. }
            )
    };
    calls.iter().any(created_at_start).then_some(())
}

fn take_the_cursor_back(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let news = news(&calls);
    let (read, entries) = *random.pick(&news)?;
    let id = entries.last()?.id;
    group_mut(generated, read)?.last_delivered = id.predecessor()?;
    Some(())
}

fn deliver_in_the_wrong_order(generated: &mut Generated, random: &mut Random) -> Option<()> {
    let calls = calls(generated);
    let news = news(&calls);
    let (first, second) = ordered_pair(&news, random, |read| read.0, |a, b| same_group(a.0, b.0))?;
    *deliveries_mut(generated, first.0.event)? = second.1.to_vec();
    *deliveries_mut(generated, second.0.event)? = first.1.to_vec();
    Some(())
}

macro_rules! found {
    ($($mutation:ident by $invariant:ident;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(30))]
            $(
                #[test]
                fn $mutation(seed: u64) {
                    finds(seed, Profile::GROUPS, Invariant::$invariant, super::$mutation)?;
                }
            )+
        }
    };
}

mod each {
    use super::*;

    found! {
        deliver_to_two by OneConsumer;
        deliver_after_ack by AckedStaysAcked;
        leak_an_acked_entry by PendingExact;
        lose_a_pending_entry by PendingExact;
        give_a_pending_entry_to_nobody by PendingExact;
        list_a_pending_entry_twice by PendingExact;
        forget_a_delivery_count by DeliveryCounts;
        skip_an_entry by DeliveredAtLeastOnce;
        take_the_cursor_back by CursorForward;
        deliver_in_the_wrong_order by CursorForward;
    }
}
