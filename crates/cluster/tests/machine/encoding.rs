//! Bytes: what was written comes back, what was not written is refused, and nothing panics.

use proptest::prelude::*;
use rivermark_cluster::command::SetUser;
use rivermark_cluster::users::{
    CommandRule, CommandRules, Grant, KeyAccess, KeyPattern, Login, PasswordHash, Passwords, Patterns,
    PayloadChecks, Selector, User,
};
use rivermark_cluster::{
    Command, DecodeError, Machine, Node, Outcome, Rejection, Setting, Topology, invariants,
};
use rivermark_types::{NodeId, ShardId};

use crate::strategies::{command, commands, machine, node};

fn rejections() -> Vec<Rejection> {
    let (node, shard) = (NodeId::new(7), ShardId::new(9));
    vec![
        Rejection::NotBootstrapped,
        Rejection::AlreadyBootstrapped { cluster_id: u128::MAX - 5 },
        Rejection::NodeCount,
        Rejection::ShardCount,
        Rejection::ReplicaCount,
        Rejection::NodeIdZero,
        Rejection::BadAddress { node },
        Rejection::NodeExists { node },
        Rejection::NodeRemoved { node },
        Rejection::NodeUnknown { node },
        Rejection::NodeHoldsReplica { node, shard },
        Rejection::NodeDraining { node },
        Rejection::ShardUnknown { shard },
        Rejection::DuplicateReplica { node },
        Rejection::MetadataOwnsNoSlots,
        Rejection::NoSlots,
        Rejection::UserChanged,
        Rejection::UserTooLarge,
        Rejection::UsersTooLarge,
        Rejection::DefaultUserStays,
        Rejection::SettingOutOfBounds { name: "cluster-redirects".to_owned(), value: 2 },
    ]
}

#[test]
fn outcomes_come_back() {
    let counted = [Outcome::Changed { epoch: 1 }, Outcome::Unchanged { epoch: u64::MAX }];
    for outcome in counted.into_iter().chain(rejections().into_iter().map(Outcome::Rejected)) {
        assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
    }
}

#[test]
fn the_encoding_is_durable() {
    // Written by the first release. If this fails, logs and snapshots of running clusters cannot be read.
    let bytes = Command::AddNode(node(300)).encode();
    let expected = b"\x01\x02\x35\x01\x02\xac\x02\x02\x0enode-300:16379\x03\x0dnode-300:6379\x04\x0dnode-300:8379\x05\x01\x01";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    let with_tls = Node { resp_tls_address: "n:1".to_owned(), ..node(300) };
    let bytes = Command::AddNode(with_tls).encode();
    assert!(bytes.ends_with(b"\x05\x01\x01\x06\x03n:1"), "{}", bytes.escape_ascii());
    assert_eq!(Command::RemoveNode(NodeId::new(1)).encode()[..], *b"\x01\x05\x03\x01\x01\x01");
    assert_eq!(machine(3, 3, 3).digest(), 0x0fba_7195_4446_f1f1);
    let set = Command::SetUser(SetUser { name: "bob".into(), replaces: 7, user: every_mark() });
    let bytes = set.encode();
    assert_eq!(bytes.escape_ascii().to_string(), SET_USER);
    let removal = Command::RemoveUsers(["bob".into(), "eve".into()].into());
    assert_eq!(removal.encode()[..], *b"\x01\x0a\x0a\x01\x03bob\x01\x03eve");
}

/// [`every_mark`], made anew over revision 7.
const SET_USER: &str = "\\x01\\tj\\x01\\x03bob\\x02\\x01\\x07\\x03`\\x01\\x01\\x01\\x03 \\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x07\\x04\\x01\\x01\\x05#\\x01\\x01\\x01\\x02\\x0b\\x01\\x01\\x00\\x02\\x06@admin\\x04\\x06\\x01\\x01\\x01\\x02\\x01a\\x04\\x06\\x01\\x01\\x02\\x02\\x01b\\x05\\x01\\x01\\x06\\x11\\x02\\t\\x01\\x01\\x01\\x02\\x04xadd\\x03\\x01\\x01\\x06\\x01c";

/// A user in which every field differs from the default.
fn every_mark() -> User {
    let key = |access, pattern: &'static str| KeyPattern { access, pattern: pattern.into() };
    let rule = |grant, subject: &'static str| CommandRule { grant, subject: subject.into() };
    let root = Selector {
        commands: CommandRules { base: Grant::Allow, rules: vec![rule(Grant::Deny, "@admin")] },
        keys: Patterns::Some(vec![key(KeyAccess::Read, "a"), key(KeyAccess::Write, "b")]),
        channels: Patterns::All,
    };
    let other = Selector {
        commands: CommandRules { base: Grant::Deny, rules: vec![rule(Grant::Allow, "xadd")] },
        keys: Patterns::All,
        channels: Patterns::Some(vec!["c".into()]),
    };
    User {
        login: Login::Enabled,
        passwords: Passwords::AnyOf(vec![PasswordHash([7; 32])]),
        payload_checks: PayloadChecks::Skipped,
        root,
        selectors: vec![other],
    }
}

#[test]
fn users_are_part_of_the_state_and_of_what_followers_are_told() {
    let mut changed = machine(1, 1, 1);
    changed.apply(&Command::SetUser(SetUser { name: "bob".into(), replaces: 0, user: every_mark() }));
    changed.apply(&Command::SetUser(SetUser { name: "eve".into(), replaces: 0, user: User::default() }));
    let topology = changed.topology();
    assert_eq!(Topology::decode(&topology.encode()).as_ref(), Ok(&*topology));
    assert_eq!(topology.users().get(b"bob").map(|record| &record.user), Some(&every_mark()));
    assert_eq!(Machine::restore(&changed.snapshot()), Ok(changed));
}

#[test]
fn newer_bytes_are_refused_where_skipping_would_diverge() {
    let snapshot = machine(3, 1, 3).snapshot();
    let topology = machine(3, 1, 3).topology().encode();
    let with_field = |bytes: &[u8]| [bytes, b"\x7f\x02hi"].concat();

    let unknown = |what| DecodeError::Unknown { what, number: 0x7f };
    assert_eq!(Machine::restore(&with_field(&snapshot)), Err(unknown("snapshot field")));
    assert_eq!(Command::decode(b"\x01\x7f\x00"), Err(unknown("command")));
    assert_eq!(Command::decode(b"\x01\x05\x06\x01\x01\x01\x7f\x01x"), Err(unknown("node removal field")));
    assert_eq!(Topology::decode(&with_field(&topology)), Ok((*machine(3, 1, 3).topology()).clone()));
    assert_eq!(Command::decode(b"\x02"), Err(DecodeError::Version(2)));
    assert_eq!(Command::decode(b""), Err(DecodeError::Malformed));
    assert_eq!(Command::decode(b"\x01"), Err(DecodeError::Missing("command")));
}

#[test]
fn a_snapshot_that_states_the_impossible_is_refused() {
    let bytes = machine(3, 1, 3).snapshot();
    // The last node id of the last replica list: 1, as one byte of content behind tag 2.
    let at = bytes
        .windows(6)
        .rposition(|window| window == b"\x02\x01\x01\x03\x07\x01")
        .expect("shard 1's replicas");
    let mut bad = bytes.to_vec();
    bad[at + 2] = 9;
    assert!(
        matches!(Machine::restore(&bad), Err(DecodeError::Inconsistent(_))),
        "{:?}",
        Machine::restore(&bad)
    );
}

#[test]
fn settings_are_part_of_the_state() {
    let mut changed = machine(1, 1, 1);
    changed.apply(&Command::SetSettings([(Setting::StreamNodeMaxEntries, 1)].into()));
    assert_eq!(Machine::restore(&changed.snapshot()), Ok(changed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn commands_come_back(command in command()) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn machines_come_back_and_agree(commands in commands(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(commands.len());
        let (mut first, mut second) = (Machine::new(), Machine::new());
        for (i, command) in commands.iter().enumerate() {
            if i == cut {
                second = Machine::restore(&second.snapshot()).expect("its own snapshot");
            }
            let decoded = Command::decode(&command.encode()).expect("its own encoding");
            prop_assert_eq!(first.apply(command), second.apply(&decoded));
        }
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(first.digest(), second.digest());
        let topology = first.topology();
        prop_assert_eq!(Topology::decode(&topology.encode()), Ok((*topology).clone()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for version in [None, Some(1)] {
            if let (Some(version), Some(first)) = (version, bytes.first_mut()) {
                *first = version;
            }
            let _ = Command::decode(&bytes);
            let _ = Outcome::decode(&bytes);
            let _ = Topology::decode(&bytes);
            let _ = Machine::restore(&bytes);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_sound(
        commands in commands(),
        at in any::<prop::sample::Index>(),
        value: u8,
        end in any::<prop::sample::Index>(),
    ) {
        let mut machine = Machine::new();
        commands.iter().for_each(|command| { machine.apply(command); });
        let mut bytes = machine.snapshot().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(restored) = Machine::restore(&bytes) {
            prop_assert_eq!(invariants::check(&restored.topology()), Ok(()));
        }
        let _ = Machine::restore(&bytes[..end.index(bytes.len())]);
        for command in &commands {
            let mut bytes = command.encode().to_vec();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(decoded) = Command::decode(&bytes) {
                machine.apply(&decoded);
                prop_assert_eq!(invariants::check(&machine.topology()), Ok(()));
            }
        }
    }
}
