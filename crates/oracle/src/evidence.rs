//! A history and its end, arranged by stream and by group.

use std::collections::BTreeMap;

use rivermark_types::EntryId;

use crate::call::{Call, End};
use crate::history::{History, HistoryError};
use crate::observation::{FinalGroup, FinalStream, Observation};
use crate::operation::{Acknowledgement, ClaimForm, Delivery, GroupFrom, Operation, Reply};

/// All that is known, validated.
#[derive(Debug)]
pub struct Evidence<'a> {
    calls: Vec<Call>,
    observation: Option<&'a Observation>,
}

/// What is known of one stream.
#[derive(Clone, Debug)]
pub struct StreamEvidence<'a> {
    /// The stream.
    pub key: &'a str,
    /// Its calls, those on its groups included, in the order they began.
    pub calls: Vec<&'a Call>,
    /// Its end, if it was observed.
    pub last: Option<&'a FinalStream>,
}

/// What is known of one group.
#[derive(Clone, Debug)]
pub struct GroupEvidence<'a> {
    /// Its stream, all calls included.
    pub stream: &'a StreamEvidence<'a>,
    /// The group.
    pub group: &'a str,
    /// The calls that name it and were not refused, in the order they began.
    pub calls: Vec<&'a Call>,
    /// Its end, if it was observed.
    pub last: Option<&'a FinalGroup>,
}

/// An id and a payload seen together.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// The id.
    pub id: EntryId,
    /// The payload.
    pub payload: &'a str,
    /// Who saw it; none for the observation at the end.
    pub call: Option<&'a Call>,
}

/// How an entry came to a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handing {
    /// `>`.
    New(Acknowledgement),
    /// XREADGROUP of the consumer's own pending entries.
    History,
    /// XCLAIM or XAUTOCLAIM.
    Claim(ClaimForm),
}

/// An entry given to a consumer in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The call whose answer it was in.
    pub call: &'a Call,
    /// The entry, and its payload if it was shown.
    pub delivery: &'a Delivery,
    /// The consumer.
    pub consumer: &'a str,
    /// By which way.
    pub handing: Handing,
}

impl<'a> Evidence<'a> {
    /// Pairs and validates the history.
    ///
    /// # Errors
    /// What [`History::calls`] finds wrong.
    pub fn new(history: &History, observation: Option<&'a Observation>) -> Result<Self, HistoryError> {
        Ok(Self { calls: history.calls()?, observation })
    }

    /// All calls, in the order they began.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The end, if it was observed.
    pub fn observation(&self) -> Option<&'a Observation> {
        self.observation
    }

    /// Every stream that a call or the observation names.
    pub fn streams(&self) -> Vec<StreamEvidence<'_>> {
        let mut streams: BTreeMap<&str, StreamEvidence<'_>> = BTreeMap::new();
        let end = self.observation.map(|observation| &observation.streams);
        for (key, last) in end.into_iter().flatten() {
            streams.insert(key, StreamEvidence { key, calls: Vec::new(), last: Some(last) });
        }
        for call in &self.calls {
            let key = call.operation.key();
            let stream =
                streams.entry(key).or_insert_with(|| StreamEvidence { key, calls: Vec::new(), last: None });
            stream.calls.push(call);
        }
        streams.into_values().collect()
    }
}

impl<'a> StreamEvidence<'a> {
    /// Its groups. One that may have been destroyed is left out: which of its lives a call belongs to is
    /// not known. The second part names those.
    pub fn groups(&'a self) -> (Vec<GroupEvidence<'a>>, Vec<&'a str>) {
        let mut groups: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.may_have_happened()) {
            if let Some(group) = call.operation.group() {
                groups.entry(group).or_default().push(call);
            }
        }
        for name in self.last.iter().flat_map(|last| last.groups.keys()) {
            groups.entry(name).or_default();
        }
        let mut kept = Vec::new();
        let mut destroyed = Vec::new();
        for (group, calls) in groups {
            if calls.iter().any(|call| matches!(call.operation, Operation::XgroupDestroy { .. })) {
                destroyed.push(group);
                continue;
            }
            let last = self.last.and_then(|last| last.groups.get(group));
            kept.push(GroupEvidence { stream: self, group, calls, last });
        }
        (kept, destroyed)
    }

    /// Every id seen with a payload: in the answers of XADD, reads and deliveries, and at the end.
    pub fn sightings(&self) -> Vec<Sighting<'a>> {
        let mut seen = Vec::new();
        for call in &self.calls {
            let call: &'a Call = call;
            let mut note = |id, payload| seen.push(Sighting { id, payload, call: Some(call) });
            match (&call.operation, call.reply()) {
                (Operation::Xadd { payload, .. }, Some(Reply::Added { id })) => note(*id, payload.as_str()),
                (_, Some(Reply::Entries { entries })) => {
                    entries.iter().for_each(|entry| note(entry.id, &entry.payload));
                }
                (_, Some(Reply::Deliveries { entries } | Reply::Claimed { entries, .. })) => {
                    for Delivery { id, payload } in entries {
                        if let Some(payload) = payload {
                            note(*id, payload);
                        }
                    }
                }
                _ => {}
            }
        }
        let end = self.last.into_iter().flat_map(|last| &last.entries);
        seen.extend(end.map(|entry| Sighting { id: entry.id, payload: &entry.payload, call: None }));
        seen
    }

    /// The XADD calls, refused ones included.
    pub fn adds(&self) -> impl Iterator<Item = (&'a Call, &'a str)> {
        self.calls.iter().filter_map(|call| match &call.operation {
            Operation::Xadd { payload, .. } => Some((*call, payload.as_str())),
            _ => None,
        })
    }
}

impl<'a> GroupEvidence<'a> {
    /// Every entry given to a consumer, in the order the calls began.
    pub fn handed(&self) -> Vec<Handed<'a>> {
        let mut handed = Vec::new();
        for call in &self.calls {
            let (consumer, handing) = match &call.operation {
                Operation::Xreadgroup { consumer, from: GroupFrom::New, acknowledgement, .. } => {
                    (consumer, Handing::New(*acknowledgement))
                }
                Operation::Xreadgroup { consumer, .. } => (consumer, Handing::History),
                Operation::Xclaim { consumer, form, .. } | Operation::Xautoclaim { consumer, form, .. } => {
                    (consumer, Handing::Claim(*form))
                }
                _ => continue,
            };
            if let Some(Reply::Deliveries { entries } | Reply::Claimed { entries, .. }) = call.reply() {
                handed.extend(entries.iter().map(|delivery| Handed { call, delivery, consumer, handing }));
            }
        }
        handed
    }

    /// The calls that moved its cursor by hand.
    pub fn setids(&self) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().copied().filter(|call| matches!(call.operation, Operation::XgroupSetid { .. }))
    }

    /// Whether the cursor may have been moved by hand between the beginning of `first` and the end of
    /// `second`.
    pub fn moved_between(&self, first: &Call, second: &Call) -> bool {
        self.moved_since(first.invoked_ns, second.effective_by_ns())
    }

    /// Whether the cursor may have been moved by hand between two instants.
    pub fn moved_since(&self, from_ns: u64, to_ns: u64) -> bool {
        self.setids().any(|setid| setid.invoked_ns <= to_ns && setid.effective_by_ns() >= from_ns)
    }

    /// Its name for messages.
    pub fn name(&self) -> String {
        format!("group {:?} of stream {:?}", self.group, self.stream.key)
    }

    /// XACK calls that were answered, with their ids.
    pub fn acks(&self) -> impl Iterator<Item = (&'a Call, &'a [EntryId])> {
        self.calls.iter().filter_map(|call| match (&call.operation, &call.end) {
            (Operation::Xack { ids, .. }, End::Ok { .. }) => Some((*call, ids.as_slice())),
            _ => None,
        })
    }
}
