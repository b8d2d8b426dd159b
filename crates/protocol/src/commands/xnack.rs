//! `XNACK key group SILENT|FAIL|FATAL IDS numids id [id ...] [RETRYCOUNT count] [FORCE]`

use bytes::Bytes;
use rivermark_stream::Command;
use rivermark_stream::command::{Force, GroupRef, NackMode, XNack};

use super::args::{Arguments, clipped};
use super::ids;
use super::parsed::Parsed;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    const MODES: [(&str, NackMode); 3] =
        [("SILENT", NackMode::Silent), ("FAIL", NackMode::Fail), ("FATAL", NackMode::Fatal)];
    let target = GroupRef { key: arguments.key()?, group: arguments.group()? };
    let mode = MODES.into_iter().find(|(word, _)| arguments.option(word, 0)).map(|(_, mode)| mode);
    let mode = mode.ok_or(ReplyError::NackMode)?;
    if !arguments.option("IDS", 0) {
        return Err(ReplyError::NackIdsMissing);
    }
    let count = arguments.integer_or(ReplyError::NackIdCountNotPositive)?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0);
    let count = count.ok_or(ReplyError::NackIdCountNotPositive)?;
    if count > arguments.left() {
        return Err(ReplyError::NackIdCountMismatch);
    }
    let ids = (0..count).map(|_| ids::of_one_entry(arguments.text()?)).collect::<Result<_, _>>()?;
    let (mut retry_count, mut force) = (None, Force::No);
    while arguments.left() > 0 {
        if arguments.option("FORCE", 0) {
            force = Force::Yes;
        } else if arguments.option("RETRYCOUNT", 1) {
            let count = arguments.integer_or(ReplyError::NackRetryCount)?;
            retry_count = Some(u64::try_from(count).map_err(|_| ReplyError::NackRetryCount)?);
        } else {
            let option: Bytes = arguments.bytes()?;
            return Err(ReplyError::UnknownNackOption(clipped(&option)));
        }
    }
    Ok(Parsed::Command(Command::XNack(XNack { target, mode, ids, retry_count, force })))
}
