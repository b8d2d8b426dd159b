//! The model's newer commands: deletion that looks after references, XNACK, idempotent ids, keys that move.

use rivermark_stream::command::*;
use rivermark_stream::outcome::IdempotenceInfo;
use rivermark_stream::{Command, Outcome, Rejection};
use rivermark_types::EntryId;

use super::naive::{Group, Idempotence, Naive, Pending, Stream, rejected};

const SETTINGS: (u32, u32) = (1, 3);

/// The settings the machine runs with: so short and few that ids are forgotten.
pub fn settings(block_entries_max: u32) -> Settings {
    let (idempotent_s, idempotent_pairs_max) = SETTINGS;
    Settings { block_entries_max, block_bytes_max: 0, idempotent_s, idempotent_pairs_max }
}

impl Idempotence {
    fn bounds_in_force(&self) -> (u32, u32) {
        (self.duration_s.unwrap_or(SETTINGS.0), self.pairs_max.unwrap_or(SETTINGS.1))
    }

    fn fresh(&self, now: u64) -> Vec<(IdempotentId, EntryId)> {
        let duration_ms = u64::from(self.bounds_in_force().0) * 1000;
        let fresh = |(_, entry): &&(IdempotentId, EntryId)| entry.ms.saturating_add(duration_ms) > now;
        self.pairs.iter().filter(fresh).cloned().collect()
    }

    pub fn added_before(&mut self, pair: &IdempotentId, now: u64) -> Option<EntryId> {
        self.pairs = self.fresh(now);
        let (_, entry) = self.pairs.iter().find(|(known, _)| known == pair)?;
        self.duplicates += 1;
        Some(*entry)
    }

    pub fn insert(&mut self, pair: &IdempotentId, entry: EntryId) {
        self.pairs.push((pair.clone(), entry));
        let own = |(known, _): &&(IdempotentId, EntryId)| known.producer == pair.producer;
        while self.pairs.iter().filter(own).count() > self.bounds_in_force().1 as usize {
            let lowest =
                self.pairs.iter().filter(own).min_by_key(|(known, entry)| (*entry, known.id.clone()));
            let lowest = lowest.expect("there are too many").clone();
            self.pairs.retain(|one| *one != lowest);
        }
    }

    pub fn told(&self, now: u64) -> IdempotenceInfo {
        let fresh = self.fresh(now);
        let producers: std::collections::BTreeSet<_> = fresh.iter().map(|(pair, _)| &pair.producer).collect();
        let (duration_s, pairs_max) = self.bounds_in_force();
        IdempotenceInfo {
            duration_s: duration_s.into(),
            pairs_max: pairs_max.into(),
            producers: producers.len() as u64,
            pairs: fresh.len() as u64,
            added: self.added,
            duplicates: self.duplicates,
        }
    }
}

impl Stream {
    fn is_referenced(&self, id: EntryId) -> bool {
        self.groups.values().any(|group| group.last_id < id || group.find(id).is_some())
    }

    fn drop_references(&mut self, id: EntryId) {
        self.groups.values_mut().for_each(|group| group.pending.retain(|record| record.id != id));
    }

    pub fn trim_entries(&mut self, trim: &Trim, run_entries_max: usize) {
        let before = self.length();
        let budget = match trim.precision {
            TrimPrecision::Exact | TrimPrecision::Blocks { limit: Some(0) } => u64::MAX,
            TrimPrecision::Blocks { limit: Some(limit) } => limit,
            TrimPrecision::Blocks { limit: None } => 100 * run_entries_max as u64,
        };
        for run in self.runs.clone() {
            let length = self.length();
            let ids: Vec<EntryId> = run.iter().filter(|item| !item.deleted).map(|item| item.id).collect();
            let last = run.last().expect("no run is empty").id;
            let whole = match trim.keep {
                TrimKeep::MaxLength(max) if length <= max => return,
                TrimKeep::MaxLength(max) => length - ids.len() as u64 >= max,
                TrimKeep::MinId(min) => last < min,
            };
            let over = before - length + ids.len() as u64 > budget;
            if over || (!whole && trim.precision != TrimPrecision::Exact) {
                return;
            }
            for id in ids {
                let stays = match trim.keep {
                    TrimKeep::MaxLength(max) => self.length() <= max,
                    TrimKeep::MinId(min) => id >= min,
                };
                if stays || (trim.references == References::Acknowledged && self.is_referenced(id)) {
                    continue;
                }
                self.drop_references(id);
                self.delete(id);
            }
            if !whole {
                return;
            }
        }
    }

    /// Deletes as XDEL does.
    fn delete_and_note(&mut self, id: EntryId) -> bool {
        let deleted = self.delete(id);
        if deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        deleted
    }

    fn xdelex(&mut self, id: EntryId, references: References) -> i64 {
        match references {
            References::Acknowledged if self.is_referenced(id) => return 2,
            References::Drop => self.drop_references(id),
            _ => {}
        }
        if self.delete_and_note(id) { 1 } else { -1 }
    }
}

impl Naive {
    pub fn newer(&mut self, command: &Command, now: u64) -> Outcome {
        match command {
            Command::XDelEx(XDelEx { key, references, ids }) => match self.keys.get_mut(key) {
                None => Outcome::Integers(vec![-1; ids.len()]),
                Some(stream) => {
                    Outcome::Integers(ids.iter().map(|id| stream.xdelex(*id, *references)).collect())
                }
            },
            Command::XAckDel(command) => self.xackdel(command),
            Command::XNack(command) => self.xnack(command),
            Command::XCfgSet(XCfgSet { key, duration_s, pairs_max }) => {
                let Some(stream) = self.keys.get_mut(key) else { return rejected(Rejection::NoSuchKey) };
                let before = stream.idempotence.bounds_in_force();
                stream.idempotence.duration_s = duration_s.or(stream.idempotence.duration_s);
                stream.idempotence.pairs_max = pairs_max.or(stream.idempotence.pairs_max);
                if stream.idempotence.bounds_in_force() != before {
                    stream.idempotence.pairs.clear();
                }
                Outcome::Done
            }
            Command::XIdmpRecord(command) => self.xidmprecord(command, now),
            Command::Rename(Rename { from, to, occupied }) => {
                if !self.keys.contains_key(from) {
                    return rejected(Rejection::NoSuchKey);
                }
                if *occupied == Occupied::Keep && self.keys.contains_key(to) {
                    return Outcome::Integer(0);
                }
                let stream = self.keys.remove(from).expect("checked");
                self.keys.insert(to.clone(), stream);
                if *occupied == Occupied::Keep { Outcome::Integer(1) } else { Outcome::Done }
            }
            Command::Copy(CopyKey { from, to, occupied }) => {
                let taken = *occupied == Occupied::Keep && self.keys.contains_key(to);
                let Some(mut copy) = self.keys.get(from).filter(|_| !taken).cloned() else {
                    return Outcome::Integer(0);
                };
                let Idempotence { duration_s, pairs_max, .. } = copy.idempotence;
                copy.idempotence = Idempotence { duration_s, pairs_max, ..Idempotence::default() };
                self.keys.insert(to.clone(), copy);
                Outcome::Integer(1)
            }
            other => unreachable!("the model has {other:?} elsewhere"),
        }
    }

    fn xackdel(&mut self, command: &XAckDel) -> Outcome {
        let XAckDel { target, references, ids } = command;
        if self.group(&target.key, &target.group).is_none() {
            return Outcome::Integers(vec![-1; ids.len()]);
        }
        let stream = self.keys.get_mut(&target.key).expect("checked");
        let one = |id: &EntryId| {
            let group: &mut Group = stream.groups.get_mut(&target.group).expect("checked");
            if group.find(*id).is_none() {
                return -1;
            }
            group.pending.retain(|record| record.id != *id);
            if *references == References::Acknowledged && stream.is_referenced(*id) {
                return 2;
            }
            if *references == References::Drop {
                stream.drop_references(*id);
            }
            stream.delete_and_note(*id);
            1
        };
        Outcome::Integers(ids.iter().map(one).collect())
    }

    fn xnack(&mut self, command: &XNack) -> Outcome {
        let target = &command.target;
        let turns = self.turns;
        let Some(stream) = self.keys.get_mut(&target.key) else {
            return rejected(Rejection::NoKeyOrGroup(target.key.clone(), target.group.clone()));
        };
        let live: Vec<EntryId> = stream.live().into_iter().map(|item| item.id).collect();
        let Some(group) = stream.groups.get_mut(&target.group) else {
            return rejected(Rejection::NoKeyOrGroup(target.key.clone(), target.group.clone()));
        };
        let mut handled = 0;
        for id in &command.ids {
            let before = group.find(*id).map(|at| group.pending[at].count);
            let forced = command.force == Force::Yes && live.contains(id);
            let Some(before) = before.or(forced.then_some(0)) else { continue };
            let counted = match command.mode {
                NackMode::Silent => before.saturating_sub(1),
                NackMode::Fail => before,
                NackMode::Fatal => i64::MAX as u64,
            };
            handled += 1;
            let (count, turn) = (command.retry_count.unwrap_or(counted), turns + handled);
            group.set(Pending { id: *id, consumer: None, time: 0, count, turn });
        }
        self.turns += handled;
        Outcome::Integer(handled as i64)
    }

    fn xidmprecord(&mut self, command: &XIdmpRecord, now: u64) -> Outcome {
        let Some(stream) = self.keys.get_mut(&command.key) else { return rejected(Rejection::NoSuchKey) };
        if !stream.exists(command.entry) {
            return rejected(Rejection::NoSuchEntry);
        }
        stream.idempotence.pairs = stream.idempotence.fresh(now);
        match stream.idempotence.pairs.iter().find(|(pair, _)| *pair == command.pair) {
            Some((_, entry)) if *entry == command.entry => Outcome::Done,
            Some(_) => rejected(Rejection::IdempotentIdTaken),
            None => {
                stream.idempotence.insert(&command.pair, command.entry);
                Outcome::Done
            }
        }
    }
}
