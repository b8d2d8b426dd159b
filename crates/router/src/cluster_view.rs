//! What CLUSTER SLOTS, SHARDS, NODES and INFO say, before it is put into RESP.
//!
//! Redis Cluster knows nodes that own slots and nodes that copy one of them; here a node leads some shards
//! and follows in others. SLOTS and SHARDS can say so exactly. NODES has one line a node: a node that
//! leads anything owns the slots of all it leads; one that only follows is shown as copying the leader of
//! the first shard it follows. Clients route by slots, and these are right in all of them.

use std::collections::BTreeSet;
use std::fmt;

use rivermark_cluster::{Node, Shard, SlotRange, SlotRanges, Topology, address};
use rivermark_types::{NodeId, SLOT_COUNT};

use crate::node_name::NodeName;
use crate::observation::Observation;
use crate::transport::Transport;

/// How clients reach a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The node's own id.
    pub node: NodeId,
    /// Its name among Redis Cluster clients.
    pub name: NodeName,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// The port for clients that connect as the one that asked did; 0 if the node has none.
    pub port: u16,
    /// The RESP port for plain text, if there is one.
    pub plain_port: Option<u16>,
    /// The RESP port for TLS, if there is one.
    pub tls_port: Option<u16>,
}

/// A row of CLUSTER SLOTS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotsRow {
    /// The slots.
    pub range: SlotRange,
    /// Who serves them: the leader first, then followers.
    pub endpoints: Vec<Endpoint>,
}

/// A map of CLUSTER SHARDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardRow {
    /// The shard's name (CLUSTER MYSHARDID).
    pub name: NodeName,
    /// Its slots.
    pub slots: SlotRanges,
    /// Its replicas: the leader first, then followers.
    pub replicas: Vec<ReplicaRow>,
}

/// A node of a map of CLUSTER SHARDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaRow {
    /// How to reach it.
    pub endpoint: Endpoint,
    /// What it does in the shard.
    pub role: Role,
    /// Whether it answers.
    pub health: Health,
}

/// A node's part, in the words Redis has for it when displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves the slots.
    Leader,
    /// Copies them.
    Follower,
}

/// Whether a node answers, in the words of CLUSTER SHARDS when displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Online,
    /// It does not.
    Failed,
}

/// A line of CLUSTER NODES; displayed as one, without line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodesRow {
    /// How to reach it.
    pub endpoint: Endpoint,
    /// The port other nodes dial, which Redis calls the cluster bus.
    pub rpc_port: u16,
    /// Whether it is the node that was asked.
    pub is_local: bool,
    /// What it is shown as.
    pub role: Role,
    /// Whether it answers.
    pub health: Health,
    /// For a follower: whom it is shown to follow.
    pub follows: Option<NodeName>,
    /// The topology's.
    pub epoch: u64,
    /// The slots of all shards it leads.
    pub slots: SlotRanges,
}

/// CLUSTER INFO; displayed as its lines, each ended by CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Slots with an owner.
    pub slots_assigned: usize,
    /// Slots whose shard has a leader.
    pub slots_ok: usize,
    /// Slots whose shard has no leader, but replicas enough to elect one.
    pub slots_pfail: usize,
    /// Slots whose shard cannot have a leader.
    pub slots_fail: usize,
    /// Nodes of the topology.
    pub known_nodes: usize,
    /// Nodes that lead a shard with slots.
    pub size: usize,
    /// The topology's.
    pub epoch: u64,
}

/// CLUSTER SLOTS: every range, ascending.
pub fn slots(topology: &Topology, observation: &Observation, transport: Transport) -> Vec<SlotsRow> {
    let mut rows = Vec::new();
    for shard in topology.stream_shards() {
        let nodes = leader_first(topology, observation, shard);
        let endpoints: Vec<Endpoint> =
            nodes.iter().map(|(node, _)| endpoint(topology, node, transport)).collect();
        let ranges = shard.slots.as_slice().iter();
        rows.extend(ranges.map(|range| SlotsRow { range: *range, endpoints: endpoints.clone() }));
    }
    rows.sort_by_key(|row| row.range);
    rows
}

/// CLUSTER SHARDS: every stream shard, by id.
pub fn shards(topology: &Topology, observation: &Observation, transport: Transport) -> Vec<ShardRow> {
    let replica = |(node, role): (&Node, Role)| ReplicaRow {
        endpoint: endpoint(topology, node, transport),
        role,
        health: health(observation, node.id),
    };
    let row = |shard: &Shard| ShardRow {
        name: NodeName::of_shard(topology, shard.id),
        slots: shard.slots.clone(),
        replicas: leader_first(topology, observation, shard).into_iter().map(replica).collect(),
    };
    topology.stream_shards().map(row).collect()
}

/// CLUSTER NODES: every node, by id.
pub fn nodes(topology: &Topology, observation: &Observation, transport: Transport) -> Vec<NodesRow> {
    topology.nodes().values().map(|node| nodes_row(topology, observation, transport, node)).collect()
}

/// CLUSTER REPLICAS: the nodes that CLUSTER NODES shows as following `leader`.
pub fn followers_of(
    topology: &Topology,
    observation: &Observation,
    transport: Transport,
    leader: NodeId,
) -> Vec<NodesRow> {
    let name = NodeName::of_node(topology, leader);
    nodes(topology, observation, transport).into_iter().filter(|row| row.follows == Some(name)).collect()
}

/// CLUSTER INFO.
pub fn info(topology: &Topology, observation: &Observation) -> Info {
    let mut info = Info {
        slots_assigned: 0,
        slots_ok: 0,
        slots_pfail: 0,
        slots_fail: 0,
        known_nodes: topology.nodes().len(),
        size: 0,
        epoch: topology.epoch(),
    };
    let mut leaders = BTreeSet::new();
    for shard in topology.stream_shards().filter(|shard| !shard.slots.is_empty()) {
        let count = shard.slots.count();
        info.slots_assigned += count;
        match observation.leader_of(shard) {
            Some(leader) => {
                info.slots_ok += count;
                leaders.insert(leader);
            }
            None if observation.has_quorum(shard) => info.slots_pfail += count,
            None => info.slots_fail += count,
        }
    }
    info.size = leaders.len();
    info
}

fn nodes_row(topology: &Topology, observation: &Observation, transport: Transport, node: &Node) -> NodesRow {
    let contact = |shard: &Shard| observation.contact_of(topology, shard);
    let is_led = |shard: &&Shard| contact(shard) == Some(node.id);
    let led: SlotRanges =
        topology.stream_shards().filter(is_led).flat_map(|shard| shard.slots.as_slice()).copied().collect();
    let follows = if led.is_empty() {
        let mut followed =
            topology.shards_on(node.id).filter(|shard| !shard.slots.is_empty()).filter_map(contact);
        followed.next().map(|leader| NodeName::of_node(topology, leader))
    } else {
        None
    };
    NodesRow {
        endpoint: endpoint(topology, node, transport),
        rpc_port: host_and_port(&node.rpc_address).1,
        is_local: node.id == observation.local,
        role: if follows.is_some() { Role::Follower } else { Role::Leader },
        health: health(observation, node.id),
        follows,
        epoch: topology.epoch(),
        slots: led,
    }
}

fn leader_first<'t>(
    topology: &'t Topology,
    observation: &Observation,
    shard: &Shard,
) -> Vec<(&'t Node, Role)> {
    let contact = observation.contact_of(topology, shard);
    let others = shard.replicas.iter().copied().filter(|node| Some(*node) != contact);
    let leader = contact.into_iter().map(|node| (node, Role::Leader));
    let all = leader.chain(others.map(|node| (node, Role::Follower)));
    all.filter_map(|(id, role)| topology.node(id).map(|node| (node, role))).collect()
}

fn endpoint(topology: &Topology, node: &Node, transport: Transport) -> Endpoint {
    let (plain, tls) = (address::split(&node.resp_address), address::split(&node.resp_tls_address));
    let (asked, other) = match transport {
        Transport::Plain => (plain, tls),
        Transport::Tls => (tls, plain),
    };
    let (host, _) = asked.or(other).expect("a node of a topology serves clients");
    Endpoint {
        node: node.id,
        name: NodeName::of_node(topology, node.id),
        host: host.to_owned(),
        port: asked.map_or(0, |(_, port)| port),
        plain_port: plain.map(|(_, port)| port),
        tls_port: tls.map(|(_, port)| port),
    }
}

fn host_and_port(text: &str) -> (&str, u16) {
    address::split(text).expect("a topology's addresses are host:port")
}

fn health(observation: &Observation, node: NodeId) -> Health {
    if observation.is_reachable(node) { Health::Online } else { Health::Failed }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "master",
            Self::Follower => "replica",
        })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for NodesRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { name, host, port, .. } = &self.endpoint;
        write!(f, "{name} {host}:{port}@{} ", self.rpc_port)?;
        if self.is_local {
            f.write_str("myself,")?;
        }
        // NODES alone has kept the older word.
        f.write_str(if self.role == Role::Leader { "master" } else { "slave" })?;
        let (flag, link) = match self.health {
            Health::Online => ("", "connected"),
            Health::Failed => (",fail", "disconnected"),
        };
        f.write_str(flag)?;
        match &self.follows {
            Some(leader) => write!(f, " {leader}")?,
            None => f.write_str(" -")?,
        }
        write!(f, " 0 0 {} {link}", self.epoch)?;
        if self.slots.is_empty() { Ok(()) } else { write!(f, " {}", self.slots) }
    }
}

impl Info {
    /// Whether every slot has an owner and can be served, if only after an election.
    pub fn is_ok(&self) -> bool {
        self.slots_assigned == usize::from(SLOT_COUNT) && self.slots_fail == 0
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster_enabled:1\r\n")?;
        write!(f, "cluster_state:{}\r\n", if self.is_ok() { "ok" } else { "fail" })?;
        write!(f, "cluster_slots_assigned:{}\r\n", self.slots_assigned)?;
        write!(f, "cluster_slots_ok:{}\r\n", self.slots_ok)?;
        write!(f, "cluster_slots_pfail:{}\r\n", self.slots_pfail)?;
        write!(f, "cluster_slots_fail:{}\r\n", self.slots_fail)?;
        write!(f, "cluster_known_nodes:{}\r\n", self.known_nodes)?;
        write!(f, "cluster_size:{}\r\n", self.size)?;
        write!(f, "cluster_current_epoch:{}\r\n", self.epoch)?;
        write!(f, "cluster_my_epoch:{}\r\n", self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::fixtures::{cluster, cluster_with_tls_at, observe};
    use rivermark_types::{ShardId, Slot};

    fn name(topology: &Topology, node: u64) -> String {
        NodeName::of_node(topology, NodeId::new(node)).to_string()
    }

    #[test]
    fn slots_list_the_leader_first() {
        let topology = cluster(3, 3);
        let rows = slots(&topology, &observe(1, &[(1, 2), (2, 1)], &[]), Transport::Plain);
        let text: Vec<String> = rows
            .iter()
            .map(|row| {
                let hosts: Vec<&str> = row.endpoints.iter().map(|endpoint| endpoint.host.as_str()).collect();
                format!("{} {}", row.range, hosts.join(" "))
            })
            .collect();
        assert_eq!(
            text,
            [
                "0-5460 10.0.0.2 10.0.0.3 10.0.0.1",
                "5461-10921 10.0.0.1 10.0.0.3 10.0.0.2",
                "10922-16383 10.0.0.1 10.0.0.2 10.0.0.3",
            ]
        );
        let first = &rows[0].endpoints[0];
        assert_eq!((first.node, first.port), (NodeId::new(2), 6379));
        assert_eq!(first.name.to_string(), name(&topology, 2));
    }

    #[test]
    fn ports_are_those_of_the_connection_that_asks() {
        let topology = cluster_with_tls_at(2, 3, 1);
        let check = |transport, expected: &[u16]| {
            let rows = slots(&topology, &observe(1, &[(1, 1)], &[]), transport);
            let ports: Vec<u16> = rows[0].endpoints.iter().map(|endpoint| endpoint.port).collect();
            assert_eq!(ports, expected, "{transport:?}");
            assert!(rows[0].endpoints.iter().all(|endpoint| endpoint.plain_port == Some(6379)));
        };
        let both = endpoint(&topology, topology.node(NodeId::new(2)).expect("node 2"), Transport::Tls);
        assert_eq!((both.host.as_str(), both.tls_port), ("10.0.0.2", Some(6380)));
        check(Transport::Plain, &[6379, 6379, 6379]);
        let order = slots(&topology, &observe(1, &[(1, 1)], &[]), Transport::Tls);
        let tls: Vec<u16> =
            order[0].endpoints.iter().map(|at| if at.node.get() == 2 { 6380 } else { 0 }).collect();
        check(Transport::Tls, &tls);
        let lines = nodes(&topology, &observe(1, &[(1, 1)], &[]), Transport::Tls);
        assert!(lines[1].to_string().contains(" 10.0.0.2:6380@16379 "), "{}", lines[1]);
        assert!(lines[0].to_string().contains(" 10.0.0.1:0@16379 "), "{}", lines[0]);
    }

    #[test]
    fn shards_have_one_leader_and_tell_who_fails() {
        let topology = cluster(3, 2);
        let rows = shards(&topology, &observe(1, &[(1, 3), (2, 3)], &[2]), Transport::Plain);
        assert_eq!(rows.len(), 2);
        let text: Vec<String> = rows[0]
            .replicas
            .iter()
            .map(|replica| format!("{} {} {}", replica.endpoint.node, replica.role, replica.health))
            .collect();
        assert_eq!(text, ["3 master online", "2 replica failed", "1 replica online"]);
        assert_eq!(rows[0].slots.to_string(), "0-8191");
        assert_eq!(rows[0].name, NodeName::of_shard(&topology, ShardId::new(1)));
    }

    #[test]
    fn nodes_own_what_they_lead() {
        let topology = cluster(4, 3);
        let rows = nodes(&topology, &observe(2, &[(1, 2), (2, 3), (3, 2)], &[4]), Transport::Plain);
        let text: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let n = |node| name(&topology, node);
        assert_eq!(
            text,
            [
                format!("{} 10.0.0.1:6379@16379 slave {} 0 0 1 connected", n(1), n(3)),
                format!("{} 10.0.0.2:6379@16379 myself,master - 0 0 1 connected 0-5460 10922-16383", n(2)),
                format!("{} 10.0.0.3:6379@16379 master - 0 0 1 connected 5461-10921", n(3)),
                format!("{} 10.0.0.4:6379@16379 slave,fail {} 0 0 1 disconnected", n(4), n(2)),
            ]
        );
        let followers = followers_of(
            &topology,
            &observe(2, &[(1, 2), (2, 3), (3, 2)], &[]),
            Transport::Plain,
            NodeId::new(2),
        );
        assert_eq!(followers.iter().map(|row| row.endpoint.node.get()).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn every_slot_is_served_by_one_node_of_each_view() {
        let topology = cluster(5, 7);
        for observation in [
            observe(1, &[], &[]),
            observe(1, &[(1, 2), (2, 2), (7, 1)], &[3]),
            observe(1, &[(1, 2)], &[1, 2, 3, 4, 5]),
        ] {
            let by_slots = slots(&topology, &observation, Transport::Plain);
            let by_nodes = nodes(&topology, &observation, Transport::Plain);
            for slot in (0..SLOT_COUNT).step_by(97).filter_map(Slot::new) {
                let rows: Vec<_> = by_slots.iter().filter(|row| row.range.contains(slot)).collect();
                let owners: Vec<_> = by_nodes.iter().filter(|row| row.slots.contains(slot)).collect();
                assert_eq!((rows.len(), owners.len()), (1, 1));
                assert_eq!(rows[0].endpoints[0], owners[0].endpoint);
            }
        }
    }

    #[test]
    fn info_tells_an_election_from_a_loss() {
        let topology = cluster(3, 2);
        let check =
            |leaders: &[(u32, u64)], unreachable: &[u64], expected: (bool, usize, usize, usize, usize)| {
                let info = info(&topology, &observe(1, leaders, unreachable));
                let seen = (info.is_ok(), info.slots_ok, info.slots_pfail, info.slots_fail, info.size);
                assert_eq!(seen, expected, "{leaders:?} {unreachable:?}");
                assert_eq!(info.slots_assigned, 16384);
            };
        check(&[(1, 2), (2, 3)], &[], (true, 16384, 0, 0, 2));
        check(&[(1, 2), (2, 2)], &[3], (true, 16384, 0, 0, 1));
        check(&[(1, 2)], &[3], (true, 8192, 8192, 0, 1));
        check(&[(1, 2), (2, 3)], &[2, 3], (false, 0, 0, 16384, 0));
    }

    #[test]
    fn info_is_written_as_redis_writes_it() {
        let text = info(&cluster(3, 1), &observe(1, &[(1, 2)], &[])).to_string();
        assert_eq!(
            text,
            "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
             cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:3\r\ncluster_size:1\r\n\
             cluster_current_epoch:1\r\ncluster_my_epoch:1\r\n"
        );
    }

    #[test]
    fn before_bootstrap_there_is_nothing_and_the_state_is_fail() {
        let (topology, observation) = (Topology::default(), observe(1, &[], &[]));
        assert_eq!(slots(&topology, &observation, Transport::Plain), []);
        assert_eq!(shards(&topology, &observation, Transport::Plain), []);
        assert_eq!(nodes(&topology, &observation, Transport::Plain), []);
        assert!(!info(&topology, &observation).is_ok());
    }
}
