//! Who may do what on this node: the cluster's users compiled, who is logged in, and what was refused.

mod accounts;
mod control;
mod log;
mod permit;
mod retire;

pub use accounts::{Account, Accounts};
pub use control::AccessControl;
pub use log::{AclLog, Attempt, Context, Entry, Reason};
pub use permit::Permit;
pub use retire::retire_connections_of_deleted_users;
