//! What each command does, and what none may do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rivermark_cluster::command::{Bootstrap, UpdateNode};
use rivermark_cluster::{
    Command, Machine, Node, NodeState, Outcome, Rejection, Setting, SlotRange, SlotRanges, Topology,
    invariants,
};
use rivermark_types::limits::{NODES_MAX, SHARDS_MAX};
use rivermark_types::{NodeId, SLOT_COUNT, ShardId, Slot};

use crate::strategies::{bootstrap, commands, machine, node};

fn ids(raw: &[u64]) -> Vec<NodeId> {
    raw.iter().copied().map(NodeId::new).collect()
}

fn range(first: u16, last: u16) -> SlotRanges {
    SlotRange::of_numbers(first, last).expect("a range").into()
}

fn set_replicas(shard: u32, replicas: &[u64]) -> Command {
    Command::SetReplicas { shard: ShardId::new(shard), replicas: ids(replicas) }
}

fn set_slots(shard: u32, slots: SlotRanges) -> Command {
    Command::SetSlots { shard: ShardId::new(shard), slots }
}

fn draining(node: u64) -> Command {
    Command::SetNodeState { node: NodeId::new(node), state: NodeState::Draining }
}

/// Applies, expects the outcome, and that a refusal or repetition leaves no trace.
fn check(machine: &mut Machine, command: &Command, expected: Result<Change, Rejection>) {
    let before = machine.clone();
    let outcome = machine.apply(command);
    let epoch = before.topology().epoch();
    let expected = match expected {
        Ok(Change::Made) => Outcome::Changed { epoch: epoch + 1 },
        Ok(Change::None) => Outcome::Unchanged { epoch },
        Err(rejection) => Outcome::Rejected(rejection),
    };
    assert_eq!(outcome, expected, "{command:?}");
    assert_eq!(machine.topology().epoch() > epoch, *machine != before);
    assert_eq!(invariants::check(&machine.topology()), Ok(()));
}

enum Change {
    Made,
    None,
}

#[test]
fn bootstrap_assigns_all_slots_and_spreads_leaders() {
    let topology = machine(3, 3, 3).topology();
    assert_eq!((topology.epoch(), topology.cluster_id()), (1, Some(0x5eed)));
    let shards: Vec<String> = topology
        .shards()
        .values()
        .map(|shard| {
            let replicas: Vec<u64> = shard.replicas.iter().map(|node| node.get()).collect();
            format!("{} {replicas:?} {}", shard.id, shard.slots)
        })
        .collect();
    assert_eq!(
        shards,
        ["0 [1, 2, 3] ", "1 [2, 3, 1] 0-5460", "2 [3, 1, 2] 5461-10921", "3 [1, 2, 3] 10922-16383"]
    );
    assert_eq!(topology.shard_of(Slot::of(b"foo")), Some(ShardId::new(3)));
    assert_eq!(topology.stream_shards().count(), 3);
}

#[test]
fn bootstrap_happens_once() {
    let mut machine = Machine::new();
    check(&mut machine, &draining(1), Err(Rejection::NotBootstrapped));
    check(&mut machine, &bootstrap(3, 3, 3), Ok(Change::Made));
    check(&mut machine, &bootstrap(3, 3, 3), Ok(Change::None));
    let other =
        Command::Bootstrap(Bootstrap { cluster_id: 7, nodes: vec![node(9)], shards: 1, replication: 1 });
    check(&mut machine, &other, Err(Rejection::AlreadyBootstrapped { cluster_id: 0x5eed }));
}

#[test]
fn bad_bootstraps_leave_nothing() {
    let refused = |command: Command, rejection: Rejection| {
        let mut machine = Machine::new();
        check(&mut machine, &command, Err(rejection));
        assert_eq!(*machine.topology(), Topology::default());
    };
    refused(bootstrap(0, 1, 1), Rejection::NodeCount);
    refused(bootstrap(NODES_MAX as u64 + 1, 1, 1), Rejection::NodeCount);
    refused(bootstrap(3, 0, 3), Rejection::ShardCount);
    refused(bootstrap(3, SHARDS_MAX as u32 + 1, 3), Rejection::ShardCount);
    refused(bootstrap(3, 1, 0), Rejection::ReplicaCount);
    refused(bootstrap(3, 1, 4), Rejection::ReplicaCount);
    let with = |nodes| Command::Bootstrap(Bootstrap { cluster_id: 1, nodes, shards: 1, replication: 1 });
    refused(with(vec![node(1), node(1)]), Rejection::NodeExists { node: NodeId::new(1) });
    refused(with(vec![node(0)]), Rejection::NodeIdZero);
    let mut bad = node(1);
    bad.resp_address = "nowhere".to_owned();
    refused(with(vec![bad]), Rejection::BadAddress { node: NodeId::new(1) });
    let bad_tls = Node { resp_tls_address: "nowhere".to_owned(), ..node(1) };
    refused(with(vec![bad_tls]), Rejection::BadAddress { node: NodeId::new(1) });
    let deaf = Node { resp_address: String::new(), ..node(1) };
    refused(with(vec![deaf]), Rejection::BadAddress { node: NodeId::new(1) });
}

#[test]
fn a_node_may_serve_clients_over_tls_alone() {
    let mut machine = machine(3, 3, 3);
    let secret = Node { resp_address: String::new(), resp_tls_address: "node-4:6380".to_owned(), ..node(4) };
    check(&mut machine, &Command::AddNode(secret.clone()), Ok(Change::Made));
    assert_eq!(machine.topology().node(secret.id), Some(&secret));
}

#[test]
fn nodes_join_move_and_leave_for_good() {
    let mut machine = machine(3, 3, 3);
    let four = NodeId::new(4);
    assert_eq!(machine.topology().unused_node_id(), four);
    check(&mut machine, &Command::AddNode(node(4)), Ok(Change::Made));
    check(&mut machine, &Command::AddNode(node(4)), Ok(Change::None));
    let mut other = node(4);
    other.http_address = String::new();
    check(&mut machine, &Command::AddNode(other), Err(Rejection::NodeExists { node: four }));

    let update = |node: u64, rpc: &str| {
        Command::UpdateNode(UpdateNode {
            node: NodeId::new(node),
            rpc_address: rpc.to_owned(),
            resp_address: "moved:6379".to_owned(),
            resp_tls_address: "moved:6380".to_owned(),
            http_address: String::new(),
        })
    };
    check(&mut machine, &update(4, "moved:16379"), Ok(Change::Made));
    check(&mut machine, &update(4, "moved:16379"), Ok(Change::None));
    check(&mut machine, &update(4, "moved"), Err(Rejection::BadAddress { node: four }));
    check(&mut machine, &update(5, "moved:16379"), Err(Rejection::NodeUnknown { node: NodeId::new(5) }));
    assert_eq!(machine.topology().node(four).expect("node 4").rpc_address, "moved:16379");

    check(&mut machine, &Command::RemoveNode(four), Ok(Change::Made));
    check(&mut machine, &Command::RemoveNode(four), Ok(Change::None));
    check(&mut machine, &Command::AddNode(node(4)), Err(Rejection::NodeRemoved { node: four }));
    check(&mut machine, &update(4, "moved:16379"), Err(Rejection::NodeRemoved { node: four }));
    check(&mut machine, &set_replicas(1, &[4]), Err(Rejection::NodeRemoved { node: four }));
    assert!(machine.topology().is_removed(four));
    assert_eq!(machine.topology().unused_node_id(), NodeId::new(5));
    check(
        &mut machine,
        &Command::RemoveNode(NodeId::new(9)),
        Err(Rejection::NodeUnknown { node: NodeId::new(9) }),
    );
}

#[test]
fn a_node_leaves_only_when_it_holds_nothing() {
    let mut machine = machine(4, 2, 3);
    let remove = Command::RemoveNode(NodeId::new(1));
    let held_by = |shard| Rejection::NodeHoldsReplica { node: NodeId::new(1), shard: ShardId::new(shard) };
    check(&mut machine, &remove, Err(held_by(0)));
    check(&mut machine, &set_replicas(0, &[2, 3, 4]), Ok(Change::Made));
    check(&mut machine, &remove, Err(held_by(2)));
    check(&mut machine, &set_replicas(2, &[2, 3, 4]), Ok(Change::Made));
    check(&mut machine, &remove, Ok(Change::Made));
}

#[test]
fn replicas_are_distinct_known_and_not_new_on_draining_nodes() {
    let mut machine = machine(4, 1, 3);
    check(&mut machine, &set_replicas(1, &[2, 3, 4]), Ok(Change::None));
    check(&mut machine, &set_replicas(1, &[4, 3, 2]), Ok(Change::Made));
    check(&mut machine, &set_replicas(1, &[]), Err(Rejection::ReplicaCount));
    check(&mut machine, &set_replicas(1, &[1; 10]), Err(Rejection::ReplicaCount));
    check(&mut machine, &set_replicas(1, &[2, 2]), Err(Rejection::DuplicateReplica { node: NodeId::new(2) }));
    check(&mut machine, &set_replicas(1, &[2, 9]), Err(Rejection::NodeUnknown { node: NodeId::new(9) }));
    check(&mut machine, &set_replicas(2, &[1]), Err(Rejection::ShardUnknown { shard: ShardId::new(2) }));
    check(&mut machine, &draining(1), Ok(Change::Made));
    check(&mut machine, &draining(4), Ok(Change::Made));
    check(&mut machine, &draining(4), Ok(Change::None));
    check(&mut machine, &set_replicas(1, &[1, 2, 3]), Err(Rejection::NodeDraining { node: NodeId::new(1) }));
    check(&mut machine, &set_replicas(1, &[3, 2, 4]), Ok(Change::Made));
}

#[test]
fn slots_move_between_stream_shards() {
    let mut machine = machine(3, 2, 3);
    check(&mut machine, &set_slots(2, range(100, 199)), Ok(Change::Made));
    check(&mut machine, &set_slots(2, range(100, 199)), Ok(Change::None));
    let topology = machine.topology();
    assert_eq!(topology.shard(ShardId::new(1)).expect("shard 1").slots.to_string(), "0-99 200-8191");
    assert_eq!(topology.shard(ShardId::new(2)).expect("shard 2").slots.to_string(), "100-199 8192-16383");
    check(&mut machine, &set_slots(1, range(0, SLOT_COUNT - 1)), Ok(Change::Made));
    assert!(machine.topology().shard(ShardId::new(2)).expect("shard 2").slots.is_empty());
    assert_eq!(
        topology.shard_of(Slot::new(150).expect("a slot")),
        Some(ShardId::new(2)),
        "readers keep theirs"
    );
    check(&mut machine, &set_slots(0, range(0, 1)), Err(Rejection::MetadataOwnsNoSlots));
    check(&mut machine, &set_slots(3, range(0, 1)), Err(Rejection::ShardUnknown { shard: ShardId::new(3) }));
    check(&mut machine, &set_slots(1, SlotRanges::default()), Err(Rejection::NoSlots));
}

#[test]
fn settings_change_together_or_not_at_all() {
    let mut machine = machine(1, 1, 1);
    let set = |pairs: &[(&str, &str)]| Command::set_settings(pairs.iter().copied()).expect("good values");
    let both = set(&[("stream-node-max-entries", "7"), ("stream-node-max-bytes", "1kb")]);
    check(&mut machine, &both, Ok(Change::Made));
    check(&mut machine, &both, Ok(Change::None));
    let topology = machine.topology();
    let settings = topology.settings();
    assert_eq!((settings.stream_node_max_entries(), settings.stream_node_max_bytes()), (7, 1024));
    let bad = BTreeMap::from([(Setting::StreamNodeMaxEntries, 8), (Setting::ClusterRedirects, 2)]);
    let rejection = Rejection::SettingOutOfBounds { name: "cluster-redirects".to_owned(), value: 2 };
    check(&mut machine, &Command::SetSettings(bad), Err(rejection));
    assert_eq!(machine.topology().settings().stream_node_max_entries(), 7);
    assert!(Command::set_setting("no-such-setting", "1").is_err());
}

#[test]
fn nodes_are_bounded() {
    let mut machine = machine(NODES_MAX as u64, 1, 1);
    check(&mut machine, &Command::AddNode(node(NODES_MAX as u64 + 1)), Err(Rejection::NodeCount));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_sequence_of_commands_breaks_an_invariant(commands in commands()) {
        let mut machine = Machine::new();
        for command in &commands {
            let before = machine.clone();
            let outcome = machine.apply(command);
            let (old, new) = (before.topology(), machine.topology());
            prop_assert_eq!(invariants::check(&new), Ok(()));
            match outcome {
                Outcome::Changed { epoch } => {
                    prop_assert_eq!((epoch, new.epoch()), (old.epoch() + 1, epoch));
                    prop_assert_ne!(machine.digest(), before.digest());
                }
                Outcome::Unchanged { epoch } => {
                    prop_assert_eq!(epoch, old.epoch());
                    prop_assert_eq!(&machine, &before);
                }
                Outcome::Rejected(_) => prop_assert_eq!(&machine, &before),
            }
            let ids_gone = old.nodes().keys().filter(|id| !new.nodes().contains_key(id));
            for id in ids_gone {
                prop_assert!(new.is_removed(*id));
            }
        }
    }

    #[test]
    fn a_repeated_command_changes_nothing(commands in commands()) {
        let mut machine = Machine::new();
        for command in &commands {
            machine.apply(command);
            let once = machine.clone();
            let is_changed = matches!(machine.apply(command), Outcome::Changed { .. });
            prop_assert!(!is_changed);
            prop_assert_eq!(&machine, &once);
        }
    }
}
