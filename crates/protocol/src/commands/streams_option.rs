//! Finds the word STREAMS of XREAD and XREADGROUP, for whoever needs keys before the grammar ran (cluster
//! clients through COMMAND GETKEYS, access control).

use crate::resp::Request;

/// The index after STREAMS; options with operands are stepped over, so a group named `streams` is no match.
pub(super) fn find(request: &Request, from: usize) -> Option<usize> {
    let mut index = from;
    while let Some(word) = request.get(index) {
        index += 1;
        if word.eq_ignore_ascii_case(b"streams") {
            return Some(index);
        }
        index += match word.to_ascii_lowercase().as_slice() {
            b"group" => 2,
            b"count" | b"maxcount" | b"maxsize" | b"block" | b"claim" => 1,
            b"noack" => 0,
            _ => return None,
        };
    }
    None
}
