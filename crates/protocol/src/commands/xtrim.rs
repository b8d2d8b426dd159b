//! `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n] [KEEPREF|DELREF|ACKED]`

use rivermark_stream::Command;
use rivermark_stream::command::XTrim;

use super::args::Arguments;
use super::parsed::Parsed;
use super::trim::TrimOptions;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let mut options = TrimOptions::default();
    while arguments.left() > 0 {
        if !options.take(&mut arguments)? {
            return Err(ReplyError::Syntax);
        }
    }
    let trim = options.finish_required()?;
    Ok(Parsed::Command(Command::XTrim(XTrim { key, trim })))
}
