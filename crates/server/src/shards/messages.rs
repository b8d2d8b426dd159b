//! Between the path's types and the messages of a link.

use bytes::Bytes;
use rivermark_stream::batch::PartOutcome;
use rivermark_stream::codec::{self, DecodeError, Reader};
use rivermark_stream::{Outcome, Query};
use rivermark_types::{DatabaseIndex, EntryId, GroupName, NodeId, StreamKey};
use rivermark_wire::peer as wire;

use super::endpoint::{GroupWait, Refusal, WaitCondition};

/// A message that no node of this version sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

pub(super) fn leader_to_wire(leader: Option<NodeId>) -> u64 {
    leader.map_or(0, NodeId::get)
}

pub(super) fn leader_from_wire(leader: u64) -> Option<NodeId> {
    (leader != 0).then(|| NodeId::new(leader))
}

pub(super) fn refusal_to_wire(refusal: Refusal) -> wire::Refusal {
    use wire::refusal::Reason;
    let (reason, leader) = match refusal {
        Refusal::NotLeader { leader } => (Reason::NotLeader, leader),
        Refusal::Overloaded => (Reason::Overloaded, None),
        Refusal::ShuttingDown => (Reason::ShuttingDown, None),
        Refusal::Unreachable | Refusal::OutcomeUnknown | Refusal::LinkBroken => {
            (Reason::OutcomeUnknown, None)
        }
    };
    wire::Refusal { reason: reason.into(), leader: leader_to_wire(leader) }
}

/// What is not understood may have been applied.
pub(super) fn refusal_from_wire(refusal: &wire::Refusal) -> Refusal {
    use wire::refusal::Reason;
    match refusal.reason() {
        Reason::NotLeader => Refusal::NotLeader { leader: leader_from_wire(refusal.leader) },
        Reason::Overloaded | Reason::Malformed => Refusal::Overloaded,
        Reason::ShuttingDown => Refusal::ShuttingDown,
        Reason::OutcomeUnknown | Reason::Unspecified => Refusal::OutcomeUnknown,
    }
}

pub(super) fn malformed() -> wire::Refusal {
    wire::Refusal { reason: wire::refusal::Reason::Malformed.into(), leader: 0 }
}

pub(super) fn condition_to_wire(condition: &WaitCondition) -> wire::Wait {
    use wire::wait::Condition;
    let condition = match condition {
        WaitCondition::Entries(streams) => Condition::Entries(wire::EntriesWait {
            streams: streams
                .iter()
                .map(|(key, after)| wire::KeyAfter {
                    key: Some(key_to_wire(key)),
                    after_ms: after.ms,
                    after_seq: after.seq,
                })
                .collect(),
        }),
        WaitCondition::Group(wait) => Condition::Group(wire::GroupWait {
            group: wait.group.as_bytes().clone(),
            keys: wait.keys.iter().map(key_to_wire).collect(),
            count: wait.count,
            claim_min_idle_ms: wait.claim_min_idle_ms,
        }),
    };
    wire::Wait { condition: Some(condition) }
}

pub(super) fn condition_from_wire(wait: wire::Wait) -> Result<WaitCondition, Malformed> {
    use wire::wait::Condition;
    match wait.condition.ok_or(Malformed)? {
        Condition::Entries(entries) => {
            let streams = entries.streams.into_iter().map(|stream| {
                let after = EntryId::new(stream.after_ms, stream.after_seq);
                Ok((key_from_wire(stream.key)?, after))
            });
            Ok(WaitCondition::Entries(streams.collect::<Result<_, Malformed>>()?))
        }
        Condition::Group(wait) => Ok(WaitCondition::Group(GroupWait {
            group: GroupName::new(wait.group),
            keys: wait.keys.into_iter().map(|key| key_from_wire(Some(key))).collect::<Result<_, _>>()?,
            count: wait.count,
            claim_min_idle_ms: wait.claim_min_idle_ms,
        })),
    }
}

fn key_to_wire(key: &StreamKey) -> wire::Key {
    wire::Key { database: u32::from(key.database().get()), name: key.name().clone() }
}

fn key_from_wire(key: Option<wire::Key>) -> Result<StreamKey, Malformed> {
    let key = key.ok_or(Malformed)?;
    let database = u8::try_from(key.database).ok().and_then(DatabaseIndex::new).ok_or(Malformed)?;
    Ok(StreamKey::new(database, key.name))
}

pub(super) fn encode_queries(queries: &[Query]) -> Bytes {
    let mut encoded = Vec::new();
    queries.iter().for_each(|query| codec::encode_query(query, &mut encoded));
    encoded.into()
}

pub(super) fn decode_queries(encoded: &Bytes) -> Result<Vec<Query>, Malformed> {
    let mut reader = Reader::new(encoded);
    let mut queries = Vec::new();
    while !reader.is_empty() {
        queries.push(codec::decode_query(&mut reader)?);
    }
    Ok(queries)
}

pub(super) fn encode_outcomes(outcomes: &[Outcome]) -> Bytes {
    let mut encoded = Vec::new();
    outcomes.iter().for_each(|outcome| codec::encode_outcome(outcome, &mut encoded));
    encoded.into()
}

pub(super) fn decode_outcomes(encoded: &Bytes) -> Result<Vec<Outcome>, Malformed> {
    let mut reader = Reader::new(encoded);
    let mut outcomes = Vec::new();
    while !reader.is_empty() {
        outcomes.push(codec::decode_outcome(&mut reader)?);
    }
    Ok(outcomes)
}

pub(super) fn encode_part_outcome(outcome: &PartOutcome) -> Bytes {
    let mut encoded = Vec::new();
    codec::encode_part_outcome(outcome, &mut encoded);
    encoded.into()
}

pub(super) fn decode_part_outcome(encoded: &Bytes) -> Result<PartOutcome, Malformed> {
    let mut reader = Reader::new(encoded);
    let outcome = codec::decode_part_outcome(&mut reader)?;
    reader.finish()?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(database: u8, name: &'static str) -> StreamKey {
        StreamKey::new(DatabaseIndex::new(database).expect("in range"), Bytes::from_static(name.as_bytes()))
    }

    #[test]
    fn conditions_come_back_as_they_were_sent() {
        let group = |bound| {
            WaitCondition::Group(GroupWait {
                group: GroupName::new(Bytes::from_static(b"g")),
                keys: vec![key(0, "a"), key(15, "")],
                count: bound,
                claim_min_idle_ms: bound.map(|bound| bound / 2),
            })
        };
        let entries = WaitCondition::Entries(vec![(key(3, "s"), EntryId::MAX), (key(0, "t"), EntryId::MIN)]);
        for condition in [entries, group(None), group(Some(0)), group(Some(u64::MAX))] {
            assert_eq!(condition_from_wire(condition_to_wire(&condition)), Ok(condition));
        }
    }

    #[test]
    fn conditions_nobody_sends_are_refused() {
        assert_eq!(condition_from_wire(wire::Wait { condition: None }), Err(Malformed));
        let mut wait = condition_to_wire(&WaitCondition::Entries(vec![(key(3, "s"), EntryId::MAX)]));
        let Some(wire::wait::Condition::Entries(entries)) = &mut wait.condition else { unreachable!() };
        entries.streams[0].key.as_mut().expect("set").database = 16;
        assert_eq!(condition_from_wire(wait), Err(Malformed));
    }

    #[test]
    fn refusals_keep_their_doubt() {
        for refusal in [
            Refusal::NotLeader { leader: None },
            Refusal::NotLeader { leader: Some(NodeId::new(7)) },
            Refusal::Overloaded,
            Refusal::ShuttingDown,
            Refusal::OutcomeUnknown,
        ] {
            assert_eq!(refusal_from_wire(&refusal_to_wire(refusal)), refusal);
        }
        // A reason of a later version.
        let later = wire::Refusal { reason: 99, leader: 0 };
        assert!(refusal_from_wire(&later).leaves_doubt());
    }
}
