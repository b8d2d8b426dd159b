//! Users: none is lost to a change made at the same time, and the bounds hold.

use bytes::Bytes;
use rivermark_cluster::command::SetUser;
use rivermark_cluster::users::{KeyAccess, KeyPattern, Login, Patterns, Selector};
use rivermark_cluster::{Command, Machine, Outcome, Rejection, User, invariants};
use rivermark_types::limits::{USER_BYTES_MAX, USERS_BYTES_MAX};

use crate::strategies::machine;

fn set(machine: &mut Machine, name: &str, replaces: u64, user: User) -> Outcome {
    let name = Bytes::copy_from_slice(name.as_bytes());
    let outcome = machine.apply(&Command::SetUser(SetUser { name, replaces, user }));
    assert_eq!(invariants::check(&machine.topology()), Ok(()));
    outcome
}

fn enabled() -> User {
    User { login: Login::Enabled, ..User::default() }
}

fn with_pattern(bytes: usize) -> User {
    let pattern = KeyPattern { access: KeyAccess::Read, pattern: vec![b'x'; bytes].into() };
    let root = Selector { keys: Patterns::Some(vec![pattern]), ..Selector::default() };
    User { root, ..User::default() }
}

#[test]
fn a_user_is_made_changed_and_removed() {
    let mut machine = machine(3, 1, 3);
    let created = machine.topology().epoch() + 1;
    assert_eq!(set(&mut machine, "bob", 0, User::default()), Outcome::Changed { epoch: created });
    assert_eq!(set(&mut machine, "bob", created, enabled()), Outcome::Changed { epoch: created + 1 });
    let topology = machine.topology();
    let bob = topology.users().get(b"bob").expect("made");
    assert_eq!((bob.created, bob.revision, topology.users().version()), (created, created + 1, created + 1));
    let remove = Command::RemoveUsers(["bob".into(), "nobody".into()].into());
    assert_eq!(machine.apply(&remove), Outcome::Changed { epoch: created + 2 });
    assert_eq!(machine.topology().users().version(), created + 2);
    assert_eq!(machine.apply(&remove), Outcome::Unchanged { epoch: created + 2 });
    assert_eq!(set(&mut machine, "bob", 0, enabled()), Outcome::Changed { epoch: created + 3 });
    assert_eq!(machine.topology().users().get(b"bob").map(|bob| bob.created), Some(created + 3));
}

#[test]
fn of_two_changes_made_from_one_revision_the_second_is_refused() {
    let mut machine = machine(3, 1, 3);
    let changed = Outcome::Rejected(Rejection::UserChanged);
    set(&mut machine, "bob", 0, User::default());
    let revision = machine.topology().epoch();
    assert_eq!(set(&mut machine, "bob", 0, enabled()), changed);
    assert_eq!(set(&mut machine, "bob", revision, enabled()), Outcome::Changed { epoch: revision + 1 });
    assert_eq!(set(&mut machine, "bob", revision, with_pattern(1)), changed);
    assert_eq!(set(&mut machine, "nobody", revision, enabled()), changed);
    // A repetition after an unknown outcome finds the user as wanted.
    assert_eq!(set(&mut machine, "bob", revision, enabled()), Outcome::Unchanged { epoch: revision + 1 });
}

#[test]
fn the_default_user_stays() {
    let mut machine = machine(3, 1, 3);
    set(&mut machine, "default", 0, enabled());
    set(&mut machine, "bob", 0, enabled());
    let before = machine.clone();
    let remove = Command::RemoveUsers(["bob".into(), "default".into()].into());
    assert_eq!(machine.apply(&remove), Outcome::Rejected(Rejection::DefaultUserStays));
    assert_eq!(machine, before);
}

#[test]
fn definitions_are_bounded_each_and_together() {
    let mut machine = machine(3, 1, 3);
    // Beside a pattern's text: 16 bytes each for the name, the pattern and twice for the selector.
    let text = |name: &str| USER_BYTES_MAX - 64 - name.len();
    let refused = Outcome::Rejected(Rejection::UserTooLarge);
    assert_eq!(set(&mut machine, "a", 0, with_pattern(text("a") + 1)), refused);
    for number in 0..USERS_BYTES_MAX / USER_BYTES_MAX {
        let name = format!("user-{number}");
        assert!(set(&mut machine, &name, 0, with_pattern(text(&name))).into_result().is_ok(), "{name}");
    }
    let refused = Outcome::Rejected(Rejection::UsersTooLarge);
    assert_eq!(set(&mut machine, "one-more", 0, User::default()), refused);
    machine.apply(&Command::RemoveUsers(["user-0".into()].into()));
    assert!(set(&mut machine, "one-more", 0, User::default()).into_result().is_ok());
}

#[test]
fn nobody_is_defined_before_the_cluster_is() {
    let mut machine = Machine::new();
    let name = Bytes::from_static(b"bob");
    let set = Command::SetUser(SetUser { name, replaces: 0, user: enabled() });
    assert_eq!(machine.apply(&set), Outcome::Rejected(Rejection::NotBootstrapped));
}
