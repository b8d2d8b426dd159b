//! XAUTOCLAIM.

use rivermark_types::EntryId;

use super::Change;
use super::xclaim::{Claim, stream_to_claim};
use crate::command::XAutoClaim;
use crate::outcome::{AutoClaimed, Outcome};
use crate::pending::PendingRecord;

/// Pending records looked at for each entry wanted.
const SCANNED_PER_COUNT: u64 = 10;

/// Walks the group's pending entries from an id on and claims those idle for long enough.
pub(super) fn apply(change: &mut Change<'_>, command: &XAutoClaim) -> Outcome {
    let now = change.stamp;
    let mut stream = match stream_to_claim(change, &command.target) {
        Ok(stream) => stream,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let mut claim = Claim::new(&mut stream, &command.target, now, command.reply);
    let scan_max = usize::try_from(command.count.saturating_mul(SCANNED_PER_COUNT)).unwrap_or(usize::MAX);
    // Claiming replaces records in place and deleting one does not move the others' order, so the walk can
    // go on from the id it stopped at.
    let mut left = command.count;
    let mut scanned = 0;
    let mut deleted = Vec::new();
    let mut cursor = Some(command.start);
    let next = loop {
        let Some((id, record)) = cursor.and_then(|from| next_pending(&claim, from)) else { break None };
        if left == 0 || scanned == scan_max {
            break Some(id);
        }
        scanned += 1;
        cursor = id.successor();
        if claim.drop_if_deleted(id) {
            deleted.push(id);
            left -= 1;
        } else if record.is_idle_for(command.min_idle_ms, now) {
            claim.take(id, Some(record));
            left -= 1;
        }
    };
    let changed = claim.changed;
    let claimed = claim.finish();
    if changed {
        stream.touch();
    }
    Outcome::AutoClaimed(AutoClaimed { cursor: next.unwrap_or(EntryId::MIN), claimed, deleted })
}

fn next_pending(claim: &Claim<'_>, from: EntryId) -> Option<(EntryId, PendingRecord)> {
    claim.group.pending.range(&from, &EntryId::MAX).next().copied()
}
