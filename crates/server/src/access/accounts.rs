//! The users of the cluster at one version, compiled for this node.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rivermark_acl::{Permissions, password};
use rivermark_cluster::users::{DEFAULT_USER, Login, Passwords, User, UserRecord, Users};

/// A user that can be logged in as.
#[derive(Debug)]
pub struct Account {
    name: Bytes,
    /// The epoch that made the user: one of the same name made later is another. Zero for `default`, which always
    /// is the same.
    created: u64,
    /// The epoch of its latest change; zero while nobody changed it.
    revision: u64,
    login: Login,
    passwords: Passwords,
    permissions: Permissions,
}

impl Account {
    fn of_record(name: &Bytes, record: &UserRecord) -> Self {
        let created = if name == DEFAULT_USER { 0 } else { record.created };
        Self { created, revision: record.revision, ..Self::new(name.clone(), &record.user) }
    }

    fn new(name: Bytes, user: &User) -> Self {
        Self {
            name,
            created: 0,
            revision: 0,
            login: user.login,
            passwords: user.passwords.clone(),
            permissions: Permissions::of(user),
        }
    }

    /// The user's name.
    pub fn name(&self) -> &Bytes {
        &self.name
    }

    /// What it may do.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Whether any password does, `nopass`.
    pub fn asks_no_password(&self) -> bool {
        self.passwords == Passwords::NotAsked
    }

    /// Whether who connects is this user without further ado; asked of `default`.
    pub fn is_open(&self) -> bool {
        self.login == Login::Enabled && self.asks_no_password()
    }

    /// Whether one may log in with this password.
    pub fn accepts(&self, given: &[u8]) -> bool {
        self.login == Login::Enabled && password::is_accepted(&self.passwords, given)
    }
}

/// All users.
#[derive(Debug)]
pub struct Accounts {
    version: u64,
    by_name: BTreeMap<Bytes, Arc<Account>>,
    default: Arc<Account>,
}

impl Accounts {
    /// Compiles the users; those that did not change since `former` are taken over.
    pub fn compile(users: &Users, initial_default: &User, former: Option<&Self>) -> Self {
        let compiled = |name: &Bytes, record: &UserRecord| {
            let same = former.and_then(|former| former.by_name.get(name));
            let same = same.filter(|account| account.revision == record.revision);
            same.cloned().unwrap_or_else(|| Arc::new(Account::of_record(name, record)))
        };
        let by_name: BTreeMap<_, _> =
            users.iter().map(|(name, record)| (name.clone(), compiled(name, record))).collect();
        let default = by_name.get(DEFAULT_USER).cloned();
        let default = default
            .unwrap_or_else(|| Arc::new(Account::new(Bytes::from_static(DEFAULT_USER), initial_default)));
        Self { version: users.version(), by_name, default }
    }

    /// That of the users compiled.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whom connections begin as.
    pub fn default_user(&self) -> &Arc<Account> {
        &self.default
    }

    /// The user of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Account>> {
        if name == DEFAULT_USER { Some(&self.default) } else { self.by_name.get(name) }
    }

    /// The same user as it is now; `None` if it was deleted, even if there is another of its name.
    pub fn present(&self, account: &Account) -> Option<&Arc<Account>> {
        self.get(&account.name).filter(|now| now.created == account.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivermark_cluster::command::{Bootstrap, SetUser};
    use rivermark_cluster::{Command, Machine, Node, NodeState};
    use rivermark_types::NodeId;

    fn cluster() -> Machine {
        let mut machine = Machine::new();
        let node = Node {
            id: NodeId::new(1),
            rpc_address: "a:1".to_owned(),
            resp_address: "a:2".to_owned(),
            resp_tls_address: String::new(),
            http_address: String::new(),
            state: NodeState::Active,
        };
        let bootstrap = Bootstrap { cluster_id: 1, nodes: vec![node], shards: 1, replication: 1 };
        machine.apply(&Command::Bootstrap(bootstrap)).into_result().expect("a good bootstrap");
        machine
    }

    fn set(machine: &mut Machine, name: &'static str, user: User) {
        let topology = machine.topology();
        let replaces = topology.users().get(name.as_bytes()).map_or(0, |record| record.revision);
        let set = SetUser { name: Bytes::from_static(name.as_bytes()), replaces, user };
        machine.apply(&Command::SetUser(set)).into_result().expect("a good user");
    }

    fn compile(machine: &Machine, former: Option<&Accounts>) -> Accounts {
        Accounts::compile(machine.topology().users(), &User::initial_default(), former)
    }

    #[test]
    fn a_user_made_again_is_another() {
        let mut machine = cluster();
        set(&mut machine, "bob", User::default());
        let first = compile(&machine, None);
        let bob = first.get(b"bob").expect("just made");
        set(&mut machine, "bob", User { login: Login::Enabled, ..User::default() });
        let second = compile(&machine, Some(&first));
        assert!(second.present(bob).is_some_and(|now| now.login == Login::Enabled));
        machine.apply(&Command::RemoveUsers([Bytes::from_static(b"bob")].into()));
        assert!(compile(&machine, Some(&second)).present(bob).is_none());
        set(&mut machine, "bob", User::default());
        let again = compile(&machine, Some(&second));
        assert!(again.present(bob).is_none() && again.get(b"bob").is_some());
    }

    #[test]
    fn default_is_there_before_and_after_it_is_changed() {
        let mut machine = cluster();
        let before = compile(&machine, None);
        assert!(before.default_user().is_open() && before.default_user().permissions().is_unrestricted());
        set(&mut machine, "default", User::default());
        let after = compile(&machine, Some(&before));
        assert!(!after.default_user().is_open());
        assert!(after.present(before.default_user()).is_some(), "it is the same user");
    }

    #[test]
    fn what_did_not_change_is_not_compiled_again() {
        let mut machine = cluster();
        set(&mut machine, "bob", User::default());
        let before = compile(&machine, None);
        set(&mut machine, "eve", User::default());
        let after = compile(&machine, Some(&before));
        let bob = |accounts: &Accounts| Arc::clone(accounts.get(b"bob").expect("there"));
        assert!(Arc::ptr_eq(&bob(&before), &bob(&after)));
    }
}
