//! `XGROUP CREATE|SETID|DESTROY|CREATECONSUMER|DELCONSUMER|HELP ...`

use rivermark_stream::Command;
use rivermark_stream::command::{ConsumerRef, GroupRef, GroupStart, MissingKey, XGroupCreate, XGroupSetId};

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

/// `XGROUP CREATE key group <id|$> [MKSTREAM] [ENTRIESREAD n]`
pub(super) fn create(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let target = target(&mut arguments)?;
    let start = arguments.text()?;
    let mut missing_key = MissingKey::Keep;
    let mut entries_read = None;
    // Options that repeat count towards the reference's bound of eight words.
    let most = arguments.request().len() <= 8;
    while arguments.left() > 0 {
        if arguments.option("MKSTREAM", 0) {
            missing_key = MissingKey::Create;
        } else {
            entries_read = entries_read_option(&mut arguments)?;
        }
    }
    if !most {
        return Err(arguments.subcommand_syntax());
    }
    let start = match start {
        b"$" => GroupStart::Last,
        id => GroupStart::After(ids::strict(id)?),
    };
    Ok(Parsed::Command(Command::XGroupCreate(XGroupCreate { target, start, missing_key, entries_read })))
}

/// `XGROUP SETID key group <id|$> [ENTRIESREAD n]`
pub(super) fn set_id(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let target = target(&mut arguments)?;
    let start = arguments.text()?;
    let entries_read = match arguments.left() {
        0 => None,
        _ => entries_read_option(&mut arguments)?,
    };
    if arguments.left() > 0 {
        return Err(arguments.subcommand_syntax());
    }
    let start = match start {
        b"$" => GroupStart::Last,
        id => GroupStart::After(ids::loose(id)?),
    };
    Ok(Parsed::Command(Command::XGroupSetId(XGroupSetId { target, start, entries_read })))
}

/// `XGROUP DESTROY key group`
pub(super) fn destroy(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Command(Command::XGroupDestroy(target(&mut arguments)?)))
}

/// `XGROUP CREATECONSUMER key group consumer`
pub(super) fn create_consumer(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Command(Command::XGroupCreateConsumer(consumer(&mut arguments)?)))
}

/// `XGROUP DELCONSUMER key group consumer`
pub(super) fn delete_consumer(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Command(Command::XGroupDelConsumer(consumer(&mut arguments)?)))
}

/// `XGROUP HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a consumer group that starts after an id, or after the last one ($). Options are:",
            "    * MKSTREAM",
            "      Create an empty stream if the key does not exist.",
            "    * ENTRIESREAD entries-read",
            "      Set how many entries the group counts as read.",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a consumer in a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove a consumer and what is pending for it; tell how much that was.",
            "DESTROY <key> <groupname>",
            "    Remove a group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries-read]",
            "    Set the id after which a group goes on.",
        ],
    )
}

fn target(arguments: &mut Arguments<'_>) -> Result<GroupRef, ReplyError> {
    Ok(GroupRef { key: arguments.key()?, group: arguments.group()? })
}

fn consumer(arguments: &mut Arguments<'_>) -> Result<ConsumerRef, ReplyError> {
    let GroupRef { key, group } = target(arguments)?;
    Ok(ConsumerRef { key, group, consumer: arguments.consumer()? })
}

fn entries_read_option(arguments: &mut Arguments<'_>) -> Result<Option<u64>, ReplyError> {
    if !arguments.option("ENTRIESREAD", 1) {
        return Err(arguments.subcommand_syntax());
    }
    match arguments.integer()? {
        -1 => Ok(None),
        read => Ok(Some(u64::try_from(read).map_err(|_| ReplyError::InvalidEntriesRead)?)),
    }
}
