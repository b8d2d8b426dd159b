//! The node's view of the users, in step with its topology.

use std::sync::Arc;

use parking_lot::RwLock;
use rivermark_acl::password;
use rivermark_cluster::users::{Passwords, User};
use rivermark_cluster::{Topology, Users};

use super::accounts::Accounts;
use super::log::AclLog;

/// Users and refusals of this node.
///
/// Invariant: [`Self::accounts`] of a topology is never older than that topology's users. So whatever is dispatched
/// after the node learned of a change is judged by it.
#[derive(Debug)]
pub struct AccessControl {
    /// What `default` is while the cluster keeps no definition of it.
    initial_default: User,
    accounts: RwLock<Arc<Accounts>>,
    /// ACL LOG.
    pub log: AclLog,
}

impl AccessControl {
    /// Before anything is known of the cluster. The password is that of the configuration.
    pub fn new(requirepass: Option<&str>) -> Self {
        let mut initial_default = User::initial_default();
        if let Some(clear) = requirepass {
            initial_default.passwords = Passwords::AnyOf(vec![password::hash(clear.as_bytes())]);
        }
        let accounts = Accounts::compile(&Users::default(), &initial_default, None);
        Self { initial_default, accounts: RwLock::new(Arc::new(accounts)), log: AclLog::default() }
    }

    /// What `default` is while the cluster keeps no definition of it.
    pub fn initial_default(&self) -> &User {
        &self.initial_default
    }

    /// The users of a topology, or of a later one.
    pub fn accounts(&self, topology: &Topology) -> Arc<Accounts> {
        let version = topology.users().version();
        let known = Arc::clone(&self.accounts.read());
        if known.version() >= version {
            return known;
        }
        let mut accounts = self.accounts.write();
        if accounts.version() < version {
            *accounts = Arc::new(Accounts::compile(topology.users(), &self.initial_default, Some(&accounts)));
        }
        Arc::clone(&accounts)
    }
}
