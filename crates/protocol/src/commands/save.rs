//! `SAVE`, `BGSAVE [SCHEDULE]`, `BGREWRITEAOF`

use super::args::Arguments;
use super::parsed::{NodeCommand, Parsed, Save};
use crate::reply_error::ReplyError;

fn save(save: Save) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::Save(save)))
}

/// `SAVE`
pub(super) fn foreground(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    save(Save::Foreground)
}

/// `BGSAVE [SCHEDULE]`
pub(super) fn background(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let scheduled = arguments.option("SCHEDULE", 0);
    arguments.end()?;
    save(Save::Background { scheduled })
}

/// `BGREWRITEAOF`
pub(super) fn rewrite(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    save(Save::Rewrite)
}
