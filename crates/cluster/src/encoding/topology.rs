//! Topology, node, shard, slots.

use std::sync::Arc;

use bytes::Bytes;
use rivermark_types::{NodeId, ShardId};

use super::user;
use crate::codec::{DecodeError, Reader, UnknownFields, Writer};
use crate::invariants;
use crate::settings::Setting;
use crate::slots::{SlotRange, SlotRanges};
use crate::topology::{Node, NodeState, Shard, Topology};
use crate::users::Users;

impl Topology {
    /// As bytes, for nodes that follow the topology without replicating it.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        write(&mut writer, self);
        writer.into_bytes()
    }

    /// From bytes. What a newer release added is left out.
    ///
    /// # Errors
    /// The bytes are no topology, or state what no machine can.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read(Reader::new(bytes, UnknownFields::Skip)?)
    }
}

pub(super) fn write(writer: &mut Writer, topology: &Topology) {
    writer.number(1, topology.epoch);
    if let Some(cluster_id) = topology.cluster_id {
        writer.bytes(2, &cluster_id.to_be_bytes());
    }
    for node in topology.nodes.values() {
        writer.message(3, |w| write_node(w, node));
    }
    for shard in topology.shards.values() {
        writer.message(4, |w| write_shard(w, shard));
    }
    for (setting, value) in topology.settings.changed() {
        writer.message(5, |w| write_setting(w, *setting, *value));
    }
    for node in &topology.removed_nodes {
        writer.number(6, node.get());
    }
    user::write_users(writer, &topology.users);
}

pub(super) fn read(mut reader: Reader<'_>) -> Result<Topology, DecodeError> {
    let (mut topology, mut users) = (Topology::default(), Users::default());
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => topology.epoch = field.number()?,
            2 => topology.cluster_id = Some(u128::from_be_bytes(field.array()?)),
            3 => {
                let node = read_node(field.message()?)?;
                topology.nodes.insert(node.id, node);
            }
            4 => {
                let shard = read_shard(field.message()?)?;
                // A stream shard only: what the metadata shard claims is left for the invariants to find.
                if shard.id != ShardId::METADATA {
                    topology.owners.set(&shard.slots, shard.id);
                }
                topology.shards.insert(shard.id, shard);
            }
            5 => read_setting(field.message()?, &mut topology)?,
            6 => {
                topology.removed_nodes.insert(NodeId::new(field.number()?));
            }
            7 => {
                let (name, record) = user::read_record(field.message()?)?;
                users.records.insert(name, Arc::new(record));
            }
            8 => users.version = field.number()?,
            _ => reader.unknown("topology field", tag)?,
        }
    }
    topology.users = Arc::new(users);
    invariants::check(&topology)?;
    Ok(topology)
}

pub(super) fn write_node(writer: &mut Writer, node: &Node) {
    writer.number(1, node.id.get());
    writer.text(2, &node.rpc_address);
    writer.text(3, &node.resp_address);
    writer.text(4, &node.http_address);
    writer.number(5, state_number(node.state));
    // Left out where it is not used, so that earlier releases read what they can serve.
    if !node.resp_tls_address.is_empty() {
        writer.text(6, &node.resp_tls_address);
    }
}

pub(super) fn read_node(mut reader: Reader<'_>) -> Result<Node, DecodeError> {
    let (mut id, mut rpc, mut resp, mut http, mut state) = (None, None, None, None, None);
    let mut resp_tls = String::new();
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => id = Some(NodeId::new(field.number()?)),
            2 => rpc = Some(field.text()?),
            3 => resp = Some(field.text()?),
            4 => http = Some(field.text()?),
            5 => state = Some(state_of_number(field.number()?)?),
            6 => resp_tls = field.text()?,
            _ => reader.unknown("node field", tag)?,
        }
    }
    Ok(Node {
        id: id.ok_or(DecodeError::Missing("node id"))?,
        rpc_address: rpc.ok_or(DecodeError::Missing("RPC address"))?,
        resp_address: resp.ok_or(DecodeError::Missing("RESP address"))?,
        resp_tls_address: resp_tls,
        http_address: http.ok_or(DecodeError::Missing("HTTP address"))?,
        state: state.ok_or(DecodeError::Missing("node state"))?,
    })
}

pub(super) fn state_number(state: NodeState) -> u64 {
    match state {
        NodeState::Active => 1,
        NodeState::Draining => 2,
    }
}

pub(super) fn state_of_number(number: u64) -> Result<NodeState, DecodeError> {
    match number {
        1 => Ok(NodeState::Active),
        2 => Ok(NodeState::Draining),
        _ => Err(DecodeError::Unknown { what: "node state", number }),
    }
}

fn write_shard(writer: &mut Writer, shard: &Shard) {
    writer.number(1, u64::from(shard.id.get()));
    for node in &shard.replicas {
        writer.number(2, node.get());
    }
    for range in shard.slots.as_slice() {
        writer.message(3, |w| write_range(w, *range));
    }
}

fn read_shard(mut reader: Reader<'_>) -> Result<Shard, DecodeError> {
    let (mut id, mut replicas, mut ranges) = (None, Vec::new(), Vec::new());
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => id = Some(ShardId::new(field.narrow()?)),
            2 => replicas.push(NodeId::new(field.number()?)),
            3 => ranges.push(read_range(field.message()?)?),
            _ => reader.unknown("shard field", tag)?,
        }
    }
    let slots: SlotRanges = ranges.into_iter().collect();
    Ok(Shard { id: id.ok_or(DecodeError::Missing("shard id"))?, replicas, slots })
}

pub(super) fn write_range(writer: &mut Writer, range: SlotRange) {
    writer.number(1, u64::from(range.first().get()));
    writer.number(2, u64::from(range.last().get()));
}

pub(super) fn read_range(mut reader: Reader<'_>) -> Result<SlotRange, DecodeError> {
    let (mut first, mut last) = (None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => first = Some(field.narrow()?),
            2 => last = Some(field.narrow()?),
            _ => reader.unknown("slot range field", tag)?,
        }
    }
    let first = first.ok_or(DecodeError::Missing("first slot"))?;
    let last = last.ok_or(DecodeError::Missing("last slot"))?;
    SlotRange::of_numbers(first, last).ok_or(DecodeError::Invalid("slot range"))
}

pub(super) fn write_setting(writer: &mut Writer, setting: Setting, value: u64) {
    writer.number(1, setting.number());
    writer.number(2, value);
}

/// A setting's number and value, neither of them checked.
pub(super) fn read_setting_pair(mut reader: Reader<'_>) -> Result<(u64, u64), DecodeError> {
    let (mut number, mut value) = (None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => number = Some(field.number()?),
            2 => value = Some(field.number()?),
            _ => reader.unknown("setting field", tag)?,
        }
    }
    let number = number.ok_or(DecodeError::Missing("setting number"))?;
    Ok((number, value.ok_or(DecodeError::Missing("setting value"))?))
}

fn read_setting(reader: Reader<'_>, topology: &mut Topology) -> Result<(), DecodeError> {
    let skip = reader.unknown_fields() == UnknownFields::Skip;
    let (number, value) = read_setting_pair(reader)?;
    match Setting::from_number(number) {
        Some(setting) => {
            setting.check(value).map_err(|_| DecodeError::Invalid("setting value"))?;
            topology.settings.set(setting, value);
            Ok(())
        }
        None if skip => Ok(()),
        None => Err(DecodeError::Unknown { what: "setting", number }),
    }
}
