//! What the machine should do, written the plain way: lists, linear scans, no sharing.
//!
//! Independent of the machine on purpose. Its only concession is the storage block: `~` trimming shows
//! where runs of entries end, so entries are kept in runs.

use std::collections::BTreeMap;

use rivermark_stream::command::*;
use rivermark_stream::fields::EntriesBuilder;
use rivermark_stream::outcome::{AutoClaimed, Claimed};
use rivermark_stream::{Command, Entries, Fields, Outcome, Rejection};
use rivermark_types::{ConsumerName, EntryId, GroupName, StreamKey};

#[derive(Clone, Debug)]
pub struct Item {
    pub id: EntryId,
    pub fields: Fields,
    pub(super) deleted: bool,
}

#[derive(Clone, Debug)]
pub struct Pending {
    pub id: EntryId,
    /// `None` if it was given back.
    pub consumer: Option<ConsumerName>,
    pub time: u64,
    pub count: u64,
    /// When it was given back, counted.
    pub turn: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub last_id: EntryId,
    pub entries_read: Option<u64>,
    /// In id order.
    pub pending: Vec<Pending>,
    /// Seen and active times.
    pub consumers: BTreeMap<ConsumerName, (u64, Option<u64>)>,
}

#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub(super) runs: Vec<Vec<Item>>,
    pub last_id: EntryId,
    pub max_deleted_id: EntryId,
    pub entries_added: u64,
    pub groups: BTreeMap<GroupName, Group>,
    pub deadline: Option<u64>,
    pub idempotence: Idempotence,
}

/// What is known of idempotent ids.
#[derive(Clone, Debug, Default)]
pub struct Idempotence {
    pub duration_s: Option<u32>,
    pub pairs_max: Option<u32>,
    pub added: u64,
    pub duplicates: u64,
    /// In the order in which they came.
    pub pairs: Vec<(IdempotentId, EntryId)>,
}

pub struct Naive {
    pub keys: BTreeMap<StreamKey, Stream>,
    /// Entries of a run; bytes have no bound here.
    pub run_entries_max: usize,
    /// How often an entry was given back.
    pub turns: u64,
}

impl Stream {
    pub fn live(&self) -> Vec<&Item> {
        self.runs.iter().flatten().filter(|item| !item.deleted).collect()
    }

    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    pub fn first_id(&self) -> EntryId {
        self.live().first().map_or(EntryId::MIN, |item| item.id)
    }

    pub(super) fn length(&self) -> u64 {
        self.live().len() as u64
    }

    pub(super) fn exists(&self, id: EntryId) -> bool {
        self.live().iter().any(|item| item.id == id)
    }

    pub(super) fn delete(&mut self, id: EntryId) -> bool {
        for item in self.runs.iter_mut().flatten() {
            if item.id == id && !item.deleted {
                item.deleted = true;
                self.runs.retain(|run| run.iter().any(|item| !item.deleted));
                return true;
            }
        }
        false
    }

    fn trim(&mut self, trim: &Trim, run_entries_max: usize) -> u64 {
        let before = self.length();
        if trim.references != References::Keep {
            self.trim_entries(trim, run_entries_max);
            return before - self.length();
        }
        let goes = |item: &Item, length: u64| match trim.keep {
            TrimKeep::MaxLength(max) => length > max,
            TrimKeep::MinId(min) => item.id < min,
        };
        match trim.precision {
            TrimPrecision::Exact => {
                while let Some(first) = self.live().first().map(|item| (*item).clone()) {
                    if !goes(&first, self.length()) {
                        break;
                    }
                    self.delete(first.id);
                }
            }
            TrimPrecision::Blocks { limit } => {
                let budget = match limit {
                    Some(0) => u64::MAX,
                    Some(limit) => limit,
                    None => 100 * run_entries_max as u64,
                };
                while let Some(run) = self.runs.first() {
                    let live = run.iter().filter(|item| !item.deleted).count() as u64;
                    let whole = match trim.keep {
                        TrimKeep::MaxLength(max) => self.length() >= max + live && self.length() > max,
                        TrimKeep::MinId(min) => run.iter().all(|item| item.id < min),
                    };
                    if !whole || before - self.length() + live > budget {
                        break;
                    }
                    self.runs.remove(0);
                }
            }
        }
        before - self.length()
    }

    /// Section 3.1 of the reference: entries ever added up to an id.
    pub(super) fn distance(&self, id: EntryId) -> Option<u64> {
        let (added, length) = (self.entries_added, self.length());
        if added == 0 {
            Some(0)
        } else if length == 0 && id <= self.last_id {
            Some(added)
        } else if id != EntryId::MIN && id < self.max_deleted_id {
            None
        } else if id == self.last_id {
            Some(added)
        } else if id > self.last_id {
            None
        } else if self.max_deleted_id == EntryId::MIN || self.max_deleted_id < self.first_id() {
            match id.cmp(&self.first_id()) {
                std::cmp::Ordering::Less => Some(added.saturating_sub(length)),
                std::cmp::Ordering::Equal => Some(added.saturating_sub(length) + 1),
                std::cmp::Ordering::Greater => None,
            }
        } else {
            None
        }
    }

    pub(super) fn tombstones_after(&self, id: EntryId) -> bool {
        self.length() > 0 && self.max_deleted_id != EntryId::MIN && id <= self.max_deleted_id
    }

    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.entries_added == 0 || self.length() == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id() && self.max_deleted_id < self.first_id() {
            return Some(self.length());
        }
        match group.entries_read {
            Some(read) if !self.tombstones_after(group.last_id) => {
                Some(self.entries_added.saturating_sub(read))
            }
            _ => self.distance(group.last_id).map(|read| self.entries_added.saturating_sub(read)),
        }
    }
}

impl Group {
    pub(super) fn find(&self, id: EntryId) -> Option<usize> {
        self.pending.iter().position(|record| record.id == id)
    }

    pub(super) fn set(&mut self, record: Pending) {
        self.pending.retain(|one| one.id != record.id);
        self.pending.push(record);
        self.pending.sort_by_key(|record| record.id);
    }

    pub(super) fn see(&mut self, consumer: &ConsumerName, now: u64) {
        self.consumers.entry(consumer.clone()).or_insert((now, None)).0 = now;
    }

    pub(super) fn active(&mut self, consumer: &ConsumerName, now: u64) {
        self.consumers.get_mut(consumer).expect("seen before").1 = Some(now);
    }
}

pub fn pack<'a>(items: impl IntoIterator<Item = (EntryId, Option<&'a Fields>)>) -> Entries {
    let mut out = EntriesBuilder::default();
    for (id, fields) in items {
        match fields {
            None => out.deleted(id),
            Some(fields) => {
                out.begin(id, fields.pairs());
                fields.iter().for_each(|(field, value)| out.pair(field, value));
            }
        }
    }
    out.finish()
}

pub(super) fn rejected(rejection: Rejection) -> Outcome {
    Outcome::Rejected(rejection)
}

impl Naive {
    pub fn expire(&mut self, now: u64) {
        self.keys.retain(|_, stream| stream.deadline.is_none_or(|deadline| deadline > now));
    }

    pub fn apply(&mut self, command: &Command, now: u64) -> Outcome {
        match command {
            Command::XAdd(command) => self.xadd(command, now),
            Command::XTrim(XTrim { key, trim }) => {
                let max = self.run_entries_max;
                Outcome::Integer(self.keys.get_mut(key).map_or(0, |s| s.trim(trim, max)) as i64)
            }
            Command::XDel(XDel { key, ids }) => self.xdel(key, ids),
            Command::XSetId(command) => self.xsetid(command),
            Command::XGroupCreate(_)
            | Command::XGroupSetId(_)
            | Command::XGroupDestroy(_)
            | Command::XGroupCreateConsumer(_)
            | Command::XGroupDelConsumer(_) => self.xgroup(command, now),
            Command::XReadGroup(command) => self.xreadgroup(command, now),
            Command::XAck(XAck { target, ids }) => {
                let group = self.group(&target.key, &target.group);
                Outcome::Integer(group.map_or(0, |group| {
                    let before = group.pending.len();
                    group.pending.retain(|record| !ids.contains(&record.id));
                    (before - group.pending.len()) as i64
                }))
            }
            Command::XClaim(command) => self.xclaim(command, now),
            Command::XAutoClaim(command) => self.xautoclaim(command, now),
            Command::Delete(keys) => {
                Outcome::Integer(keys.iter().filter(|key| self.keys.remove(key).is_some()).count() as i64)
            }
            Command::Expire(command) => self.expire_key(command, now),
            Command::Persist(key) => {
                let deadline = self.keys.get_mut(key).and_then(|stream| stream.deadline.take());
                Outcome::Integer(i64::from(deadline.is_some()))
            }
            Command::FlushDatabase(database) => {
                self.keys.retain(|key, _| key.database() != *database);
                Outcome::Done
            }
            Command::FlushAll => {
                self.keys.clear();
                Outcome::Done
            }
            Command::Configure(_) | Command::Transaction(_) | Command::Restore(_) => {
                unreachable!("not generated")
            }
            newer => self.newer(newer, now),
        }
    }

    pub(super) fn group(&mut self, key: &StreamKey, group: &GroupName) -> Option<&mut Group> {
        self.keys.get_mut(key)?.groups.get_mut(group)
    }

    fn xadd(&mut self, command: &XAdd, now: u64) -> Outcome {
        if command.missing_key == MissingKey::Keep && !self.keys.contains_key(&command.key) {
            return Outcome::Nil;
        }
        let max = self.run_entries_max;
        let stream = self.keys.entry(command.key.clone()).or_default();
        let last = stream.last_id;
        if let NewEntryId::Idempotent(pair) = &command.id
            && let Some(id) = stream.idempotence.added_before(pair, now)
        {
            return Outcome::EntryId(id);
        }
        if last == EntryId::MAX {
            return rejected(Rejection::IdsExhausted);
        }
        let id = match command.id {
            NewEntryId::Auto | NewEntryId::Idempotent(_) if now > last.ms => Some(EntryId::new(now, 0)),
            NewEntryId::Auto | NewEntryId::Idempotent(_) => last.successor(),
            NewEntryId::AutoSequence(ms) if ms == last.ms => {
                last.seq.checked_add(1).map(|seq| EntryId::new(ms, seq))
            }
            NewEntryId::AutoSequence(ms) => Some(EntryId::new(ms, 0)),
            NewEntryId::Exact(id) => Some(id),
        };
        let Some(id) = id.filter(|id| *id > last) else { return rejected(Rejection::IdTooSmall) };
        let item = Item { id, fields: command.fields.clone(), deleted: false };
        match stream.runs.last_mut() {
            Some(run) if run.len() < max => run.push(item),
            _ => stream.runs.push(vec![item]),
        }
        stream.last_id = id;
        stream.entries_added += 1;
        if let NewEntryId::Idempotent(pair) = &command.id {
            stream.idempotence.insert(pair, id);
            stream.idempotence.added += 1;
        }
        if let Some(trim) = &command.trim {
            stream.trim(trim, max);
        }
        Outcome::EntryId(id)
    }

    fn xdel(&mut self, key: &StreamKey, ids: &[EntryId]) -> Outcome {
        let Some(stream) = self.keys.get_mut(key) else { return Outcome::Integer(0) };
        let mut count = 0;
        for id in ids {
            if stream.delete(*id) {
                count += 1;
                stream.max_deleted_id = stream.max_deleted_id.max(*id);
            }
        }
        Outcome::Integer(count)
    }

    fn xsetid(&mut self, command: &XSetId) -> Outcome {
        let Some(stream) = self.keys.get_mut(&command.key) else { return rejected(Rejection::NoSuchKey) };
        let given = command.max_deleted_id.unwrap_or(EntryId::MIN);
        if command.last_id < given {
            return rejected(Rejection::SetIdBelowGivenMaxDeleted);
        }
        if command.last_id < stream.max_deleted_id {
            return rejected(Rejection::SetIdBelowMaxDeleted);
        }
        if let Some(top) = stream.live().last().map(|item| item.id) {
            if command.last_id < top {
                return rejected(Rejection::SetIdBelowLastEntry);
            }
            if command.entries_added.is_some_and(|added| added < stream.length()) {
                return rejected(Rejection::EntriesAddedBelowLength);
            }
        }
        stream.last_id = command.last_id;
        if let Some(added) = command.entries_added {
            stream.entries_added = added;
        }
        if given != EntryId::MIN {
            stream.max_deleted_id = given;
        }
        Outcome::Done
    }

    fn xgroup(&mut self, command: &Command, now: u64) -> Outcome {
        let (key, name) = match command {
            Command::XGroupCreate(XGroupCreate { target, .. })
            | Command::XGroupSetId(XGroupSetId { target, .. })
            | Command::XGroupDestroy(target) => (&target.key, &target.group),
            Command::XGroupCreateConsumer(target) | Command::XGroupDelConsumer(target) => {
                (&target.key, &target.group)
            }
            _ => unreachable!("only XGROUP comes here"),
        };
        if let Command::XGroupCreate(XGroupCreate { missing_key: MissingKey::Create, .. }) = command {
            self.keys.entry(key.clone()).or_default();
        }
        let Some(stream) = self.keys.get_mut(key) else { return rejected(Rejection::KeyRequiredByXGroup) };
        let start = |start: &GroupStart| match start {
            GroupStart::Last => stream.last_id,
            GroupStart::After(id) => *id,
        };
        let added = stream.entries_added;
        let missing = || rejected(Rejection::NoGroup(key.clone(), name.clone()));
        match command {
            Command::XGroupCreate(command) => {
                let last_id = start(&command.start);
                if stream.groups.contains_key(name) {
                    return rejected(Rejection::GroupExists);
                }
                let entries_read = command.entries_read.map(|read| read.min(added));
                let group = Group { last_id, entries_read, ..Group::default() };
                stream.groups.insert(name.clone(), group);
                Outcome::Done
            }
            Command::XGroupSetId(command) => {
                let last_id = start(&command.start);
                let Some(group) = stream.groups.get_mut(name) else { return missing() };
                group.last_id = last_id;
                group.entries_read = command.entries_read.map(|read| read.min(added));
                Outcome::Done
            }
            Command::XGroupDestroy(_) => Outcome::Integer(i64::from(stream.groups.remove(name).is_some())),
            Command::XGroupCreateConsumer(target) => {
                let Some(group) = stream.groups.get_mut(name) else { return missing() };
                if group.consumers.contains_key(&target.consumer) {
                    return Outcome::Integer(0);
                }
                group.see(&target.consumer, now);
                Outcome::Integer(1)
            }
            Command::XGroupDelConsumer(target) => {
                let Some(group) = stream.groups.get_mut(name) else { return missing() };
                let before = group.pending.len();
                if group.consumers.remove(&target.consumer).is_some() {
                    group.pending.retain(|record| record.consumer.as_ref() != Some(&target.consumer));
                }
                Outcome::Integer((before - group.pending.len()) as i64)
            }
            _ => unreachable!("only XGROUP comes here"),
        }
    }

    fn claimable(&mut self, target: &ConsumerRef) -> Result<(Stream, Group), Outcome> {
        let refused = || rejected(Rejection::NoKeyOrGroup(target.key.clone(), target.group.clone()));
        let stream = self.keys.get(&target.key).ok_or_else(refused)?;
        let group = stream.groups.get(&target.group).ok_or_else(refused)?;
        Ok((stream.clone(), group.clone()))
    }

    fn put_group(&mut self, target: &ConsumerRef, group: Group) {
        let stream = self.keys.get_mut(&target.key).expect("the key was read");
        stream.groups.insert(target.group.clone(), group);
    }

    fn xclaim(&mut self, command: &XClaim, now: u64) -> Outcome {
        let target = &command.target;
        let (stream, mut group) = match self.claimable(target) {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        group.last_id = group.last_id.max(command.last_id.unwrap_or(EntryId::MIN));
        group.see(&target.consumer, now);
        let time = match command.delivery_time {
            DeliveryTime::Now => now as i128,
            DeliveryTime::IdleMs(idle) => now as i128 - i128::from(idle),
            DeliveryTime::AtUnixMs(ms) => i128::from(ms),
        };
        let time = if time < 0 || time > now as i128 { now } else { time as u64 };
        let mut claimed = Vec::new();
        for id in &command.ids {
            let found = group.find(*id).map(|at| group.pending[at].clone());
            if !stream.exists(*id) {
                group.pending.retain(|record| record.id != *id);
                continue;
            }
            let count = match found {
                Some(record) if record.consumer.is_some() && now - record.time < command.min_idle_ms => {
                    continue;
                }
                Some(record) => record.count,
                None if command.force == Force::Yes => 1,
                None => continue,
            };
            let counted = counted(count, command.reply);
            let count = command.retry_count.unwrap_or(counted);
            group.set(Pending { id: *id, consumer: Some(target.consumer.clone()), time, count, turn: 0 });
            group.active(&target.consumer, now);
            claimed.push(*id);
        }
        self.put_group(target, group);
        match command.reply {
            ClaimReply::Ids => Outcome::EntryIds(claimed),
            ClaimReply::Entries => Outcome::Entries(entries_of(&stream, &claimed)),
        }
    }

    fn xautoclaim(&mut self, command: &XAutoClaim, now: u64) -> Outcome {
        let target = &command.target;
        let (stream, mut group) = match self.claimable(target) {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        group.see(&target.consumer, now);
        let candidates: Vec<Pending> =
            group.pending.iter().filter(|record| record.id >= command.start).cloned().collect();
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let mut cursor = EntryId::MIN;
        for (at, record) in candidates.iter().enumerate() {
            if at as u64 == command.count * 10 || (claimed.len() + deleted.len()) as u64 == command.count {
                cursor = record.id;
                break;
            }
            if !stream.exists(record.id) {
                group.pending.retain(|one| one.id != record.id);
                deleted.push(record.id);
            } else if record.consumer.is_none() || now - record.time >= command.min_idle_ms {
                let count = counted(record.count, command.reply);
                let consumer = Some(target.consumer.clone());
                group.set(Pending { id: record.id, consumer, time: now, count, turn: 0 });
                group.active(&target.consumer, now);
                claimed.push(record.id);
            }
        }
        self.put_group(target, group);
        let claimed = match command.reply {
            ClaimReply::Ids => Claimed::Ids(claimed),
            ClaimReply::Entries => Claimed::Entries(entries_of(&stream, &claimed)),
        };
        Outcome::AutoClaimed(AutoClaimed { cursor, claimed, deleted })
    }

    fn expire_key(&mut self, command: &Expire, now: u64) -> Outcome {
        let Some(stream) = self.keys.get_mut(&command.key) else { return Outcome::Integer(0) };
        let at = match command.deadline {
            Deadline::InMs(ms) => now as i64 + ms,
            Deadline::AtUnixMs(ms) => ms,
        };
        let current = stream.deadline.map(|deadline| deadline as i64);
        let holds = match command.condition {
            ExpireCondition::Always => true,
            ExpireCondition::IfNone => current.is_none(),
            ExpireCondition::IfSome => current.is_some(),
            ExpireCondition::IfLater => at > current.unwrap_or(i64::MAX),
            ExpireCondition::IfEarlier => at < current.unwrap_or(i64::MAX),
        };
        if !holds || (command.existing_only == ExistingOnly::Yes && current.is_none()) {
            return Outcome::Integer(0);
        }
        if at <= now as i64 {
            self.keys.remove(&command.key);
        } else {
            stream.deadline = Some(at as u64);
        }
        Outcome::Integer(1)
    }
}

fn counted(count: u64, reply: ClaimReply) -> u64 {
    (count + u64::from(reply == ClaimReply::Entries)).min(i64::MAX as u64)
}

fn entries_of(stream: &Stream, ids: &[EntryId]) -> Entries {
    let live = stream.live();
    pack(ids.iter().map(|id| {
        let item = live.iter().find(|item| item.id == *id).expect("only live entries are claimed");
        (*id, Some(&item.fields))
    }))
}
