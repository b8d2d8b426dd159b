//! ACL and its subcommands. Users belong to the cluster: what changes them is proposed to the metadata shard, what
//! shows them is answered from the topology this node knows.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rivermark_acl::password::hash_text;
use rivermark_acl::{RuleError, describe, rules};
use rivermark_cluster::command::SetUser;
use rivermark_cluster::users::{DEFAULT_USER, Selector, User};
use rivermark_cluster::{Command, Rejection, Topology};
use rivermark_protocol::commands::parsed::{AclCommand, UserChange};
use rivermark_protocol::commands::resolve;
use rivermark_protocol::{Frame, ReplyError, Request};
use rivermark_types::limits::USER_BYTES_MAX;
use tokio::time::timeout;

use crate::access::Entry;
use crate::clock::unix_ms;
use crate::execute::authorise::told_of;
use crate::node::Node;
use crate::reply::{internal, metadata_error};
use crate::scatter::check_bootstrapped;

/// How often a change is made anew because somebody else was faster.
const ATTEMPTS_MAX: usize = 16;
/// How long a change waits for the other nodes to know of it.
const TELLING_MAX: Duration = Duration::from_secs(1);

/// Runs one of them.
///
/// # Errors
/// What the client is told.
pub async fn execute(node: &Node, command: AclCommand) -> Result<Frame, ReplyError> {
    Ok(match command {
        AclCommand::SetUser(change) => {
            change_user(node, &change).await?;
            Frame::OK
        }
        AclCommand::DeleteUsers(names) => Frame::Integer(delete_users(node, &names).await?),
        AclCommand::GetUser(name) => user(node, &node.topology(), &name).map_or(Frame::Null, |u| shown(&u)),
        AclCommand::List => Frame::Array(all(node).iter().map(|(name, user)| line(name, user)).collect()),
        AclCommand::Users => Frame::Array(all(node).into_iter().map(|(name, _)| Frame::Bulk(name)).collect()),
        AclCommand::DryRun { user, request } => dry_run(node, &user, &request)?,
        AclCommand::Log(count) => {
            let now_ms = unix_ms();
            Frame::Array(node.access.log.newest(count).iter().map(|entry| log_entry(entry, now_ms)).collect())
        }
        AclCommand::LogReset => {
            node.access.log.reset();
            Frame::OK
        }
        AclCommand::GeneratePassword(bits) => Frame::text(random_digits(bits)),
    })
}

/// ACL SETUSER, and CONFIG SET requirepass. Applied to the user as it is when the metadata shard takes the change:
/// if somebody else changed it meanwhile, the rules are applied anew.
///
/// # Errors
/// A rule that is wrong, a definition too large, or a cluster without a leader.
pub async fn change_user(node: &Node, change: &UserChange) -> Result<(), ReplyError> {
    if !rules::is_user_name(&change.name) {
        return Err(ReplyError::UserNameInvalid);
    }
    // Each rule is compared with those before it: their number is bounded before they are applied.
    if change.rules.iter().map(|rule| rule.len() + 1).sum::<usize>() > USER_BYTES_MAX {
        return Err(ReplyError::UserTooLarge);
    }
    for _ in 0..ATTEMPTS_MAX {
        let topology = node.topology();
        check_bootstrapped(&topology)?;
        let replaces = topology.users().get(&change.name).map_or(0, |record| record.revision);
        let present = user(node, &topology, &change.name).unwrap_or_default();
        let user = rules::apply(&present, &change.rules).map_err(rule_error)?;
        if !user.fits(&change.name) {
            return Err(ReplyError::UserTooLarge);
        }
        let set = SetUser { name: change.name.clone(), replaces, user };
        match propose(node, Command::SetUser(set)).await? {
            Ok(()) => return Ok(()),
            Err(Rejection::UserChanged) => newer_than(node, topology.epoch()).await,
            Err(Rejection::UserTooLarge) => return Err(ReplyError::UserTooLarge),
            Err(Rejection::UsersTooLarge) => return Err(ReplyError::UsersTooLarge),
            Err(other) => return Err(internal(other)),
        }
    }
    Err(ReplyError::UserContended)
}

async fn delete_users(node: &Node, names: &[Bytes]) -> Result<i64, ReplyError> {
    let topology = node.topology();
    check_bootstrapped(&topology)?;
    if names.iter().any(|name| name == DEFAULT_USER) {
        return Err(ReplyError::DefaultUserStays);
    }
    // Names of nobody are not proposed: they may be of any length.
    let known = names.iter().filter(|name| topology.users().get(name).is_some());
    let known: BTreeSet<Bytes> = known.map(|name| Bytes::copy_from_slice(name)).collect();
    if known.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(known.len()).unwrap_or(i64::MAX);
    propose(node, Command::RemoveUsers(known)).await?.map_err(internal)?;
    Ok(count)
}

/// Proposes, and returns once this node knows the outcome, and every other one that is up does or was given
/// [`TELLING_MAX`].
async fn propose(node: &Node, command: Command) -> Result<Result<(), Rejection>, ReplyError> {
    let outcome = node.raft.propose_metadata(command).await.map_err(|error| metadata_error(&error))?;
    let epoch = match outcome.into_result() {
        Ok(epoch) => epoch,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let patience = Duration::from_millis(node.config.retry_ms_max);
    let mut topology = node.watch_topology();
    let known = topology.wait_for(|topology| topology.epoch() >= epoch);
    timeout(patience, known).await.map_err(|_| ReplyError::OutcomeUnknown)?.map_err(internal)?;
    if timeout(TELLING_MAX, node.raft.peers_know(epoch)).await.is_err() {
        tracing::warn!(epoch, "a change of users is not known to every node yet");
    }
    Ok(Ok(()))
}

/// Waits for a later topology, but not for long: whoever was faster may be known only to the leader yet.
async fn newer_than(node: &Node, epoch: u64) {
    let mut topology = node.watch_topology();
    let _ = timeout(TELLING_MAX, topology.wait_for(|topology| topology.epoch() > epoch)).await;
}

fn rule_error(error: RuleError) -> ReplyError {
    match error {
        RuleError::Unmatched(start) => ReplyError::AclUnmatched(start),
        RuleError::Refused(rule, fault) => ReplyError::AclModifier(rule, Bytes::from(fault.to_string())),
    }
}

/// A user's definition; `default` always has one.
fn user(node: &Node, topology: &Topology, name: &[u8]) -> Option<User> {
    match topology.users().get(name) {
        Some(record) => Some(record.user.clone()),
        None => (name == DEFAULT_USER).then(|| node.access.initial_default().clone()),
    }
}

fn all(node: &Node) -> Vec<(Bytes, User)> {
    let topology = node.topology();
    let mut all: Vec<_> =
        topology.users().iter().map(|(name, record)| (name.clone(), record.user.clone())).collect();
    if topology.users().get(DEFAULT_USER).is_none() {
        all.push((Bytes::from_static(DEFAULT_USER), node.access.initial_default().clone()));
        all.sort_by(|a, b| a.0.cmp(&b.0));
    }
    all
}

fn line(name: &[u8], user: &User) -> Frame {
    Frame::Bulk([b"user ", name, b" ", &describe::line(user)].concat().into())
}

fn shown(user: &User) -> Frame {
    let flags = describe::flags(user).into_iter().map(Frame::literal).collect();
    let hashes = describe::hashes(user).iter().map(|hash| Frame::text(hash_text(hash))).collect();
    let selectors = user.selectors.iter().map(|selector| Frame::fields(selector_fields(selector))).collect();
    let mut fields = vec![("flags", Frame::Set(flags)), ("passwords", Frame::Array(hashes))];
    fields.extend(selector_fields(&user.root));
    fields.push(("selectors", Frame::Array(selectors)));
    Frame::fields(fields)
}

fn selector_fields(selector: &Selector) -> [(&'static str, Frame); 3] {
    [
        ("commands", Frame::Bulk(describe::commands(&selector.commands).into())),
        ("keys", Frame::Bulk(describe::keys(selector).into())),
        ("channels", Frame::Bulk(describe::channels(selector).into())),
    ]
}

fn dry_run(node: &Node, name: &Bytes, request: &Request) -> Result<Frame, ReplyError> {
    let accounts = node.access.accounts(&node.topology());
    let account = accounts.get(name).ok_or_else(|| ReplyError::UnknownUser(name.clone()))?;
    let spec = resolve(request).map_err(|error| match error {
        ReplyError::UnknownCommand(..) | ReplyError::UnknownSubcommand(..) => {
            ReplyError::CommandNotFound(request.bytes(0).unwrap_or_default())
        }
        other => other,
    })?;
    Ok(match account.permissions().check(spec, request) {
        Ok(()) => Frame::OK,
        Err(denial) => Frame::Bulk(told_of(denial, name, spec, request)),
    })
}

fn log_entry(entry: &Entry, now_ms: u64) -> Frame {
    let integer = |value: u64| Frame::Integer(value.cast_signed());
    let age_ms = now_ms.saturating_sub(entry.updated_ms);
    Frame::fields([
        ("count", integer(entry.count)),
        ("reason", Frame::literal(entry.attempt.reason.name())),
        ("context", Frame::literal(entry.attempt.context.name())),
        ("object", Frame::Bulk(entry.attempt.object.clone())),
        ("username", Frame::Bulk(entry.attempt.username.clone())),
        ("age-seconds", Frame::Double(age_ms as f64 / 1000.0)),
        ("client-info", Frame::text(entry.client.clone())),
        ("entry-id", integer(entry.id)),
        ("timestamp-created", integer(entry.created_ms)),
        ("timestamp-last-updated", integer(entry.updated_ms)),
    ])
}

/// So many random bits, rounded up to a hexadecimal digit.
fn random_digits(bits: u32) -> String {
    (0..bits.div_ceil(4)).map(|_| char::from_digit(rand::random_range(0..16), 16).unwrap_or('0')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_the_bits_asked_for() {
        for (bits, digits) in [(1, 1), (4, 1), (5, 2), (256, 64), (4096, 1024)] {
            let password = random_digits(bits);
            assert_eq!(password.len(), digits);
            assert!(password.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')));
        }
        assert_ne!(random_digits(256), random_digits(256));
    }
}
