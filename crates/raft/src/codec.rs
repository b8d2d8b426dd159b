//! Raft's own data as bytes: log entries, memberships, a snapshot's meta. One encoding for disk and wire.
//!
//! An entry is a tag byte and its content: 1 blank (empty), 2 a payload as its machine encoded it,
//! 3 a membership. Integers are little-endian. See "Raft entries" in docs/formats.md.
//!
//! Tags and versions are never renumbered; unknown ones are refused, never guessed at.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::{Buf, BufMut, Bytes};
use openraft::EntryPayload;
use openraft::impls::EmptyNode;
use rivermark_raft_log::{EncodedPayload, EntryCodec};

use crate::type_config::{
    Entry, LeaderId, LogId, Membership, Payload, SnapshotMeta, StoredMembership, TypeConfig,
};

const TAG_BLANK: u8 = 1;
const TAG_NORMAL: u8 = 2;
const TAG_MEMBERSHIP: u8 = 3;
const MEMBERSHIP_VERSION: u8 = 1;
const META_VERSION: u8 = 1;

/// How the log stores entries. Payload bytes are shared, never copied.
#[derive(Debug)]
pub(crate) struct Codec;

impl EntryCodec<TypeConfig> for Codec {
    fn encode(entry: &Entry) -> Vec<Bytes> {
        match &entry.payload {
            EntryPayload::Blank => vec![Bytes::from_static(&[TAG_BLANK])],
            EntryPayload::Normal(payload) => vec![Bytes::from_static(&[TAG_NORMAL]), payload.0.clone()],
            EntryPayload::Membership(membership) => {
                vec![Bytes::from_static(&[TAG_MEMBERSHIP]), encode_membership(membership)]
            }
        }
    }

    fn decode(log_id: LogId, mut payload: EncodedPayload) -> io::Result<Entry> {
        let tag = payload.try_get_u8().map_err(|_| malformed("an entry without a tag"))?;
        let content = payload.into_bytes();
        let payload = match tag {
            TAG_BLANK if content.is_empty() => EntryPayload::Blank,
            TAG_NORMAL => EntryPayload::Normal(Payload(content)),
            TAG_MEMBERSHIP => EntryPayload::Membership(decode_membership(content)?),
            _ => return Err(malformed("an entry of an unknown kind")),
        };
        Ok(Entry { log_id, payload })
    }
}

/// A membership: version, the configurations (one, or two while it changes), and all nodes.
pub(crate) fn encode_membership(membership: &Membership) -> Bytes {
    let mut out = vec![MEMBERSHIP_VERSION];
    let configs = membership.get_joint_config();
    put_count(&mut out, configs.len());
    for config in configs {
        put_count(&mut out, config.len());
        config.iter().for_each(|node| out.put_u64_le(*node));
    }
    let nodes: Vec<u64> = membership.nodes().map(|(node, _)| *node).collect();
    put_count(&mut out, nodes.len());
    nodes.iter().for_each(|node| out.put_u64_le(*node));
    out.into()
}

pub(crate) fn decode_membership(mut bytes: Bytes) -> io::Result<Membership> {
    let membership = take_membership(&mut bytes).map_err(|_| malformed("a membership cut short"))??;
    if bytes.has_remaining() { Err(malformed("a membership with bytes behind it")) } else { Ok(membership) }
}

type Cut = bytes::TryGetError;

fn take_membership(bytes: &mut Bytes) -> Result<io::Result<Membership>, Cut> {
    if bytes.try_get_u8()? != MEMBERSHIP_VERSION {
        return Ok(Err(malformed("a membership of an unknown version")));
    }
    let mut configs: Vec<BTreeSet<u64>> = Vec::new();
    for _ in 0..bytes.try_get_u32_le()? {
        let mut config = BTreeSet::new();
        for _ in 0..bytes.try_get_u32_le()? {
            config.insert(bytes.try_get_u64_le()?);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..bytes.try_get_u32_le()? {
        nodes.insert(bytes.try_get_u64_le()?, EmptyNode::new());
    }
    // A state machine that applied nothing has a membership of nobody.
    if configs.is_empty() && nodes.is_empty() {
        return Ok(Ok(Membership::default()));
    }
    let membership = Membership::new(configs, nodes);
    Ok(membership.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string())))
}

/// What stands beside a snapshot's chunks: version, last log id, membership and its log id.
pub(crate) fn encode_snapshot_meta(meta: &SnapshotMeta) -> Bytes {
    let mut out = vec![META_VERSION];
    put_log_id(&mut out, meta.last_log_id.as_ref());
    put_log_id(&mut out, meta.last_membership.log_id().as_ref());
    out.extend_from_slice(&encode_membership(meta.last_membership.membership()));
    out.into()
}

pub(crate) fn decode_snapshot_meta(mut bytes: Bytes) -> io::Result<SnapshotMeta> {
    let cut = |_| malformed("a snapshot's meta cut short");
    if bytes.try_get_u8().map_err(cut)? != META_VERSION {
        return Err(malformed("a snapshot's meta of an unknown version"));
    }
    let last_log_id = take_log_id(&mut bytes).map_err(cut)?;
    let membership_log_id = take_log_id(&mut bytes).map_err(cut)?;
    let membership = decode_membership(bytes)?;
    Ok(SnapshotMeta { last_log_id, last_membership: StoredMembership::new(membership_log_id, membership) })
}

fn put_log_id(out: &mut Vec<u8>, id: Option<&LogId>) {
    out.put_u8(u8::from(id.is_some()));
    if let Some(id) = id {
        out.put_u64_le(id.leader_id.term);
        out.put_u64_le(id.leader_id.node_id);
        out.put_u64_le(id.index);
    }
}

fn take_log_id(bytes: &mut Bytes) -> Result<Option<LogId>, Cut> {
    if bytes.try_get_u8()? == 0 {
        return Ok(None);
    }
    let leader_id = LeaderId { term: bytes.try_get_u64_le()?, node_id: bytes.try_get_u64_le()? };
    Ok(Some(LogId { leader_id, index: bytes.try_get_u64_le()? }))
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.put_u32_le(u32::try_from(count).expect("memberships are small"));
}

pub(crate) fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_id(index: u64) -> LogId {
        LogId { leader_id: LeaderId { term: 3, node_id: 2 }, index }
    }

    fn membership() -> Membership {
        let nodes: BTreeMap<u64, EmptyNode> = [1, 2, 3, 4].map(|id| (id, EmptyNode::new())).into();
        Membership::new(vec![[1, 2, 3].into(), [2, 3, 4].into()], nodes).expect("voters are nodes")
    }

    #[test]
    fn entries_come_back_and_payloads_are_shared() {
        let body = Bytes::from(vec![7; 100]);
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Payload(body.clone())),
            EntryPayload::Normal(Payload(Bytes::new())),
            EntryPayload::Membership(membership()),
        ];
        for payload in payloads {
            let entry = Entry { log_id: log_id(9), payload };
            let in_memory = EncodedPayload::from(Codec::encode(&entry));
            let on_disk = EncodedPayload::from(in_memory.clone().into_bytes());
            for encoded in [in_memory, on_disk] {
                assert_eq!(Codec::decode(log_id(9), encoded).unwrap(), entry);
            }
        }
        let entry = Entry { log_id: log_id(1), payload: EntryPayload::Normal(Payload(body.clone())) };
        let decoded = Codec::decode(log_id(1), Codec::encode(&entry).into()).unwrap();
        let EntryPayload::Normal(payload) = decoded.payload else { panic!("a normal entry") };
        assert_eq!(payload.0.as_ptr(), body.as_ptr(), "not copied");
    }

    #[test]
    fn unknown_and_damaged_entries_are_refused() {
        for bytes in [&[][..], &[0], &[9, 1], &[TAG_BLANK, 1], &[TAG_MEMBERSHIP], &[TAG_MEMBERSHIP, 2, 0]] {
            let encoded = EncodedPayload::from(Bytes::copy_from_slice(bytes));
            assert!(Codec::decode(log_id(1), encoded).is_err(), "{bytes:?}");
        }
        let whole = encode_membership(&membership());
        for length in 0..whole.len() {
            assert!(decode_membership(whole.slice(..length)).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn snapshot_metas_come_back() {
        let stored = StoredMembership::new(Some(log_id(4)), membership());
        for meta in
            [SnapshotMeta::default(), SnapshotMeta { last_log_id: Some(log_id(9)), last_membership: stored }]
        {
            assert_eq!(decode_snapshot_meta(encode_snapshot_meta(&meta)).unwrap(), meta);
        }
    }
}
