//! Commands. A command is one field whose tag names the variant.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rivermark_types::{NodeId, ShardId};

use super::topology::{
    read_node, read_range, read_setting_pair, state_number, state_of_number, write_node, write_range,
    write_setting,
};
use super::user::{read_user, write_user};
use crate::codec::{DecodeError, Reader, UnknownFields, Writer};
use crate::command::{Bootstrap, Command, SetUser, UpdateNode};
use crate::settings::Setting;

impl Command {
    /// As bytes, for the log.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Bootstrap(bootstrap) => writer.message(1, |w| write_bootstrap(w, bootstrap)),
            Self::AddNode(node) => writer.message(2, |w| write_node(w, node)),
            Self::UpdateNode(update) => writer.message(3, |w| write_update_node(w, update)),
            Self::SetNodeState { node, state } => writer.message(4, |w| {
                w.number(1, node.get());
                w.number(2, state_number(*state));
            }),
            Self::RemoveNode(node) => writer.message(5, |w| w.number(1, node.get())),
            Self::SetReplicas { shard, replicas } => writer.message(6, |w| {
                w.number(1, u64::from(shard.get()));
                replicas.iter().for_each(|node| w.number(2, node.get()));
            }),
            Self::SetSlots { shard, slots } => writer.message(7, |w| {
                w.number(1, u64::from(shard.get()));
                slots.as_slice().iter().for_each(|range| w.message(2, |w| write_range(w, *range)));
            }),
            Self::SetSettings(values) => writer.message(8, |w| {
                values
                    .iter()
                    .for_each(|(setting, value)| w.message(1, |w| write_setting(w, *setting, *value)));
            }),
            Self::SetUser(set) => writer.message(9, |w| {
                w.bytes(1, &set.name);
                w.number(2, set.replaces);
                w.message(3, |w| write_user(w, &set.user));
            }),
            Self::RemoveUsers(names) => {
                writer.message(10, |w| names.iter().for_each(|name| w.bytes(1, name)));
            }
        }
        writer.into_bytes()
    }

    /// From bytes.
    ///
    /// # Errors
    /// The bytes are no command this release knows. A replica that meets such a log entry must stop.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, UnknownFields::Refuse)?;
        let (tag, field) = reader.next()?.ok_or(DecodeError::Missing("command"))?;
        if reader.next()?.is_some() {
            return Err(DecodeError::Invalid("command"));
        }
        let message = field.message()?;
        match tag {
            1 => read_bootstrap(message).map(Self::Bootstrap),
            2 => read_node(message).map(Self::AddNode),
            3 => read_update_node(message).map(Self::UpdateNode),
            4 => read_set_node_state(message),
            5 => read_remove_node(message),
            6 => read_set_replicas(message),
            7 => read_set_slots(message),
            8 => read_set_settings(message),
            9 => read_set_user(message),
            10 => read_remove_users(message),
            _ => Err(DecodeError::Unknown { what: "command", number: tag }),
        }
    }
}

fn write_bootstrap(writer: &mut Writer, bootstrap: &Bootstrap) {
    writer.bytes(1, &bootstrap.cluster_id.to_be_bytes());
    for node in &bootstrap.nodes {
        writer.message(2, |w| write_node(w, node));
    }
    writer.number(3, u64::from(bootstrap.shards));
    writer.number(4, u64::from(bootstrap.replication));
}

fn read_bootstrap(mut reader: Reader<'_>) -> Result<Bootstrap, DecodeError> {
    let (mut cluster_id, mut nodes, mut shards, mut replication) = (None, Vec::new(), None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => cluster_id = Some(u128::from_be_bytes(field.array()?)),
            2 => nodes.push(read_node(field.message()?)?),
            3 => shards = Some(field.narrow()?),
            4 => replication = Some(field.narrow()?),
            _ => reader.unknown("bootstrap field", tag)?,
        }
    }
    Ok(Bootstrap {
        cluster_id: cluster_id.ok_or(DecodeError::Missing("cluster id"))?,
        nodes,
        shards: shards.ok_or(DecodeError::Missing("number of shards"))?,
        replication: replication.ok_or(DecodeError::Missing("number of replicas"))?,
    })
}

fn write_update_node(writer: &mut Writer, update: &UpdateNode) {
    writer.number(1, update.node.get());
    writer.text(2, &update.rpc_address);
    writer.text(3, &update.resp_address);
    writer.text(4, &update.http_address);
    if !update.resp_tls_address.is_empty() {
        writer.text(5, &update.resp_tls_address);
    }
}

fn read_update_node(mut reader: Reader<'_>) -> Result<UpdateNode, DecodeError> {
    let (mut node, mut rpc, mut resp, mut http) = (None, None, None, None);
    let mut resp_tls = String::new();
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => node = Some(NodeId::new(field.number()?)),
            2 => rpc = Some(field.text()?),
            3 => resp = Some(field.text()?),
            4 => http = Some(field.text()?),
            5 => resp_tls = field.text()?,
            _ => reader.unknown("node update field", tag)?,
        }
    }
    Ok(UpdateNode {
        node: node.ok_or(DecodeError::Missing("node id"))?,
        rpc_address: rpc.ok_or(DecodeError::Missing("RPC address"))?,
        resp_address: resp.ok_or(DecodeError::Missing("RESP address"))?,
        resp_tls_address: resp_tls,
        http_address: http.ok_or(DecodeError::Missing("HTTP address"))?,
    })
}

fn read_set_node_state(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let (mut node, mut state) = (None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => node = Some(NodeId::new(field.number()?)),
            2 => state = Some(state_of_number(field.number()?)?),
            _ => reader.unknown("node state field", tag)?,
        }
    }
    Ok(Command::SetNodeState {
        node: node.ok_or(DecodeError::Missing("node id"))?,
        state: state.ok_or(DecodeError::Missing("node state"))?,
    })
}

fn read_remove_node(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let mut node = None;
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => node = Some(NodeId::new(field.number()?)),
            _ => reader.unknown("node removal field", tag)?,
        }
    }
    node.map(Command::RemoveNode).ok_or(DecodeError::Missing("node id"))
}

fn read_set_replicas(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let (mut shard, mut replicas) = (None, Vec::new());
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => shard = Some(ShardId::new(field.narrow()?)),
            2 => replicas.push(NodeId::new(field.number()?)),
            _ => reader.unknown("replicas field", tag)?,
        }
    }
    Ok(Command::SetReplicas { shard: shard.ok_or(DecodeError::Missing("shard id"))?, replicas })
}

fn read_set_slots(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let (mut shard, mut ranges) = (None, Vec::new());
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => shard = Some(ShardId::new(field.narrow()?)),
            2 => ranges.push(read_range(field.message()?)?),
            _ => reader.unknown("slots field", tag)?,
        }
    }
    let shard = shard.ok_or(DecodeError::Missing("shard id"))?;
    Ok(Command::SetSlots { shard, slots: ranges.into_iter().collect() })
}

fn read_set_settings(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let mut values = BTreeMap::new();
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => {
                let (number, value) = read_setting_pair(field.message()?)?;
                let setting =
                    Setting::from_number(number).ok_or(DecodeError::Unknown { what: "setting", number })?;
                values.insert(setting, value);
            }
            _ => reader.unknown("settings field", tag)?,
        }
    }
    Ok(Command::SetSettings(values))
}

fn read_set_user(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let (mut name, mut replaces, mut user) = (None, None, None);
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => name = Some(field.bytes()),
            2 => replaces = Some(field.number()?),
            3 => user = Some(read_user(field.message()?)?),
            _ => reader.unknown("user command field", tag)?,
        }
    }
    Ok(Command::SetUser(SetUser {
        name: name.ok_or(DecodeError::Missing("user name"))?,
        replaces: replaces.ok_or(DecodeError::Missing("replaced revision"))?,
        user: user.ok_or(DecodeError::Missing("user"))?,
    }))
}

fn read_remove_users(mut reader: Reader<'_>) -> Result<Command, DecodeError> {
    let mut names = BTreeSet::new();
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => {
                names.insert(field.bytes());
            }
            _ => reader.unknown("user removal field", tag)?,
        }
    }
    Ok(Command::RemoveUsers(names))
}
