//! XREAD, and the question XREADGROUP asks before it reads several shards.

use rivermark_types::{EntryId, StreamKey};

use super::View;
use crate::allowance::{Allowance, stream_head_bytes};
use crate::fields::{Entries, EntriesBuilder};
use crate::outcome::{Outcome, Rejection, StreamEntries, StreamsRead};
use crate::query::{GroupsExist, ReadFrom, XRead};
use crate::stream::Stream;

/// Entries above an id of each stream, and the ids after which to wait.
pub(super) fn answer(view: &View<'_>, query: &XRead) -> Outcome {
    let mut allowance = Allowance::new(&query.budget);
    let mut read = StreamsRead::default();
    for (index, (key, from)) in (0u32..).zip(&query.streams) {
        let stream = view.get(key);
        let after = resolve(stream, *from);
        read.resolved.push(after);
        let Some((stream, start)) = stream.zip(after.successor()) else { continue };
        if stream.last_id < start {
            continue;
        }
        let entries = entries_from(stream, key, start, query, &mut allowance);
        if !entries.is_empty() {
            read.streams.push(StreamEntries { index, key: key.clone(), entries });
        }
    }
    Outcome::Streams(read)
}

fn entries_from(
    stream: &Stream,
    key: &StreamKey,
    start: EntryId,
    query: &XRead,
    allowance: &mut Allowance,
) -> Entries {
    let mut out = EntriesBuilder::default();
    let count = query.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    for entry in stream.entries.range(&start, &EntryId::MAX).take(count) {
        let head = if out.is_empty() { stream_head_bytes(key) } else { 0 };
        if !allowance.take(&entry, head) {
            break;
        }
        entry.copy_to(&mut out);
    }
    out.finish()
}

/// Whether every stream has the group.
pub(super) fn groups_exist(view: &View<'_>, query: &GroupsExist) -> Outcome {
    let lacks = |key: &&_| view.get(key).and_then(|stream| stream.group(&query.group)).is_none();
    match query.keys.iter().find(lacks) {
        None => Outcome::Done,
        Some(key) => Outcome::Rejected(Rejection::NoKeyOrGroupToRead(key.clone(), query.group.clone())),
    }
}

fn resolve(stream: Option<&Stream>, from: ReadFrom) -> EntryId {
    match (from, stream) {
        (ReadFrom::After(id), _) => id,
        (_, None) => EntryId::MIN,
        (ReadFrom::Last, Some(stream)) => stream.last_id,
        (ReadFrom::LastEntry, Some(stream)) => {
            stream.entries.last().and_then(|entry| entry.id.predecessor()).unwrap_or(EntryId::MIN)
        }
    }
}
