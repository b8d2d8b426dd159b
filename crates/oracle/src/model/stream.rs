//! One stream: entries, last id, idempotence, groups.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use super::{Group, Refusal};
use crate::observation::{Drained, FinalStream};
use crate::operation::{Cursor, Entry, Idempotence, Operation, Precision, ReadFrom, Reply, TrimBound};

/// The state of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    entries: BTreeMap<EntryId, String>,
    last_id: EntryId,
    producers: BTreeMap<Idempotence, EntryId>,
    groups: BTreeMap<String, Group>,
}

impl Stream {
    /// Entries by id.
    pub fn entries(&self) -> &BTreeMap<EntryId, String> {
        &self.entries
    }

    /// The greatest id ever given.
    pub fn last_id(&self) -> EntryId {
        self.last_id
    }

    /// A group.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub(super) fn apply(&mut self, operation: &Operation, now_ms: u64) -> Reply {
        match operation {
            Operation::Xadd { .. } => {
                let id = if now_ms > self.last_id.ms {
                    EntryId::new(now_ms, 0)
                } else {
                    self.last_id.successor().unwrap_or(EntryId::MAX)
                };
                self.add_as(operation, id).unwrap_or(Reply::Added { id })
            }
            Operation::Xlen { .. } => Reply::Count { count: self.entries.len() as u64 },
            Operation::Xrange { start, end, count, .. } => self.range(*start, *end, *count),
            Operation::Xrevrange { start, end, count, .. } => self.reverse_range(*start, *end, *count),
            Operation::Xread { from, count, .. } => match from {
                ReadFrom::Newest => Reply::Entries { entries: Vec::new() },
                ReadFrom::After(id) => match id.successor() {
                    Some(start) => self.range(start, EntryId::MAX, *count),
                    None => Reply::Entries { entries: Vec::new() },
                },
            },
            Operation::Xdel { ids, .. } => {
                let gone = ids.iter().filter(|id| self.entries.remove(id).is_some()).count();
                Reply::Count { count: gone as u64 }
            }
            Operation::Xtrim { bound, precision, .. } => self.trim(*bound, *precision),
            _ => Reply::Done,
        }
    }

    pub(super) fn add_as(&mut self, operation: &Operation, id: EntryId) -> Result<Reply, Refusal> {
        let Operation::Xadd { payload, idempotence, max_len, .. } = operation else {
            return Ok(Reply::Done);
        };
        if let Some(earlier) = idempotence.as_ref().and_then(|names| self.producers.get(names)) {
            return Ok(Reply::Added { id: *earlier });
        }
        if id <= self.last_id {
            return Err(Refusal::IdTooSmall);
        }
        self.last_id = id;
        self.entries.insert(id, payload.clone());
        if let Some(names) = idempotence {
            self.producers.insert(names.clone(), id);
        }
        if let Some(len) = max_len {
            self.trim(TrimBound::MaxLen(*len), Precision::Exact);
        }
        Ok(Reply::Added { id })
    }

    fn range(&self, start: EntryId, end: EntryId, count: Option<usize>) -> Reply {
        if start > end {
            return Reply::Entries { entries: Vec::new() };
        }
        let found = self.entries.range(start..=end).take(count.unwrap_or(usize::MAX));
        Reply::Entries { entries: found.map(to_entry).collect() }
    }

    fn reverse_range(&self, start: EntryId, end: EntryId, count: Option<usize>) -> Reply {
        if start > end {
            return Reply::Entries { entries: Vec::new() };
        }
        let found = self.entries.range(start..=end).rev().take(count.unwrap_or(usize::MAX));
        Reply::Entries { entries: found.map(to_entry).collect() }
    }

    /// Approximate trimming here removes in whole tens, as one storage layout would.
    fn trim(&mut self, bound: TrimBound, precision: Precision) -> Reply {
        let named = match bound {
            TrimBound::MaxLen(len) => {
                self.entries.len().saturating_sub(usize::try_from(len).unwrap_or(usize::MAX))
            }
            TrimBound::MinId(id) => self.entries.range(..id).count(),
        };
        let gone = match precision {
            Precision::Exact => named,
            Precision::Approximate => named - named % 10,
        };
        for _ in 0..gone {
            self.entries.pop_first();
        }
        Reply::Count { count: gone as u64 }
    }

    pub(super) fn apply_to_group(
        &mut self,
        name: &str,
        operation: &Operation,
        now_ms: u64,
    ) -> Result<Reply, Refusal> {
        let at = |cursor: Cursor| match cursor {
            Cursor::At(id) => id,
            Cursor::Newest => self.last_id,
        };
        match operation {
            Operation::XgroupCreate { .. } if self.groups.contains_key(name) => Err(Refusal::BusyGroup),
            Operation::XgroupCreate { cursor, .. } => {
                let group = Group::starting_at(at(*cursor));
                self.groups.insert(name.to_owned(), group);
                Ok(Reply::Done)
            }
            Operation::XgroupDestroy { .. } => {
                Ok(Reply::Count { count: u64::from(self.groups.remove(name).is_some()) })
            }
            Operation::Xack { .. } if !self.groups.contains_key(name) => Ok(Reply::Count { count: 0 }),
            Operation::XgroupSetid { cursor, .. } => {
                let id = at(*cursor);
                self.groups.get_mut(name).ok_or(Refusal::NoGroup)?.move_to(id);
                Ok(Reply::Done)
            }
            _ => {
                let group = self.groups.get_mut(name).ok_or(Refusal::NoGroup)?;
                Ok(group.apply(operation, &self.entries, now_ms))
            }
        }
    }

    pub(super) fn observe(&self, drained: Drained) -> FinalStream {
        FinalStream {
            entries: self.entries.iter().map(to_entry).collect(),
            groups: self.groups.iter().map(|(name, group)| (name.clone(), group.observe(drained))).collect(),
        }
    }
}

fn to_entry((id, payload): (&EntryId, &String)) -> Entry {
    Entry { id: *id, payload: payload.clone() }
}
