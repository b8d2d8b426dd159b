//! Whether a user may run a request, and what it is told and the log notes if not.

use bytes::Bytes;
use rivermark_acl::Denial;
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{ReplyError, Request};
use rivermark_types::limits::ACL_LOG_TEXT_BYTES_MAX;

use crate::access::{Account, Attempt, Context, Reason};
use crate::clients::Client;
use crate::clock::unix_ms;
use crate::node::Node;

/// Whether a user may run a request. Costs next to nothing for a user that may do everything.
///
/// # Errors
/// It may not; the log has it.
pub fn authorise(
    node: &Node,
    client: &Client,
    account: &Account,
    spec: &'static CommandSpec,
    request: &Request,
    context: Context,
) -> Result<(), ReplyError> {
    judge(node, client, account, spec, request, context).map_err(|denial| match denial {
        Denial::Command => {
            ReplyError::CommandForbidden(account.name().clone(), Bytes::from_static(spec.name.as_bytes()))
        }
        Denial::Key(_) => ReplyError::KeyForbidden,
    })
}

/// The same at EXEC, for a command queued before: the rights may have changed since.
///
/// # Errors
/// It may not any more; the log has it.
pub fn authorise_queued(
    node: &Node,
    client: &Client,
    account: &Account,
    spec: &'static CommandSpec,
    request: &Request,
) -> Result<(), ReplyError> {
    judge(node, client, account, spec, request, Context::Multi).map_err(|denial| {
        let reason: &'static [u8] = match denial {
            Denial::Command => b"no permission to run the command or subcommand",
            Denial::Key(_) => b"no permission to touch the specified keys",
        };
        ReplyError::QueuedForbidden(Bytes::from_static(reason))
    })
}

/// What ACL DRYRUN says of a denial.
pub fn told_of(denial: Denial, user: &[u8], spec: &CommandSpec, request: &Request) -> Bytes {
    let (what, object, kind): (&[u8], &[u8], &[u8]) = match denial {
        Denial::Command => (b"run", spec.name.as_bytes(), b"command"),
        Denial::Key(index) => (b"access", request.get(index).unwrap_or_default(), b"key"),
    };
    [b"User ", user, b" has no permissions to ", what, b" the '", object, b"' ", kind].concat().into()
}

/// Notes a login that failed.
pub fn note_failed_login(node: &Node, client: &Client, username: &Bytes, command: &Bytes, context: Context) {
    let attempt = Attempt { reason: Reason::Auth, context, object: cut(command), username: cut(username) };
    node.access.log.note(attempt, unix_ms(), client.line(), node.tunables.acl_log_entries_max());
}

/// What the log keeps of a text that a client sent, in memory of its own.
fn cut(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&text[..text.len().min(ACL_LOG_TEXT_BYTES_MAX)])
}

/// Checks a request and notes what is denied.
fn judge(
    node: &Node,
    client: &Client,
    account: &Account,
    spec: &'static CommandSpec,
    request: &Request,
    context: Context,
) -> Result<(), Denial> {
    account.permissions().check(spec, request).inspect_err(|denial| {
        let (reason, object) = match denial {
            Denial::Command => (Reason::Command, Bytes::from_static(spec.name.as_bytes())),
            Denial::Key(index) => (Reason::Key, cut(request.get(*index).unwrap_or_default())),
        };
        let attempt = Attempt { reason, context, object, username: account.name().clone() };
        node.access.log.note(attempt, unix_ms(), client.line(), node.tunables.acl_log_entries_max());
    })
}
