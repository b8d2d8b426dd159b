//! MAXLEN and MINID, exactly or by whole blocks, as `streamTrim` of Redis's t_stream.c decides it.

use crate::command::{Settings, Trim, TrimKeep, TrimPrecision};
use crate::stream::Stream;

/// The budget of `~` without LIMIT, in blocks.
const BUDGET_BLOCKS: u64 = 100;
/// The budget if blocks have no bound of entries.
const BUDGET_UNBOUNDED: u64 = 10_000;
const BUDGET_MAX: u64 = 1_000_000;

/// Trims a stream from the front; how many entries went. Trimming leaves no tombstones.
pub(crate) fn trim(stream: &mut Stream, trim: &Trim, settings: &Settings) -> u64 {
    let budget = match trim.precision {
        TrimPrecision::Exact | TrimPrecision::Blocks { limit: Some(0) } => u64::MAX,
        TrimPrecision::Blocks { limit: Some(limit) } => limit,
        TrimPrecision::Blocks { limit: None } => default_budget(settings),
    };
    let mut removed = 0u64;
    while let Some(block) = stream.entries.first_block() {
        let length = stream.length();
        let live = u64::from(block.live());
        let goes_whole = match trim.keep {
            TrimKeep::MaxLength(max) if length <= max => break,
            TrimKeep::MaxLength(max) => length - live >= max,
            TrimKeep::MinId(min) => block.last() < min,
        };
        if removed + live > budget {
            break;
        }
        if goes_whole {
            removed += u64::from(stream.entries.remove_first_block());
            continue;
        }
        if trim.precision == TrimPrecision::Exact {
            let partly = stream.entries.delete_from_first_block(|id, length| match trim.keep {
                TrimKeep::MaxLength(max) => length > max,
                TrimKeep::MinId(min) => id < min,
            });
            removed += u64::from(partly);
        }
        break;
    }
    if removed > 0 {
        stream.refresh_first_id();
    }
    removed
}

fn default_budget(settings: &Settings) -> u64 {
    match BUDGET_BLOCKS * u64::from(settings.block_entries_max) {
        0 => BUDGET_UNBOUNDED,
        budget => budget.min(BUDGET_MAX),
    }
}
