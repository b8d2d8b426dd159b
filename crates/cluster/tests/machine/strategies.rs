//! Random commands over a small world, so that they meet: nodes 0 to 8, shards 0 to 6.

use bytes::Bytes;
use proptest::prelude::*;
use rivermark_cluster::command::{Bootstrap, SetUser, UpdateNode};
use rivermark_cluster::users::{
    CommandRule, CommandRules, Grant, KeyAccess, KeyPattern, Login, PasswordHash, Passwords, Patterns,
    PayloadChecks, Selector, User,
};
use rivermark_cluster::{Command, Machine, Node, NodeState, Setting, SlotRange, SlotRanges};
use rivermark_types::{NodeId, SLOT_COUNT, ShardId};

pub(crate) fn node(id: u64) -> Node {
    Node {
        id: NodeId::new(id),
        rpc_address: format!("node-{id}:16379"),
        resp_address: format!("node-{id}:6379"),
        resp_tls_address: String::new(),
        http_address: format!("node-{id}:8379"),
        state: NodeState::Active,
    }
}

pub(crate) fn bootstrap(nodes: u64, shards: u32, replication: u32) -> Command {
    Command::Bootstrap(Bootstrap {
        cluster_id: 0x5eed,
        nodes: (1..=nodes).map(node).collect(),
        shards,
        replication,
    })
}

/// A bootstrapped machine.
pub(crate) fn machine(nodes: u64, shards: u32, replication: u32) -> Machine {
    let mut machine = Machine::new();
    machine.apply(&bootstrap(nodes, shards, replication)).into_result().expect("a good bootstrap");
    machine
}

fn node_id() -> impl Strategy<Value = NodeId> {
    (0u64..=8).prop_map(NodeId::new)
}

fn shard_id() -> impl Strategy<Value = ShardId> {
    (0u32..=6).prop_map(ShardId::new)
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (1u8..=4, 1u16..=3).prop_map(|(host, port)| format!("10.0.0.{host}:{port}")),
        1 => Just("[::1]:6379".to_owned()),
        1 => Just(String::new()),
        1 => Just("no address".to_owned()),
    ]
}

fn state() -> impl Strategy<Value = NodeState> {
    prop_oneof![3 => Just(NodeState::Active), 1 => Just(NodeState::Draining)]
}

fn any_node() -> impl Strategy<Value = Node> {
    let fields = (node_id(), address(), address(), address(), address(), state());
    let odd = fields.prop_map(|(id, rpc_address, resp_address, resp_tls_address, http_address, state)| {
        Node { id, rpc_address, resp_address, resp_tls_address, http_address, state }
    });
    prop_oneof![3 => (1u64..=8).prop_map(node), 1 => odd]
}

pub(crate) fn slots() -> impl Strategy<Value = SlotRanges> {
    let range = (0..SLOT_COUNT, 0u16..4000).prop_map(|(first, more)| {
        SlotRange::of_numbers(first, first.saturating_add(more).min(SLOT_COUNT - 1)).expect("ascending")
    });
    prop::collection::vec(range, 0..4).prop_map(|ranges| ranges.into_iter().collect())
}

fn any_bootstrap() -> impl Strategy<Value = Command> {
    let fields = (0u128..3, prop::collection::vec(any_node(), 0..6), 0u32..7, 0u32..5);
    fields.prop_map(|(cluster_id, nodes, shards, replication)| {
        Command::Bootstrap(Bootstrap { cluster_id, nodes, shards, replication })
    })
}

fn word() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        8 => prop::sample::select(&["a", "b*", "@stream", "xadd", ""][..]).prop_map(Bytes::from),
        1 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Bytes::from),
    ]
}

fn patterns<T: std::fmt::Debug + Clone>(
    item: impl Strategy<Value = T>,
) -> impl Strategy<Value = Patterns<T>> {
    let some = prop::collection::vec(item, 0..3).prop_map(Patterns::Some);
    prop_oneof![1 => Just(Patterns::All), 3 => some]
}

fn selector() -> impl Strategy<Value = Selector> {
    let grant = || prop::sample::select(&[Grant::Allow, Grant::Deny][..]);
    let access = prop::sample::select(&[KeyAccess::Read, KeyAccess::Write, KeyAccess::ReadWrite][..]);
    let rule = (grant(), word()).prop_map(|(grant, subject)| CommandRule { grant, subject });
    let key = (access, word()).prop_map(|(access, pattern)| KeyPattern { access, pattern });
    let commands = (grant(), prop::collection::vec(rule, 0..3));
    (commands, patterns(key), patterns(word())).prop_map(|((base, rules), keys, channels)| Selector {
        commands: CommandRules { base, rules },
        keys,
        channels,
    })
}

pub(crate) fn user() -> impl Strategy<Value = User> {
    let hashes = prop::collection::vec(any::<[u8; 32]>().prop_map(PasswordHash), 0..3);
    let passwords = prop_oneof![1 => Just(Passwords::NotAsked), 2 => hashes.prop_map(Passwords::AnyOf)];
    let login = prop::sample::select(&[Login::Enabled, Login::Disabled][..]);
    let checks = prop::sample::select(&[PayloadChecks::Full, PayloadChecks::Skipped][..]);
    (login, passwords, checks, selector(), prop::collection::vec(selector(), 0..2)).prop_map(
        |(login, passwords, payload_checks, root, selectors)| User {
            login,
            passwords,
            payload_checks,
            root,
            selectors,
        },
    )
}

fn user_name() -> impl Strategy<Value = Bytes> {
    prop::sample::select(&["default", "bob", "eve"][..]).prop_map(Bytes::from)
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let update = (node_id(), address(), address(), address(), address()).prop_map(
        |(node, rpc_address, resp_address, resp_tls_address, http_address)| {
            Command::UpdateNode(UpdateNode {
                node,
                rpc_address,
                resp_address,
                resp_tls_address,
                http_address,
            })
        },
    );
    let setting = prop::sample::select(&Setting::ALL[..]);
    let value = prop_oneof![0u64..3, 90u64..110, any::<u64>()];
    prop_oneof![
        1 => any_bootstrap(),
        3 => any_node().prop_map(Command::AddNode),
        2 => update,
        2 => (node_id(), state()).prop_map(|(node, state)| Command::SetNodeState { node, state }),
        2 => node_id().prop_map(Command::RemoveNode),
        4 => (shard_id(), prop::collection::vec(node_id(), 0..5))
            .prop_map(|(shard, replicas)| Command::SetReplicas { shard, replicas }),
        3 => (shard_id(), slots()).prop_map(|(shard, slots)| Command::SetSlots { shard, slots }),
        2 => prop::collection::btree_map(setting, value, 0..3).prop_map(Command::SetSettings),
        4 => (user_name(), 0u64..8, user())
            .prop_map(|(name, replaces, user)| Command::SetUser(SetUser { name, replaces, user })),
        1 => prop::collection::btree_set(user_name(), 0..3).prop_map(Command::RemoveUsers),
    ]
}

/// A good bootstrap most of the time, then anything.
pub(crate) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let first = prop_oneof![
        4 => (3u64..6, 1u32..6, 1u32..4).prop_map(|(nodes, shards, replicas)| bootstrap(nodes, shards, replicas)),
        1 => command(),
    ];
    (first, prop::collection::vec(command(), 0..40)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}
