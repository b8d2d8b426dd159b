//! MAXLEN and MINID, exactly or by whole blocks, as `streamTrim` of Redis's t_stream.c decides it.

use rivermark_types::EntryId;

use crate::command::{References, Settings, Trim, TrimKeep, TrimPrecision};
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
    let removed = match trim.references {
        References::Keep => trim_blocks(stream, trim, budget),
        References::Drop | References::Acknowledged => trim_entries(stream, trim, budget),
    };
    if removed > 0 {
        stream.refresh_first_id();
    }
    removed
}

/// Whole blocks, and the front of one more if trimming is exact.
fn trim_blocks(stream: &mut Stream, trim: &Trim, budget: u64) -> u64 {
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
    removed
}

/// Block by block, but each entry by itself: groups lose it, or keep it. Entries that have to stay are
/// passed over; the block where trimming would have ended is the last one looked at all the same.
fn trim_entries(stream: &mut Stream, trim: &Trim, budget: u64) -> u64 {
    let mut removed = 0u64;
    let mut from = Some(EntryId::MIN);
    while let Some(block) = from.and_then(|from| stream.entries.block_from(from)) {
        let (first, last, live) = (block.first(), block.last(), u64::from(block.live()));
        let length = stream.length();
        let goes_whole = match trim.keep {
            TrimKeep::MaxLength(max) if length <= max => break,
            TrimKeep::MaxLength(max) => length - live >= max,
            TrimKeep::MinId(min) => last < min,
        };
        if removed + live > budget || (!goes_whole && trim.precision != TrimPrecision::Exact) {
            break;
        }
        let ids: Vec<EntryId> = block.iter().map(|entry| entry.id).collect();
        let mut going = Vec::with_capacity(ids.len());
        for id in ids {
            let enough = match trim.keep {
                TrimKeep::MaxLength(max) => length - going.len() as u64 <= max,
                TrimKeep::MinId(min) => id >= min,
            };
            if enough {
                break;
            }
            if trim.references == References::Acknowledged && stream.is_referenced(id) {
                continue;
            }
            stream.drop_references(id);
            going.push(id);
        }
        stream.entries.delete_from_block(first, &going);
        removed += going.len() as u64;
        if !goes_whole {
            break;
        }
        from = last.successor();
    }
    removed
}

fn default_budget(settings: &Settings) -> u64 {
    match BUDGET_BLOCKS * u64::from(settings.block_entries_max) {
        0 => BUDGET_UNBOUNDED,
        budget => budget.min(BUDGET_MAX),
    }
}
