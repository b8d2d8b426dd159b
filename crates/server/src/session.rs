//! What a connection remembers between commands. Owned by the connection's task, shared with nobody.

use std::sync::Arc;

use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{Protocol, Request};
use rivermark_types::{DatabaseIndex, StreamKey};

use crate::access::{Account, Accounts};
use crate::monitors::Watching;

/// The state commands of one connection see and change.
#[derive(Debug)]
pub struct Session {
    /// RESP2 until HELLO 3.
    pub protocol: Protocol,
    /// SELECT.
    pub database: DatabaseIndex,
    /// Whom the connection acts for: `default` until it logged in.
    pub account: Arc<Account>,
    /// Whether it logged in, or came in while nobody was asked to.
    pub authenticated: bool,
    /// The users by which `account` was last brought up to date.
    users_version: u64,
    /// Between MULTI and EXEC.
    pub transaction: Option<Queue>,
    /// WATCHed keys and their versions at the time.
    pub watches: Vec<(StreamKey, u64)>,
    /// MONITOR, while the connection is shown commands.
    pub monitor: Option<Watching>,
    /// CLIENT REPLY.
    pub replies: Replies,
    /// The client asked for the end of the connection.
    pub quit: bool,
}

/// Commands queued by MULTI.
#[derive(Debug, Default)]
pub struct Queue {
    /// In order, all of known commands.
    pub commands: Vec<(&'static CommandSpec, Request)>,
    /// Bytes of the queued requests.
    pub bytes: usize,
    /// A command could not be queued: EXEC answers EXECABORT.
    pub poisoned: bool,
}

/// Whether the cluster's users are known. Who connects to a node before it joined its cluster is not taken for
/// logged in for that: the cluster may want a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsersKnown {
    /// The node has a topology.
    Yes,
    /// Not yet.
    No,
}

/// CLIENT REPLY's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// Sent.
    On,
    /// Not sent.
    Off,
    /// The reply to the next command is not sent.
    SkipNext,
}

impl Session {
    /// A new connection's.
    pub fn new(accounts: &Accounts, users: UsersKnown) -> Self {
        let account = Arc::clone(accounts.default_user());
        Self {
            protocol: Protocol::Resp2,
            database: DatabaseIndex::default(),
            authenticated: users == UsersKnown::Yes && account.is_open(),
            account,
            users_version: accounts.version(),
            transaction: None,
            watches: Vec::new(),
            monitor: None,
            replies: Replies::On,
            quit: false,
        }
    }

    /// RESET: as new, except for the connection itself.
    pub fn reset(&mut self, accounts: &Accounts, users: UsersKnown) {
        *self = Self::new(accounts, users);
    }

    /// Whether commands may be run at all: after a login, or while `default` needs none.
    pub fn is_let_in(&self) -> bool {
        self.authenticated || self.account.is_open()
    }

    /// Whether the users changed since this was last brought up to date.
    pub fn is_behind(&self, users_version: u64) -> bool {
        self.users_version < users_version
    }

    /// Goes on with the user as it is now. Without it there is nothing to go on with: the session is `default`'s,
    /// not logged in, and ends.
    pub fn follow(&mut self, accounts: &Accounts) {
        self.users_version = accounts.version();
        match accounts.present(&self.account) {
            Some(account) => self.account = Arc::clone(account),
            None => {
                self.account = Arc::clone(accounts.default_user());
                self.authenticated = false;
                self.quit = true;
            }
        }
    }

    /// Whether the reply to the command now dispatched is held back; uses up CLIENT REPLY SKIP.
    pub fn take_muted(&mut self) -> bool {
        match self.replies {
            Replies::On => false,
            Replies::Off => true,
            Replies::SkipNext => {
                self.replies = Replies::On;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivermark_cluster::{User, Users};

    fn accounts(default: &User) -> Accounts {
        Accounts::compile(&Users::default(), default, None)
    }

    #[test]
    fn who_came_before_the_users_were_known_is_let_in_only_while_nobody_has_to_log_in() {
        let (open, closed) = (User::initial_default(), User::default());
        for (users, stays) in [(UsersKnown::Yes, true), (UsersKnown::No, false)] {
            let mut session = Session::new(&accounts(&open), users);
            assert!(session.is_let_in());
            session.follow(&accounts(&closed));
            assert_eq!((session.is_let_in(), session.quit), (stays, false), "{users:?}");
        }
        assert!(!Session::new(&accounts(&closed), UsersKnown::Yes).is_let_in());
    }
}
