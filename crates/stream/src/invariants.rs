//! What must hold of a machine between batches. Every test ring checks it; apply relies on it.

use rivermark_types::{EntryId, StreamKey};

use crate::group::Group;
use crate::machine::Machine;
use crate::stream::Stream;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{claim} (key {key:?})")]
pub struct Violation {
    /// What should hold.
    pub claim: &'static str,
    /// Of which key; `None` of the shard.
    pub key: Option<StreamKey>,
}

/// Checks everything, entry by entry.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check(machine: &Machine) -> Result<(), Violation> {
    let shard = |holds: bool, claim| holds.then_some(()).ok_or(Violation { claim, key: None });
    let keyspace = &machine.keyspace;
    shard(keyspace.streams().is_sound(), "the keyspace is ordered")?;
    let indexed = keyspace
        .deadlines()
        .all(|(deadline, key)| keyspace.get(key).is_some_and(|stream| stream.deadline == Some(*deadline)));
    shard(indexed, "the deadline index holds deadlines of keys")?;
    let expiring = keyspace.iter().filter(|(_, stream)| stream.deadline.is_some()).count();
    shard(expiring == keyspace.deadlines().len(), "the deadline index holds every deadline")?;
    shard(keyspace.counts_are_right(), "keys are counted right")?;
    let due = keyspace.next_deadline().is_some_and(|deadline| deadline <= machine.last_stamp);
    shard(!due, "no key outlives its deadline")?;
    for (_, session) in machine.sessions.iter() {
        shard((session.outcomes.len() as u64) < session.next, "a session remembers what it applied")?;
        shard(session.last_seen <= machine.last_stamp, "no session was seen after the last stamp")?;
    }
    for (key, stream) in keyspace.iter() {
        let holds = |holds: bool, claim| {
            holds.then_some(()).ok_or_else(|| Violation { claim, key: Some(key.clone()) })
        };
        holds(stream.version != 0 && stream.version <= keyspace.version(), "a version was given out")?;
        check_stream(stream, &holds)?;
        for group in stream.groups.values() {
            check_group(group, &holds)?;
        }
    }
    Ok(())
}

type Holds<'a> = &'a dyn Fn(bool, &'static str) -> Result<(), Violation>;

fn check_stream(stream: &Stream, holds: Holds<'_>) -> Result<(), Violation> {
    holds(stream.entries.is_sound(), "blocks are in order and counted")?;
    let first = stream.entries.first().map_or(EntryId::MIN, |entry| entry.id);
    holds(stream.first_id == first, "the first id is the first entry's")?;
    let top = stream.entries.blocks().last().map_or(EntryId::MIN, |block| block.last());
    let sound = stream.idempotence.as_ref().is_none_or(|idempotence| idempotence.is_sound());
    holds(sound, "idempotent ids and their entries agree")?;
    holds(stream.last_id >= top, "no entry is above the last id")
}

fn check_group(group: &Group, holds: Holds<'_>) -> Result<(), Violation> {
    holds(group.pending.is_sound() && group.consumers.is_sound(), "pending lists are in order")?;
    let owned = group.pending.iter().all(|(id, record)| {
        record.consumer().is_none_or(|consumer| {
            group.consumers.contains(consumer) && group.consumers.get(consumer).pending.contains_key(id)
        })
    });
    holds(owned, "every pending entry is on its consumer's list")?;
    let unowned = usize::try_from(group.pending.unowned()).unwrap_or(usize::MAX);
    let listed: usize = group.consumers.iter().map(|(_, consumer)| consumer.pending.len()).sum();
    holds(listed + unowned == group.pending.len(), "consumers' lists hold pending entries only")
}
