//! `ACL WHOAMI|LIST|USERS|GETUSER|SETUSER|DELUSER|CAT|DRYRUN|LOG|GENPASS|LOAD|SAVE|HELP ...`
//!
//! The rules of SETUSER are a language of their own and not read here: what they mean depends on the user they
//! are applied to.

use bytes::Bytes;

use super::args::{Arguments, clipped};
use super::parsed::{AclCommand, ConnectionCommand, NodeCommand, Parsed, UserChange};
use super::spec::AclCategories;
use super::table;
use crate::reply_error::ReplyError;
use crate::resp::{Frame, Request};

/// Entries ACL LOG returns if no count is given.
const LOG_ENTRIES_DEFAULT: usize = 10;
/// Bits of ACL GENPASS if none are given, and at most.
const PASSWORD_BITS_DEFAULT: u32 = 256;
const PASSWORD_BITS_MAX: u32 = 4096;

fn acl(command: AclCommand) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Acl(command)))
}

/// `ACL WHOAMI`
pub(super) fn who_am_i(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Connection(ConnectionCommand::WhoAmI))
}

/// `ACL LIST`
pub(super) fn list(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    acl(AclCommand::List)
}

/// `ACL USERS`
pub(super) fn users(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    acl(AclCommand::Users)
}

/// `ACL GETUSER name`
pub(super) fn get_user(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    acl(AclCommand::GetUser(arguments.bytes()?))
}

/// `ACL SETUSER name [rule ...]`
pub(super) fn set_user(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let name = arguments.bytes()?;
    let rules = all(&mut arguments)?;
    acl(AclCommand::SetUser(UserChange { name, rules }))
}

/// `ACL DELUSER name [name ...]`
pub(super) fn delete_users(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    acl(AclCommand::DeleteUsers(all(&mut arguments)?))
}

/// `ACL DRYRUN user command [argument ...]`
pub(super) fn dry_run(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let user = arguments.bytes()?;
    let request = Request::from_arguments(arguments.request().iter().skip(arguments.position()));
    acl(AclCommand::DryRun { user, request })
}

/// `ACL LOG [count|RESET]`
pub(super) fn log(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    match arguments.left() {
        0 => acl(AclCommand::Log(LOG_ENTRIES_DEFAULT)),
        1 if arguments.option("RESET", 0) => acl(AclCommand::LogReset),
        1 => acl(AclCommand::Log(usize::try_from(arguments.integer()?).unwrap_or(0))),
        _ => Err(arguments.subcommand_syntax()),
    }
}

/// `ACL GENPASS [bits]`
pub(super) fn generate_password(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let bits = match arguments.left() {
        0 => PASSWORD_BITS_DEFAULT,
        1 => {
            let bits = u32::try_from(arguments.integer()?).ok();
            let bits = bits.filter(|bits| (1..=PASSWORD_BITS_MAX).contains(bits));
            bits.ok_or(ReplyError::PasswordBits)?
        }
        _ => return Err(arguments.subcommand_syntax()),
    };
    acl(AclCommand::GeneratePassword(bits))
}

/// `ACL CAT [category]`
pub(super) fn categories(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let names: Vec<Frame> = match arguments.left() {
        0 => AclCategories::all_names().map(Frame::literal).collect(),
        1 => {
            let name = arguments.bytes()?;
            let category = AclCategories::from_name(&name);
            let category = category.ok_or_else(|| ReplyError::UnknownCategory(clipped(&name)))?;
            let all = table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
            let found = all.filter(|spec| spec.categories.contains(category));
            found.map(|spec| Frame::literal(spec.name)).collect()
        }
        _ => return Err(arguments.subcommand_syntax()),
    };
    Ok(Parsed::Reply(Frame::Array(names)))
}

/// `ACL LOAD|SAVE`: users are kept by the cluster, there is no file.
pub(super) fn no_file(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Err(ReplyError::NoAclFile)
}

/// `ACL HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "CAT [<category>]",
            "    List all commands that belong to <category>, or all command categories",
            "    when no category is specified.",
            "DELUSER <username> [<username> ...]",
            "    Delete a list of users.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Returns whether the user can execute the given command without executing the command.",
            "GETUSER <username>",
            "    Get the user's details.",
            "GENPASS [<bits>]",
            "    Generate a secure 256-bit user password. The optional `bits` argument can",
            "    be used to specify a different size.",
            "LIST",
            "    Show users details in config file format.",
            "LOAD",
            "    Refused: users are kept by the cluster, not in a file.",
            "LOG [<count> | RESET]",
            "    Show the ACL log entries.",
            "SAVE",
            "    Refused: users are kept by the cluster, not in a file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Create or modify a user with the specified attributes.",
            "USERS",
            "    List all the registered usernames.",
            "WHOAMI",
            "    Return the current connection username.",
        ],
    )
}

fn all(arguments: &mut Arguments<'_>) -> Result<Vec<Bytes>, ReplyError> {
    (0..arguments.left()).map(|_| arguments.bytes()).collect()
}
