//! A group's cursor never goes back by itself.
//!
//! `>` returns ids in order; a `>` that begins after another was answered returns greater ids than it;
//! the last-delivered id at the end is not below any delivered one. XGROUP SETID moves the cursor as it
//! likes: two reads between which one can have taken effect are not compared.

use rivermark_types::EntryId;

use crate::call::Call;
use crate::evidence::{Evidence, GroupEvidence, Handing};
use crate::violation::{Findings, Invariant, Violation};

/// Checks every group.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut violations = Vec::new();
    for stream in evidence.streams() {
        for group in stream.groups().0 {
            let reads = reads_of(&group, &mut violations);
            compare(&group, &reads, &mut violations);
            compare_end(&group, &reads, &mut violations);
        }
    }
    violations.into()
}

/// A `>` that returned something.
struct Advance<'a> {
    call: &'a Call,
    first: EntryId,
    last: EntryId,
}

fn reads_of<'a>(group: &GroupEvidence<'a>, violations: &mut Vec<Violation>) -> Vec<Advance<'a>> {
    let mut reads: Vec<Advance<'a>> = Vec::new();
    for handed in group.handed().iter().filter(|handed| matches!(handed.handing, Handing::New(_))) {
        let id = handed.delivery.id;
        match reads.last_mut().filter(|read| read.call.event == handed.call.event) {
            Some(read) => {
                if id <= read.last {
                    let message = format!("{}: {} returns {id} after {}", group.name(), read.call, read.last);
                    violations.push(Violation::new(Invariant::CursorForward, &[read.call], message));
                }
                read.last = id;
            }
            None => reads.push(Advance { call: handed.call, first: id, last: id }),
        }
    }
    reads
}

fn compare(group: &GroupEvidence<'_>, reads: &[Advance<'_>], violations: &mut Vec<Violation>) {
    let mut by_end: Vec<&Advance<'_>> = reads.iter().collect();
    by_end.sort_by_key(|read| read.call.effective_by_ns());
    let moved = group.setids().next().is_some();
    let mut ended = 0;
    let mut furthest: Option<&Advance<'_>> = None;
    // Calls are in the order they began, so those that ended before one of them only grow in number.
    for read in reads {
        while let Some(other) = by_end.get(ended).filter(|other| other.call.precedes(read.call)) {
            if furthest.is_none_or(|furthest| furthest.last < other.last) {
                furthest = Some(other);
            }
            ended += 1;
        }
        let before = if moved {
            let comparable = |other: &&&Advance<'_>| !group.moved_between(other.call, read.call);
            by_end[..ended].iter().filter(comparable).max_by_key(|other| other.last).copied()
        } else {
            furthest
        };
        if let Some(before) = before.filter(|before| before.last >= read.first) {
            let message = format!(
                "{}: {} returned {} after {} had returned {}",
                group.name(),
                read.call,
                read.first,
                before.call,
                before.last
            );
            let calls = [before.call, read.call];
            violations.push(Violation::new(Invariant::CursorForward, &calls, message));
        }
    }
}

fn compare_end(group: &GroupEvidence<'_>, reads: &[Advance<'_>], violations: &mut Vec<Violation>) {
    let Some(last) = group.last else { return };
    let settled =
        |read: &&Advance<'_>| !group.setids().any(|setid| setid.effective_by_ns() >= read.call.invoked_ns);
    let furthest = reads.iter().filter(settled).max_by_key(|read| read.last);
    if let Some(read) = furthest.filter(|read| read.last > last.last_delivered) {
        let message = format!(
            "{}: {} returned {} and the cursor at the end is {}",
            group.name(),
            read.call,
            read.last,
            last.last_delivered
        );
        violations.push(Violation::new(Invariant::CursorForward, &[read.call], message));
    }
}
