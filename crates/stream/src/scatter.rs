//! One request over several shards: split it, ask each shard, join the answers.
//!
//! A shard answers its share as if it were the whole request; the [`GatherPlan`] kept from the split knows
//! where each share came from. What needs one moment in time (a transaction) is not split.

mod sequence;
mod streams;

use rivermark_types::{ShardId, Slot, StreamKey};

use crate::command::{Command, ReadBudget, XReadGroup};
use crate::outcome::{DatabaseCount, Outcome, Rejection};
use crate::query::{GroupsExist, Query, XRead};

pub use sequence::GroupReadSequence;
use streams::join_streams;

/// A request split by shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scattered<T> {
    /// At least one; a shard at most once.
    pub parts: Vec<(ShardId, T)>,
    /// Joins the parts' outcomes.
    pub plan: GatherPlan,
}

/// The request has to run on one shard but concerns several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request concerns several shards and cannot be split")]
pub struct CrossShard;

/// How the outcomes of a request's parts become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherPlan(Gather);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Gather {
    /// One part: its outcome is the answer.
    Whole,
    /// Every part answers `Done`, or a rejection about one of the request's keys.
    AllDone {
        keys: Vec<StreamKey>,
    },
    Sum,
    Keys,
    Counts,
    /// For each part, which places of the request it took.
    Versions {
        places: Vec<Vec<u32>>,
    },
    /// As above; `keys` and `budget` are the request's.
    Streams {
        places: Vec<Vec<u32>>,
        keys: Vec<StreamKey>,
        budget: ReadBudget,
    },
}

/// A shard's share of a list, and the places its items had.
struct Share<T> {
    shard: ShardId,
    items: Vec<T>,
    places: Vec<u32>,
}

/// Splits a command. `shards` are all shards, at least one, for commands without key.
///
/// # Errors
/// [`CrossShard`] if several shards are concerned of what only one may do: a transaction, RENAME, COPY, or
/// XREADGROUP with a budget.
pub fn scatter_command(
    command: Command,
    shards: &[ShardId],
    shard_of: impl Fn(Slot) -> ShardId,
) -> Result<Scattered<Command>, CrossShard> {
    match command {
        Command::Delete(keys) => {
            Ok(join(split(keys, StreamKey::slot, shard_of), Command::Delete, |_| Gather::Sum))
        }
        Command::XReadGroup(read) => scatter_group_read(read, shard_of),
        Command::FlushDatabase(_) | Command::FlushAll | Command::Configure(_) => {
            Ok(to_all(&command, shards, Gather::AllDone { keys: Vec::new() }))
        }
        Command::Transaction(_) | Command::Rename(_) | Command::Copy(_) => {
            let mut of_keys = command.keys().map(|key| shard_of(key.slot()));
            let shard = match of_keys.next() {
                Some(shard) if of_keys.all(|other| other == shard) => shard,
                Some(_) => return Err(CrossShard),
                None => shards[0],
            };
            drop(of_keys);
            if shards.len() > 1 && concerns_all_shards(&command) {
                return Err(CrossShard);
            }
            Ok(whole(shard, command))
        }
        command => {
            let shard = command.keys().next().map_or(shards[0], |key| shard_of(key.slot()));
            Ok(whole(shard, command))
        }
    }
}

/// A budget cannot be split beforehand: see [`GroupReadSequence`].
fn scatter_group_read(
    read: XReadGroup,
    shard_of: impl Fn(Slot) -> ShardId,
) -> Result<Scattered<Command>, CrossShard> {
    let keys = read.streams.iter().map(|(key, _)| key.clone()).collect();
    let XReadGroup { group, consumer, count, budget, claim_min_idle_ms, acknowledgement, streams } = read;
    let shares = split(streams, |(key, _)| key.slot(), shard_of);
    if shares.len() > 1 && budget != ReadBudget::UNLIMITED {
        return Err(CrossShard);
    }
    let share = |streams| {
        let (group, consumer) = (group.clone(), consumer.clone());
        Command::XReadGroup(XReadGroup {
            group,
            consumer,
            count,
            budget,
            claim_min_idle_ms,
            acknowledgement,
            streams,
        })
    };
    Ok(join(shares, share, |places| Gather::Streams { places, keys, budget }))
}

/// Splits a query. A SCAN goes to the shard of the slot it goes on in; walking all shards is the caller's.
pub fn scatter_query(
    query: Query,
    shards: &[ShardId],
    shard_of: impl Fn(Slot) -> ShardId,
) -> Scattered<Query> {
    match query {
        // Every shard reads as if it were alone; what is too much is cut when the shares are joined.
        Query::XRead(XRead { count, budget, streams }) => {
            let keys = streams.iter().map(|(key, _)| key.clone()).collect();
            let shares = split(streams, |(key, _)| key.slot(), shard_of);
            let share = |streams| Query::XRead(XRead { count, budget, streams });
            join(shares, share, |places| Gather::Streams { places, keys, budget })
        }
        Query::GroupsExist(GroupsExist { group, keys }) => {
            let all = keys.clone();
            let shares = split(keys, StreamKey::slot, shard_of);
            let share = |keys| Query::GroupsExist(GroupsExist { group: group.clone(), keys });
            join(shares, share, |_| Gather::AllDone { keys: all })
        }
        Query::Exists(keys) => join(split(keys, StreamKey::slot, shard_of), Query::Exists, |_| Gather::Sum),
        Query::KeyVersions(keys) => {
            join(split(keys, StreamKey::slot, shard_of), Query::KeyVersions, |places| Gather::Versions {
                places,
            })
        }
        Query::Keys(_) => to_all(&query, shards, Gather::Keys),
        Query::KeyCount(_) => to_all(&query, shards, Gather::Sum),
        Query::KeyspaceCounts => to_all(&query, shards, Gather::Counts),
        Query::Scan(ref scan) => whole(shard_of(scan.from.slot()), query),
        Query::CountKeysInSlot(slot) => whole(shard_of(slot), query),
        Query::KeysInSlot(ref arguments) => whole(shard_of(arguments.slot), query),
        query => {
            let shard = query.keys().next().map_or(shards[0], |key| shard_of(key.slot()));
            whole(shard, query)
        }
    }
}

impl GatherPlan {
    /// Joins the outcomes, one a part in the order of the parts. A rejection wins, the first in the
    /// request's order; an outcome that does not answer the question is handed on as it is.
    pub fn gather(self, outcomes: Vec<Outcome>) -> Outcome {
        let mut outcomes = outcomes;
        if matches!(self.0, Gather::Whole) && outcomes.len() == 1 {
            return outcomes.remove(0);
        }
        if let Some(rejected) = self.first_rejection(&outcomes) {
            return outcomes.swap_remove(rejected);
        }
        self.join(outcomes).unwrap_or_else(|stray| stray)
    }

    fn join(self, outcomes: Vec<Outcome>) -> Result<Outcome, Outcome> {
        match self.0 {
            Gather::Whole | Gather::AllDone { .. } => {
                let stray = outcomes.into_iter().find(|outcome| *outcome != Outcome::Done);
                stray.map_or(Ok(Outcome::Done), Err)
            }
            Gather::Sum => {
                let mut sum = 0i64;
                for outcome in outcomes {
                    let Outcome::Integer(count) = outcome else { return Err(outcome) };
                    sum = sum.saturating_add(count);
                }
                Ok(Outcome::Integer(sum))
            }
            Gather::Keys => {
                let mut all = Vec::new();
                for outcome in outcomes {
                    let Outcome::Keys(keys) = outcome else { return Err(outcome) };
                    all.extend(keys);
                }
                Ok(Outcome::Keys(all))
            }
            Gather::Counts => add_counts(outcomes),
            Gather::Versions { places } => {
                let mut versions = vec![0; places.iter().map(Vec::len).sum()];
                for (outcome, places) in outcomes.into_iter().zip(places) {
                    let Outcome::KeyVersions(share) = outcome else { return Err(outcome) };
                    place(&mut versions, share, &places);
                }
                Ok(Outcome::KeyVersions(versions))
            }
            Gather::Streams { places, budget, .. } => join_streams(outcomes, &places, &budget),
        }
    }

    fn first_rejection(&self, outcomes: &[Outcome]) -> Option<usize> {
        let keys: &[StreamKey] = match &self.0 {
            Gather::AllDone { keys } | Gather::Streams { keys, .. } => keys,
            _ => &[],
        };
        let place = |outcome: &Outcome| match outcome {
            Outcome::Rejected(Rejection::NoKeyOrGroupToRead(key, _)) => {
                Some(keys.iter().position(|one| one == key).unwrap_or(keys.len()))
            }
            Outcome::Rejected(_) => Some(keys.len()),
            _ => None,
        };
        let rejected = outcomes.iter().enumerate().filter_map(|(at, outcome)| Some((place(outcome)?, at)));
        rejected.min().map(|(_, at)| at)
    }
}

fn add_counts(outcomes: Vec<Outcome>) -> Result<Outcome, Outcome> {
    let mut all: Vec<DatabaseCount> = Vec::new();
    for outcome in outcomes {
        let Outcome::KeyspaceCounts(counts) = outcome else { return Err(outcome) };
        for count in counts {
            match all.binary_search_by_key(&count.database, |one| one.database) {
                Err(at) => all.insert(at, count),
                Ok(at) => {
                    all[at].keys += count.keys;
                    all[at].expiring += count.expiring;
                }
            }
        }
    }
    Ok(Outcome::KeyspaceCounts(all))
}

fn place<T>(all: &mut [T], share: Vec<T>, places: &[u32]) {
    for (item, place) in share.into_iter().zip(places) {
        all[*place as usize] = item;
    }
}

/// Shares in the order in which their shards are first named.
fn split<T>(
    items: Vec<T>,
    slot_of: impl Fn(&T) -> Slot,
    shard_of: impl Fn(Slot) -> ShardId,
) -> Vec<Share<T>> {
    let mut shares: Vec<Share<T>> = Vec::new();
    for (place, item) in (0u32..).zip(items) {
        let shard = shard_of(slot_of(&item));
        let known = shares.iter().position(|share| share.shard == shard);
        let at = known.unwrap_or_else(|| {
            shares.push(Share { shard, items: Vec::new(), places: Vec::new() });
            shares.len() - 1
        });
        shares[at].items.push(item);
        shares[at].places.push(place);
    }
    shares
}

fn join<T, R>(
    shares: Vec<Share<T>>,
    request: impl Fn(Vec<T>) -> R,
    gather: impl FnOnce(Vec<Vec<u32>>) -> Gather,
) -> Scattered<R> {
    let mut places = Vec::with_capacity(shares.len());
    let mut parts = Vec::with_capacity(shares.len());
    for share in shares {
        parts.push((share.shard, request(share.items)));
        places.push(share.places);
    }
    let plan = if parts.len() == 1 { Gather::Whole } else { gather(places) };
    Scattered { parts, plan: GatherPlan(plan) }
}

fn to_all<R: Clone>(request: &R, shards: &[ShardId], gather: Gather) -> Scattered<R> {
    let parts: Vec<_> = shards.iter().map(|shard| (*shard, request.clone())).collect();
    let plan = if parts.len() == 1 { Gather::Whole } else { gather };
    Scattered { parts, plan: GatherPlan(plan) }
}

fn whole<R>(shard: ShardId, request: R) -> Scattered<R> {
    Scattered { parts: vec![(shard, request)], plan: GatherPlan(Gather::Whole) }
}

/// Whether a step of the transaction concerns keys it does not name.
fn concerns_all_shards(command: &Command) -> bool {
    use crate::command::Step;
    let Command::Transaction(transaction) = command else { return false };
    transaction.steps.iter().any(|step| match step {
        Step::Command(command) => {
            matches!(command, Command::FlushDatabase(_) | Command::FlushAll | Command::Configure(_))
        }
        Step::Query(query) => {
            matches!(query, Query::Keys(_) | Query::Scan(_) | Query::KeyCount(_) | Query::KeyspaceCounts)
        }
    })
}

#[cfg(test)]
mod tests;
