//! The shards a request concerns.
//!
//! Requests may span shards: the caller sends each its part and merges the answers ([`split`]). Only what
//! must be atomic is confined to one ([`route_atomic`]). Slots come from [`Slot::of`] or a key's own.

use rivermark_cluster::Topology;
use rivermark_types::{ShardId, Slot};

use crate::redirect::Redirect;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// It names no key: the node that got it answers.
    Anywhere,
    /// One shard has all of it.
    Shard(ShardId),
    /// These shards have a part each: distinct, ascending, at least two.
    Shards(Vec<ShardId>),
}

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It must be atomic, and its keys lie in several shards.
    #[error("{}", Redirect::CrossSlot)]
    CrossShard,
    /// No shard owns this slot: the cluster is not bootstrapped as far as this node knows.
    #[error("{}", Redirect::SlotNotServed)]
    SlotNotServed(Slot),
}

impl From<RouteError> for Redirect {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::CrossShard => Self::CrossSlot,
            RouteError::SlotNotServed(_) => Self::SlotNotServed,
        }
    }
}

/// Keys of a request that one shard owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardKeys {
    /// The owner.
    pub shard: ShardId,
    /// Positions among the request's keys, ascending, at least one.
    pub positions: Vec<usize>,
}

/// The shards of a request whose keys hash to `slots`.
///
/// # Errors
/// [`RouteError::SlotNotServed`].
pub fn route(topology: &Topology, slots: impl IntoIterator<Item = Slot>) -> Result<Route, RouteError> {
    let mut shards = slots.into_iter().map(|slot| owner(topology, slot)).collect::<Result<Vec<_>, _>>()?;
    shards.sort_unstable();
    shards.dedup();
    Ok(route_to(shards))
}

/// As [`route`], for a request that one shard must apply as a whole (EXEC).
///
/// # Errors
/// [`RouteError::CrossShard`], [`RouteError::SlotNotServed`].
pub fn route_atomic(topology: &Topology, slots: impl IntoIterator<Item = Slot>) -> Result<Route, RouteError> {
    match route(topology, slots)? {
        Route::Shards(_) => Err(RouteError::CrossShard),
        route => Ok(route),
    }
}

/// The route of a request about the whole keyspace (SCAN, DBSIZE, FLUSHALL): every stream shard.
pub fn route_everywhere(topology: &Topology) -> Route {
    route_to(topology.stream_shards().map(|shard| shard.id).collect())
}

/// A request's keys by shard, in the order in which shards first appear. The positions put the answers
/// back into the request's order.
///
/// # Errors
/// [`RouteError::SlotNotServed`].
pub fn split(
    topology: &Topology,
    slots: impl IntoIterator<Item = Slot>,
) -> Result<Vec<ShardKeys>, RouteError> {
    let mut parts: Vec<ShardKeys> = Vec::new();
    for (position, slot) in slots.into_iter().enumerate() {
        let shard = owner(topology, slot)?;
        match parts.iter_mut().find(|part| part.shard == shard) {
            Some(part) => part.positions.push(position),
            None => parts.push(ShardKeys { shard, positions: vec![position] }),
        }
    }
    Ok(parts)
}

fn owner(topology: &Topology, slot: Slot) -> Result<ShardId, RouteError> {
    topology.shard_of(slot).ok_or(RouteError::SlotNotServed(slot))
}

fn route_to(shards: Vec<ShardId>) -> Route {
    match shards[..] {
        [] => Route::Anywhere,
        [shard] => Route::Shard(shard),
        _ => Route::Shards(shards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::fixtures::cluster;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn slots(keys: &[&str]) -> Vec<Slot> {
        keys.iter().map(|key| Slot::of(key.as_bytes())).collect()
    }

    #[test]
    fn keys_decide_the_shards() {
        // Three shards: hello 866 in 1, bar 5061 in 1, foo 12182 in 3, 123456789 12739 in 3.
        let topology = cluster(3, 3);
        let check = |keys: &[&str], expected: Route| {
            assert_eq!(route(&topology, slots(keys)), Ok(expected), "{keys:?}");
        };
        check(&[], Route::Anywhere);
        check(&["foo"], Route::Shard(ShardId::new(3)));
        check(&["hello", "bar"], Route::Shard(ShardId::new(1)));
        check(&["foo", "bar", "foo"], Route::Shards(vec![ShardId::new(1), ShardId::new(3)]));
        check(&["{foo}a", "{foo}b"], Route::Shard(ShardId::new(3)));
    }

    #[test]
    fn atomic_requests_keep_to_one_shard() {
        let topology = cluster(3, 3);
        assert_eq!(route_atomic(&topology, slots(&["foo", "bar"])), Err(RouteError::CrossShard));
        assert_eq!(route_atomic(&topology, slots(&["hello", "bar"])), Ok(Route::Shard(ShardId::new(1))));
        assert_eq!(route_atomic(&topology, []), Ok(Route::Anywhere));
        let text = "CROSSSLOT Keys in request don't hash to the same slot";
        assert_eq!(RouteError::CrossShard.to_string(), text);
    }

    #[test]
    fn nothing_is_served_before_bootstrap() {
        let topology = Topology::default();
        let slot = Slot::of(b"foo");
        assert_eq!(route(&topology, [slot]), Err(RouteError::SlotNotServed(slot)));
        assert_eq!(split(&topology, [slot]), Err(RouteError::SlotNotServed(slot)));
        assert_eq!(route(&topology, []), Ok(Route::Anywhere));
        assert_eq!(RouteError::SlotNotServed(slot).to_string(), "CLUSTERDOWN Hash slot not served");
    }

    #[test]
    fn the_whole_keyspace_is_every_stream_shard() {
        assert_eq!(route_everywhere(&cluster(3, 1)), Route::Shard(ShardId::new(1)));
        assert_eq!(
            route_everywhere(&cluster(3, 3)),
            Route::Shards([1, 2, 3].map(ShardId::new).to_vec()),
            "the metadata shard holds no keys"
        );
    }

    proptest! {
        #[test]
        fn split_gives_each_key_to_its_owner_once(
            shards in 1u32..20,
            raw in prop::collection::vec(0u16..16384, 0..40),
        ) {
            let topology = cluster(3, shards);
            let slots: Vec<Slot> = raw.into_iter().filter_map(Slot::new).collect();
            let parts = split(&topology, slots.iter().copied()).expect("all slots are served");
            let mut positions: Vec<usize> = Vec::new();
            for part in &parts {
                prop_assert!(part.positions.is_sorted());
                for position in &part.positions {
                    prop_assert_eq!(topology.shard_of(slots[*position]), Some(part.shard));
                }
                positions.extend(&part.positions);
            }
            positions.sort_unstable();
            prop_assert_eq!(positions, (0..slots.len()).collect::<Vec<_>>());

            let of_parts: BTreeSet<ShardId> = parts.iter().map(|part| part.shard).collect();
            prop_assert_eq!(of_parts.len(), parts.len());
            let of_route = match route(&topology, slots).expect("all slots are served") {
                Route::Anywhere => vec![],
                Route::Shard(shard) => vec![shard],
                Route::Shards(shards) => shards,
            };
            prop_assert_eq!(of_route, of_parts.into_iter().collect::<Vec<_>>());
        }
    }
}
