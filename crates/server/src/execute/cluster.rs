//! CLUSTER: what [`rivermark_router::cluster_view`] says, in RESP.

use bytes::Bytes;
use rivermark_protocol::commands::parsed::ClusterCommand;
use rivermark_protocol::{Frame, ReplyError};
use rivermark_router::cluster_view::{self, Endpoint, NodesRow, ReplicaRow, ShardRow, SlotsRow};
use rivermark_router::{NodeName, Transport};

use crate::node::Node;

/// Runs a subcommand for a client that is connected by `transport`.
pub fn execute(node: &Node, transport: Transport, command: &ClusterCommand) -> Frame {
    let topology = node.topology();
    let observation = node.observation();
    match command {
        ClusterCommand::Info => {
            Frame::Verbatim(Bytes::from(cluster_view::info(&topology, &observation).to_string()))
        }
        ClusterCommand::Nodes => {
            let lines = cluster_view::nodes(&topology, &observation, transport);
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Frame::Verbatim(Bytes::from(text))
        }
        ClusterCommand::Slots => {
            let rows = cluster_view::slots(&topology, &observation, transport);
            Frame::Array(rows.iter().map(slots_row).collect())
        }
        ClusterCommand::Shards => {
            let rows = cluster_view::shards(&topology, &observation, transport);
            Frame::Array(rows.iter().map(shard_row).collect())
        }
        ClusterCommand::MyId => Frame::text(NodeName::of_node(&topology, node.id()).to_string()),
        ClusterCommand::MyShardId => {
            let led = topology.stream_shards().find(|shard| observation.leader_of(shard) == Some(node.id()));
            match led.or_else(|| topology.shards_on(node.id()).find(|shard| !shard.slots.is_empty())) {
                Some(shard) => Frame::text(NodeName::of_shard(&topology, shard.id).to_string()),
                None => Frame::Null,
            }
        }
        ClusterCommand::Replicas(name) => {
            let text = String::from_utf8_lossy(name);
            match NodeName::find_node(&topology, &text) {
                Some(leader) => {
                    let rows = cluster_view::followers_of(&topology, &observation, transport, leader);
                    Frame::Array(rows.iter().map(|row: &NodesRow| Frame::text(row.to_string())).collect())
                }
                None => Frame::Error(ReplyError::UnknownNode(name.clone())),
            }
        }
        // Links between nodes are per shard and short-lived on demand; there is no bus to describe.
        ClusterCommand::Links => Frame::Array(Vec::new()),
    }
}

fn slots_row(row: &SlotsRow) -> Frame {
    let mut items = vec![slot(row.range.first().get()), slot(row.range.last().get())];
    items.extend(row.endpoints.iter().map(|endpoint| {
        Frame::Array(vec![
            Frame::text(endpoint.host.clone()),
            port(endpoint),
            Frame::text(endpoint.name.to_string()),
            Frame::Array(Vec::new()),
        ])
    }));
    Frame::Array(items)
}

fn shard_row(row: &ShardRow) -> Frame {
    let bounds = row.slots.as_slice().iter();
    let slots = bounds.flat_map(|range| [slot(range.first().get()), slot(range.last().get())]).collect();
    let nodes = row.replicas.iter().map(replica_row).collect();
    Frame::fields([("slots", Frame::Array(slots)), ("nodes", Frame::Array(nodes))])
}

fn replica_row(row: &ReplicaRow) -> Frame {
    let endpoint = &row.endpoint;
    let ports = [("port", endpoint.plain_port), ("tls-port", endpoint.tls_port)];
    let ports = ports.into_iter().filter_map(|(name, port)| Some((name, Frame::Integer(port?.into()))));
    let rest = [
        ("ip", Frame::text(endpoint.host.clone())),
        ("endpoint", Frame::text(endpoint.host.clone())),
        ("role", Frame::text(row.role.to_string())),
        ("replication-offset", Frame::Integer(0)),
        ("health", Frame::text(row.health.to_string())),
    ];
    let id = ("id", Frame::text(endpoint.name.to_string()));
    Frame::fields(std::iter::once(id).chain(ports).chain(rest))
}

fn slot(number: u16) -> Frame {
    Frame::Integer(i64::from(number))
}

fn port(endpoint: &Endpoint) -> Frame {
    Frame::Integer(i64::from(endpoint.port))
}
