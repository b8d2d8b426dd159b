//! Answers that send a client elsewhere or make it wait, worded as Redis Cluster words them
//! (`clusterRedirectClient` of redis-server), since clients act on the words.

use std::fmt;

use rivermark_cluster::{Topology, address};
use rivermark_types::Slot;

use crate::observation::Observation;
use crate::route::{self, Route};
use crate::transport::Transport;

/// What a client is told instead of an answer. Displayed without the leading `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The slot is served at another node: go there, and remember it.
    Moved(Target),
    /// The slot is moving, and this key is at another node already: ask there, once.
    Ask(Target),
    /// The slot is moving, and some keys are here and some there.
    TryAgain,
    /// The keys are of several slots, and this node answers only for one at a time.
    CrossSlot,
    /// The slot has no owner.
    SlotNotServed,
    /// The slot's shard has no leader, and too few replicas to elect one.
    Down,
}

/// A slot and the node that serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The slot of the request's keys.
    pub slot: Slot,
    /// Host name or address; IPv6 without brackets, as Redis writes it.
    pub host: String,
    /// The RESP port.
    pub port: u16,
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved(target) => write!(f, "MOVED {target}"),
            Self::Ask(target) => write!(f, "ASK {target}"),
            Self::TryAgain => f.write_str("TRYAGAIN Multiple keys request during rehashing of slot"),
            Self::CrossSlot => f.write_str("CROSSSLOT Keys in request don't hash to the same slot"),
            Self::SlotNotServed => f.write_str("CLUSTERDOWN Hash slot not served"),
            Self::Down => f.write_str("CLUSTERDOWN The cluster is down"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.slot.get(), self.host, self.port)
    }
}

/// What to tell a client whose request has keys of `slots`, if nodes answer only for shards they lead.
/// `None`: serve it here, because this node leads the shard, because there are no keys, because the shard elects a
/// leader and to wait here spares the client an error, or because the leader cannot be reached the way the client
/// is connected.
pub fn redirect(
    topology: &Topology,
    observation: &Observation,
    transport: Transport,
    slots: impl IntoIterator<Item = Slot>,
) -> Option<Redirect> {
    let mut slots = slots.into_iter();
    let slot = slots.next()?;
    if slots.any(|other| other != slot) {
        return Some(Redirect::CrossSlot);
    }
    let shard = match route::route(topology, [slot]) {
        Ok(Route::Shard(shard)) => topology.shard(shard)?,
        Ok(Route::Anywhere | Route::Shards(_)) => unreachable!("one slot has one owner"),
        Err(error) => return Some(error.into()),
    };
    let Some(leader) = observation.leader_of(shard) else {
        return (!observation.has_quorum(shard)).then_some(Redirect::Down);
    };
    if leader == observation.local {
        return None;
    }
    let node = topology.node(leader)?;
    let address = match transport {
        Transport::Plain => &node.resp_address,
        Transport::Tls => &node.resp_tls_address,
    };
    let (host, port) = address::split(address)?;
    Some(Redirect::Moved(Target { slot, host: host.to_owned(), port }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::fixtures::{cluster, cluster_with_tls_at, observe};
    use rivermark_cluster::Topology;

    #[test]
    fn wording_is_that_of_redis() {
        let target = |host: &str| Target { slot: Slot::of(b"foo"), host: host.to_owned(), port: 6381 };
        let check = |redirect: Redirect, text: &str| assert_eq!(redirect.to_string(), text);
        check(Redirect::Moved(target("127.0.0.1")), "MOVED 12182 127.0.0.1:6381");
        check(Redirect::Moved(target("::1")), "MOVED 12182 ::1:6381");
        check(Redirect::Ask(target("node-2")), "ASK 12182 node-2:6381");
        check(Redirect::TryAgain, "TRYAGAIN Multiple keys request during rehashing of slot");
        check(Redirect::CrossSlot, "CROSSSLOT Keys in request don't hash to the same slot");
        check(Redirect::SlotNotServed, "CLUSTERDOWN Hash slot not served");
        check(Redirect::Down, "CLUSTERDOWN The cluster is down");
    }

    #[test]
    fn clients_are_sent_to_the_leader() {
        let topology = cluster(3, 3);
        let slots = |keys: &[&str]| keys.iter().map(|key| Slot::of(key.as_bytes())).collect::<Vec<_>>();
        let check = |local: u64, leaders: &[(u32, u64)], keys: &[&str], expected: Option<&str>| {
            let told = redirect(&topology, &observe(local, leaders, &[]), Transport::Plain, slots(keys));
            assert_eq!(told.map(|redirect| redirect.to_string()).as_deref(), expected, "{keys:?} at {local}");
        };
        let leaders = &[(1, 2), (2, 3), (3, 1)];
        check(1, leaders, &[], None);
        check(1, leaders, &["foo"], None);
        check(2, leaders, &["foo"], Some("MOVED 12182 10.0.0.1:6379"));
        check(2, leaders, &["{foo}a", "{foo}b"], Some("MOVED 12182 10.0.0.1:6379"));
        // One shard, two slots: a client that follows redirects expects Redis's rule.
        check(2, leaders, &["hello", "bar"], Some("CROSSSLOT Keys in request don't hash to the same slot"));
    }

    #[test]
    fn an_election_is_waited_for_and_a_lost_quorum_is_told() {
        let check = |leaders: &[(u32, u64)], unreachable: &[u64], expected: Option<Redirect>| {
            let observation = observe(2, leaders, unreachable);
            let told = redirect(&cluster(3, 1), &observation, Transport::Plain, [Slot::of(b"foo")]);
            assert_eq!(told, expected, "{leaders:?} {unreachable:?}");
        };
        check(&[], &[], None);
        check(&[(1, 1)], &[1], None);
        check(&[(1, 1)], &[1, 3], Some(Redirect::Down));
        check(&[], &[1, 3], Some(Redirect::Down));
    }

    #[test]
    fn clients_are_sent_where_they_can_connect_as_they_did() {
        let topology = cluster_with_tls_at(1, 3, 1);
        let check = |leader: u64, transport: Transport, expected: Option<&str>| {
            let told = redirect(&topology, &observe(3, &[(1, leader)], &[]), transport, [Slot::of(b"foo")]);
            assert_eq!(told.map(|redirect| redirect.to_string()).as_deref(), expected);
        };
        check(1, Transport::Plain, Some("MOVED 12182 10.0.0.1:6379"));
        check(1, Transport::Tls, Some("MOVED 12182 10.0.0.1:6380"));
        check(2, Transport::Tls, None);
    }

    #[test]
    fn nothing_is_served_before_bootstrap() {
        let told =
            redirect(&Topology::default(), &observe(1, &[], &[]), Transport::Plain, [Slot::of(b"foo")]);
        assert_eq!(told, Some(Redirect::SlotNotServed));
    }
}
