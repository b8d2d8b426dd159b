//! Timeouts in milliseconds: BLOCK, WAIT, CLIENT PAUSE.

use super::args::Arguments;
use super::parsed::Block;
use crate::reply_error::ReplyError;

/// The reference refuses a timeout that overflows when added to the present; the grammar knows no present, so
/// it refuses what would overflow at any time before the year 2248.
pub(super) const FUTURE_MS_MAX: i64 = i64::MAX - (1 << 43);

/// Takes a timeout; zero is for ever.
pub(super) fn timeout(arguments: &mut Arguments<'_>) -> Result<Block, ReplyError> {
    let ms = arguments.integer_or(ReplyError::TimeoutNotAnInteger)?;
    match u64::try_from(ms) {
        Err(_) => Err(ReplyError::TimeoutNegative),
        Ok(_) if ms > FUTURE_MS_MAX => Err(ReplyError::TimeoutOutOfRange),
        Ok(0) => Ok(Block::Forever),
        Ok(ms) => Ok(Block::Ms(ms)),
    }
}
