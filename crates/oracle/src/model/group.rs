//! One consumer group: cursor and pending entries.

use std::collections::BTreeMap;
use std::ops::Bound;

use rivermark_types::EntryId;

use crate::observation::{Drained, FinalGroup, FinalPending};
use crate::operation::{Acknowledgement, ClaimForm, Delivery, GroupFrom, Operation, Reply};

/// The state of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    last_delivered: EntryId,
    pending: BTreeMap<EntryId, Pending>,
}

/// One pending entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its owner.
    pub consumer: String,
    /// How often it was delivered.
    pub delivery_count: u64,
    /// When it was, last.
    pub delivered_ms: u64,
}

type Entries = BTreeMap<EntryId, String>;

impl Group {
    pub(super) fn starting_at(last_delivered: EntryId) -> Self {
        Self { last_delivered, pending: BTreeMap::new() }
    }

    /// The cursor.
    pub fn last_delivered(&self) -> EntryId {
        self.last_delivered
    }

    /// Pending entries by id.
    pub fn pending(&self) -> &BTreeMap<EntryId, Pending> {
        &self.pending
    }

    pub(super) fn move_to(&mut self, id: EntryId) {
        self.last_delivered = id;
    }

    pub(super) fn apply(&mut self, operation: &Operation, entries: &Entries, now_ms: u64) -> Reply {
        match operation {
            Operation::Xreadgroup { consumer, from, count, acknowledgement, .. } => {
                let count = count.unwrap_or(usize::MAX);
                let handed = match from {
                    GroupFrom::New => self.deliver(consumer, count, *acknowledgement, entries, now_ms),
                    GroupFrom::History(after) => self.repeat(consumer, *after, count, entries, now_ms),
                };
                Reply::Deliveries { entries: handed }
            }
            Operation::Xack { ids, .. } => {
                let acked = ids.iter().filter(|id| self.pending.remove(id).is_some()).count();
                Reply::Count { count: acked as u64 }
            }
            Operation::Xclaim { consumer, min_idle_ms, ids, form, .. } => {
                let claim = Claim { consumer, min_idle_ms: *min_idle_ms, form: *form, entries, now_ms };
                let handed = ids.iter().filter_map(|id| self.claim(*id, &claim).ok().flatten());
                Reply::Deliveries { entries: handed.collect() }
            }
            Operation::Xautoclaim { consumer, min_idle_ms, start, count, form, .. } => {
                let claim = Claim { consumer, min_idle_ms: *min_idle_ms, form: *form, entries, now_ms };
                self.claim_from(*start, *count, &claim)
            }
            Operation::XgroupDelconsumer { consumer, .. } => {
                let before = self.pending.len();
                self.pending.retain(|_, pending| pending.consumer != *consumer);
                Reply::Count { count: (before - self.pending.len()) as u64 }
            }
            _ => Reply::Done,
        }
    }

    fn deliver(
        &mut self,
        consumer: &str,
        count: usize,
        acknowledgement: Acknowledgement,
        entries: &Entries,
        now_ms: u64,
    ) -> Vec<Delivery> {
        let after = (Bound::Excluded(self.last_delivered), Bound::Unbounded);
        let mut handed = Vec::new();
        for (id, payload) in entries.range(after).take(count) {
            self.last_delivered = *id;
            if acknowledgement == Acknowledgement::Expected {
                let pending =
                    Pending { consumer: consumer.to_owned(), delivery_count: 1, delivered_ms: now_ms };
                self.pending.insert(*id, pending);
            }
            handed.push(Delivery { id: *id, payload: Some(payload.clone()) });
        }
        handed
    }

    fn repeat(
        &mut self,
        consumer: &str,
        after: EntryId,
        count: usize,
        entries: &Entries,
        now_ms: u64,
    ) -> Vec<Delivery> {
        let after = (Bound::Excluded(after), Bound::Unbounded);
        let own = self.pending.range_mut(after).filter(|(_, pending)| pending.consumer == consumer);
        let mut handed = Vec::new();
        for (id, pending) in own.take(count) {
            let payload = entries.get(id).cloned();
            if payload.is_some() {
                pending.delivery_count += 1;
                pending.delivered_ms = now_ms;
            }
            handed.push(Delivery { id: *id, payload });
        }
        handed
    }

    /// The claimed entry; nothing if it is not pending or not idle enough; an error if the entry is gone
    /// and its record with it.
    fn claim(&mut self, id: EntryId, claim: &Claim<'_>) -> Result<Option<Delivery>, Gone> {
        let Some(pending) = self.pending.get_mut(&id) else { return Ok(None) };
        let Some(payload) = claim.entries.get(&id) else {
            self.pending.remove(&id);
            return Err(Gone);
        };
        if claim.now_ms.saturating_sub(pending.delivered_ms) < claim.min_idle_ms {
            return Ok(None);
        }
        pending.consumer = claim.consumer.to_owned();
        pending.delivered_ms = claim.now_ms;
        let payload = match claim.form {
            ClaimForm::Entries => {
                pending.delivery_count += 1;
                Some(payload.clone())
            }
            ClaimForm::IdsOnly => None,
        };
        Ok(Some(Delivery { id, payload }))
    }

    fn claim_from(&mut self, start: EntryId, count: usize, claim: &Claim<'_>) -> Reply {
        let scanned: Vec<EntryId> = self.pending.range(start..).map(|(id, _)| *id).collect();
        let (mut entries, mut deleted, mut next) = (Vec::new(), Vec::new(), EntryId::MIN);
        for id in scanned {
            if entries.len() + deleted.len() == count {
                next = id;
                break;
            }
            match self.claim(id, claim) {
                Ok(found) => entries.extend(found),
                Err(Gone) => deleted.push(id),
            }
        }
        Reply::Claimed { next, entries, deleted }
    }

    pub(super) fn observe(&self, drained: Drained) -> FinalGroup {
        let record = |(id, pending): (&EntryId, &Pending)| FinalPending {
            id: *id,
            consumer: pending.consumer.clone(),
            delivery_count: pending.delivery_count,
        };
        FinalGroup {
            last_delivered: self.last_delivered,
            drained,
            pending: self.pending.iter().map(record).collect(),
        }
    }
}

/// The entry of a pending record no longer exists.
struct Gone;

struct Claim<'a> {
    consumer: &'a str,
    min_idle_ms: u64,
    form: ClaimForm,
    entries: &'a Entries,
    now_ms: u64,
}
