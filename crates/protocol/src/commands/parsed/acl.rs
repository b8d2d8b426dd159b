//! ACL's subcommands.

use std::fmt;

use bytes::Bytes;

use crate::resp::Request;

/// What concerns users. WHOAMI is about the connection ([`super::ConnectionCommand::WhoAmI`]); CAT and HELP
/// depend on nothing and are answered at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclCommand {
    /// ACL SETUSER: `+OK`.
    SetUser(UserChange),
    /// ACL DELUSER: how many there were.
    DeleteUsers(Vec<Bytes>),
    /// ACL GETUSER: the user's definition as a map, or null.
    GetUser(Bytes),
    /// ACL LIST: every user in one line of rules.
    List,
    /// ACL USERS: the names.
    Users,
    /// ACL DRYRUN: `+OK`, or why the user may not.
    DryRun {
        /// Whose rights.
        user: Bytes,
        /// What it would run.
        request: Request,
    },
    /// ACL LOG: the latest entries, at most so many.
    Log(usize),
    /// ACL LOG RESET.
    LogReset,
    /// ACL GENPASS: so many bits.
    GeneratePassword(u32),
}

/// ACL SETUSER's arguments. The rules are not shown by `Debug`: passwords are among them.
#[derive(Clone, PartialEq, Eq)]
pub struct UserChange {
    /// Whom.
    pub name: Bytes,
    /// The rules as sent.
    pub rules: Vec<Bytes>,
}

impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange").field("name", &self.name).finish_non_exhaustive()
    }
}
