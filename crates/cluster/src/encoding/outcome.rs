//! Outcomes, for proposals that another node made for the caller. One field; its tag names the variant.

use bytes::Bytes;
use rivermark_types::{NodeId, ShardId};

use crate::codec::{DecodeError, Reader, UnknownFields, Writer};
use crate::outcome::{Outcome, Rejection};

impl Outcome {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Changed { epoch } => writer.number(1, *epoch),
            Self::Unchanged { epoch } => writer.number(2, *epoch),
            Self::Rejected(rejection) => writer.message(3, |w| write_rejection(w, rejection)),
        }
        writer.into_bytes()
    }

    /// From bytes.
    ///
    /// # Errors
    /// The bytes are no outcome this release knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, UnknownFields::Skip)?;
        let (tag, field) = reader.next()?.ok_or(DecodeError::Missing("outcome"))?;
        if reader.next()?.is_some() {
            return Err(DecodeError::Invalid("outcome"));
        }
        match tag {
            1 => Ok(Self::Changed { epoch: field.number()? }),
            2 => Ok(Self::Unchanged { epoch: field.number()? }),
            3 => read_rejection(field.message()?).map(Self::Rejected),
            _ => Err(DecodeError::Unknown { what: "outcome", number: tag }),
        }
    }
}

/// Tag 1 is the kind; the others are what kinds carry, each wherever it is needed.
fn write_rejection(writer: &mut Writer, rejection: &Rejection) {
    let mut kind = |kind: u64| writer.number(1, kind);
    match rejection {
        Rejection::NotBootstrapped => kind(1),
        Rejection::AlreadyBootstrapped { cluster_id } => {
            kind(2);
            writer.bytes(4, &cluster_id.to_be_bytes());
        }
        Rejection::NodeCount => kind(3),
        Rejection::ShardCount => kind(4),
        Rejection::ReplicaCount => kind(5),
        Rejection::NodeIdZero => kind(6),
        Rejection::BadAddress { node } => of_node(writer, 7, *node),
        Rejection::NodeExists { node } => of_node(writer, 8, *node),
        Rejection::NodeRemoved { node } => of_node(writer, 9, *node),
        Rejection::NodeUnknown { node } => of_node(writer, 10, *node),
        Rejection::NodeHoldsReplica { node, shard } => {
            of_node(writer, 11, *node);
            writer.number(3, u64::from(shard.get()));
        }
        Rejection::NodeDraining { node } => of_node(writer, 12, *node),
        Rejection::ShardUnknown { shard } => {
            kind(13);
            writer.number(3, u64::from(shard.get()));
        }
        Rejection::DuplicateReplica { node } => of_node(writer, 14, *node),
        Rejection::MetadataOwnsNoSlots => kind(15),
        Rejection::NoSlots => kind(16),
        Rejection::SettingOutOfBounds { name, value } => {
            kind(17);
            writer.text(5, name);
            writer.number(6, *value);
        }
        Rejection::UserChanged => kind(18),
        Rejection::UserTooLarge => kind(19),
        Rejection::UsersTooLarge => kind(20),
        Rejection::DefaultUserStays => kind(21),
    }
}

fn of_node(writer: &mut Writer, kind: u64, node: NodeId) {
    writer.number(1, kind);
    writer.number(2, node.get());
}

fn read_rejection(mut reader: Reader<'_>) -> Result<Rejection, DecodeError> {
    let (mut kind, mut node, mut shard, mut cluster_id, mut name, mut value) =
        (None, None, None, None, None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => kind = Some(field.number()?),
            2 => node = Some(NodeId::new(field.number()?)),
            3 => shard = Some(ShardId::new(field.narrow()?)),
            4 => cluster_id = Some(u128::from_be_bytes(field.array()?)),
            5 => name = Some(field.text()?),
            6 => value = Some(field.number()?),
            _ => reader.unknown("rejection field", tag)?,
        }
    }
    let node = || node.ok_or(DecodeError::Missing("node id"));
    let shard = || shard.ok_or(DecodeError::Missing("shard id"));
    Ok(match kind.ok_or(DecodeError::Missing("kind of rejection"))? {
        1 => Rejection::NotBootstrapped,
        2 => Rejection::AlreadyBootstrapped {
            cluster_id: cluster_id.ok_or(DecodeError::Missing("cluster id"))?,
        },
        3 => Rejection::NodeCount,
        4 => Rejection::ShardCount,
        5 => Rejection::ReplicaCount,
        6 => Rejection::NodeIdZero,
        7 => Rejection::BadAddress { node: node()? },
        8 => Rejection::NodeExists { node: node()? },
        9 => Rejection::NodeRemoved { node: node()? },
        10 => Rejection::NodeUnknown { node: node()? },
        11 => Rejection::NodeHoldsReplica { node: node()?, shard: shard()? },
        12 => Rejection::NodeDraining { node: node()? },
        13 => Rejection::ShardUnknown { shard: shard()? },
        14 => Rejection::DuplicateReplica { node: node()? },
        15 => Rejection::MetadataOwnsNoSlots,
        16 => Rejection::NoSlots,
        17 => Rejection::SettingOutOfBounds {
            name: name.ok_or(DecodeError::Missing("setting name"))?,
            value: value.ok_or(DecodeError::Missing("setting value"))?,
        },
        18 => Rejection::UserChanged,
        19 => Rejection::UserTooLarge,
        20 => Rejection::UsersTooLarge,
        21 => Rejection::DefaultUserStays,
        number => return Err(DecodeError::Unknown { what: "rejection", number }),
    })
}
