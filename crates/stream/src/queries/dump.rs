//! DUMP.

use bytes::Bytes;
use rivermark_types::StreamKey;
use rivermark_types::limits::RESTORE_PAYLOAD_BYTES_MAX;

use super::View;
use crate::outcome::{Outcome, Rejection};
use crate::snapshot::dump;

/// The stream as bytes for RESTORE. What RESTORE would refuse for its size is not begun.
pub(super) fn answer(view: &View<'_>, key: &StreamKey) -> Outcome {
    let Some(stream) = view.get(key) else { return Outcome::Nil };
    match dump(stream, RESTORE_PAYLOAD_BYTES_MAX) {
        Some(payload) => Outcome::Bytes(Bytes::from(payload)),
        None => Outcome::Rejected(Rejection::DumpTooLarge),
    }
}
