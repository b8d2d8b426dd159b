//! `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`

use super::args::Arguments;
use super::parsed::{NodeCommand, Parsed, Shutdown, ShutdownSave};
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (mut no_save, mut save, mut now, mut force, mut abort) = (false, false, false, false, false);
    let given = arguments.left();
    while arguments.left() > 0 {
        let option = match () {
            () if arguments.option("NOSAVE", 0) => &mut no_save,
            () if arguments.option("SAVE", 0) => &mut save,
            () if arguments.option("NOW", 0) => &mut now,
            () if arguments.option("FORCE", 0) => &mut force,
            () if arguments.option("ABORT", 0) => &mut abort,
            () => return Err(ReplyError::Syntax),
        };
        *option = true;
    }
    if (no_save && save) || (abort && given > 1) {
        return Err(ReplyError::Syntax);
    }
    Ok(Parsed::Node(if abort {
        NodeCommand::AbortShutdown
    } else {
        let save = if save { ShutdownSave::Yes } else { ShutdownSave::No };
        NodeCommand::Shutdown(Shutdown { save, now, force })
    }))
}
