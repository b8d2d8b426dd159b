//! What clients do next.

use rivermark_oracle::Operation;
use rivermark_oracle::operation::{
    Acknowledgement, ClaimForm, Cursor, GroupFrom, Idempotence, Precision, ReadFrom, TrimBound, Wait,
};
use rivermark_types::EntryId;

use crate::exhaustive::UNSEEN;
use crate::generator::{GROUPS, World};

const CONSUMERS: [&str; 3] = ["c0", "c1", "c2"];

impl World {
    /// The next operation of an idle client.
    pub fn choose(&mut self) -> Operation {
        let key = format!("s{}", self.random.below(self.profile.keys));
        let roll = self.random.below(100);
        let profile = self.profile;
        let mut bound = profile.groups;
        if roll < bound {
            return self.choose_group(key);
        }
        bound += profile.deletes;
        if roll < bound {
            let ids = (0..=self.random.below(2)).map(|_| self.known_id(&key).unwrap_or(UNSEEN)).collect();
            return Operation::Xdel { key, ids };
        }
        bound += profile.trims;
        if roll < bound {
            return self.choose_trim(key);
        }
        bound += profile.tails;
        if roll < bound {
            let after = self.known_id(&key).filter(|_| self.random.percent(40));
            let from = after.map_or(ReadFrom::Newest, ReadFrom::After);
            return Operation::Xread { key, from, count: self.choose_count(), wait: Wait::Block };
        }
        if self.random.percent(45) { self.choose_add(key) } else { self.choose_read(key) }
    }

    fn choose_add(&mut self, key: String) -> Operation {
        let payload = format!("p{}", self.begun);
        let idempotence = self
            .random
            .percent(30)
            .then(|| Idempotence { producer: "producer".to_owned(), number: self.begun.to_string() });
        let max_len =
            (self.profile.trims > 0 && self.random.percent(10)).then(|| self.random.below(6) as u64);
        Operation::Xadd { key, payload, idempotence, max_len }
    }

    fn choose_trim(&mut self, key: String) -> Operation {
        let bound = match self.known_id(&key).filter(|_| self.random.percent(50)) {
            Some(id) => TrimBound::MinId(id),
            None => TrimBound::MaxLen(self.random.below(8) as u64),
        };
        let precision = if self.random.percent(70) { Precision::Exact } else { Precision::Approximate };
        Operation::Xtrim { key, bound, precision }
    }

    fn choose_count(&mut self) -> Option<usize> {
        self.random.percent(self.profile.counts).then(|| 1 + self.random.below(4))
    }

    fn choose_read(&mut self, key: String) -> Operation {
        let start = self.known_id(&key).filter(|_| self.random.percent(40)).unwrap_or(EntryId::MIN);
        let end = self.known_id(&key).filter(|_| self.random.percent(40)).unwrap_or(EntryId::MAX);
        let count = self.choose_count();
        match self.random.below(5) {
            0 | 1 => Operation::Xrange { key, start, end, count },
            2 => Operation::Xrevrange { key, start, end, count },
            3 => Operation::Xlen { key },
            _ => Operation::Xread { key, from: ReadFrom::After(start), count, wait: Wait::No },
        }
    }

    fn choose_group(&mut self, key: String) -> Operation {
        let group = (*self.random.pick(&GROUPS).expect("not empty")).to_owned();
        let consumer = (*self.random.pick(&CONSUMERS).expect("not empty")).to_owned();
        if self.random.percent(self.profile.setids) {
            let cursor = self.known_id(&key).map_or(Cursor::Newest, Cursor::At);
            return Operation::XgroupSetid { key, group, cursor };
        }
        if self.random.percent(self.profile.delconsumers) {
            return Operation::XgroupDelconsumer { key, group, consumer };
        }
        let held = self.held.entry((key.clone(), group.clone())).or_default();
        let form = if self.random.percent(25) { ClaimForm::IdsOnly } else { ClaimForm::Entries };
        let min_idle_ms = self.random.below(3) as u64;
        match self.random.below(10) {
            0..=3 => Operation::Xreadgroup {
                from: GroupFrom::New,
                count: self.choose_count(),
                wait: if self.random.percent(50) { Wait::No } else { Wait::Block },
                acknowledgement: if self.random.percent(self.profile.noacks) {
                    Acknowledgement::None
                } else {
                    Acknowledgement::Expected
                },
                key,
                group,
                consumer,
            },
            4 => Operation::Xreadgroup {
                from: GroupFrom::History(EntryId::MIN),
                count: self.choose_count(),
                wait: Wait::No,
                acknowledgement: Acknowledgement::Expected,
                key,
                group,
                consumer,
            },
            5..=7 if !held.is_empty() => {
                let ids =
                    (0..=self.random.below(3)).filter_map(|_| self.random.pick(held).copied()).collect();
                Operation::Xack { key, group, ids }
            }
            8 if !held.is_empty() => {
                let ids = vec![held[self.random.below(held.len())]];
                Operation::Xclaim { key, group, consumer, min_idle_ms, ids, form }
            }
            _ => {
                let (start, count) = (EntryId::MIN, 1 + self.random.below(5));
                Operation::Xautoclaim { key, group, consumer, min_idle_ms, start, count, form }
            }
        }
    }

    fn known_id(&mut self, key: &str) -> Option<EntryId> {
        let seen = self.seen.get(key).filter(|seen| !seen.is_empty())?;
        Some(seen[self.random.below(seen.len())])
    }
}
