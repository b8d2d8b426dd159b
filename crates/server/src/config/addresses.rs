//! Where this node listens, what it tells of that, and the nodes a cluster is founded with.

use std::net::SocketAddr;

use rivermark_cluster::address;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// A node the cluster is founded with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InitialNode {
    /// Its id.
    pub id: u64,
    /// Where other nodes reach it, `host:port`.
    pub rpc_address: String,
    /// Where clients reach it in plain text, `host:port`; empty if it takes none.
    #[serde(default)]
    pub resp_address: String,
    /// Where clients reach it over TLS, `host:port`; empty if it takes none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resp_tls_address: String,
    /// Where its HTTP port is reached, `host:port`.
    pub http_address: String,
}

impl Config {
    /// Where the RESP listener for plain text binds, if there is one.
    pub fn resp_listen(&self) -> Option<SocketAddr> {
        (self.port != 0).then(|| SocketAddr::new(self.bind, self.port))
    }

    /// Where the RESP listener for TLS binds, if there is one.
    pub fn resp_tls_listen(&self) -> Option<SocketAddr> {
        (self.tls_port != 0).then(|| SocketAddr::new(self.bind, self.tls_port))
    }

    /// This node as the cluster should know it.
    pub fn advertised(&self) -> InitialNode {
        let own = self.initial_nodes.iter().find(|node| node.id == self.node_id);
        let pick = |given: &str, listed: Option<&String>, bound: SocketAddr| match (given, listed) {
            ("", Some(listed)) => listed.clone(),
            ("", None) => bound.to_string(),
            (given, _) => given.to_owned(),
        };
        let resp_address = self.resp_listen().map(|bound| {
            let listed = own.map(|node| &node.resp_address).filter(|listed| !listed.is_empty());
            pick(&self.advertise_resp_address, listed, bound)
        });
        let resp_address = resp_address.unwrap_or_default();
        let resp_tls_address = self.resp_tls_listen().map(|bound| {
            let listed = own.map(|node| &node.resp_tls_address).filter(|listed| !listed.is_empty());
            let beside = resp_address.rsplit_once(':').map(|(host, _)| format!("{host}:{}", bound.port()));
            pick(&self.advertise_resp_tls_address, listed.or(beside.as_ref()), bound)
        });
        InitialNode {
            id: self.node_id,
            rpc_address: pick(
                &self.advertise_rpc_address,
                own.map(|node| &node.rpc_address),
                self.rpc_address,
            ),
            resp_address,
            resp_tls_address: resp_tls_address.unwrap_or_default(),
            http_address: pick(
                &self.advertise_http_address,
                own.map(|node| &node.http_address),
                self.http_address,
            ),
        }
    }

    /// The founding nodes: the list with what this node says of itself, or this node alone.
    pub fn founders(&self) -> Vec<InitialNode> {
        if self.initial_nodes.is_empty() {
            return vec![self.advertised()];
        }
        let known = |node: &InitialNode| {
            if node.id == self.node_id { self.advertised() } else { node.clone() }
        };
        self.initial_nodes.iter().map(known).collect()
    }

    /// Replicas of each shard of a new cluster; a node alone can hold but one.
    pub fn founding_replication(&self) -> u32 {
        if self.initial_nodes.is_empty() { 1 } else { self.replication }
    }

    pub(super) fn check_addresses(&self) -> Result<(), ConfigError> {
        let advertised = self.advertised();
        for (key, address) in [
            ("advertise-rpc-address", &advertised.rpc_address),
            ("advertise-resp-address", &advertised.resp_address),
            ("advertise-resp-tls-address", &advertised.resp_tls_address),
            ("advertise-http-address", &advertised.http_address),
        ] {
            if address.is_empty() {
                continue;
            }
            check_address(key, address)?;
            let alone = self.initial_nodes.is_empty();
            if !alone && address.parse().is_ok_and(|a: SocketAddr| a.ip().is_unspecified()) {
                let reason = format!("{address} reaches no one: name an address others can connect to");
                return Err(ConfigError::Invalid { key, reason });
            }
        }
        Ok(())
    }

    pub(super) fn check_founders(&self) -> Result<(), ConfigError> {
        let fail = |key, reason| Err(ConfigError::Invalid { key, reason });
        let nodes = &self.initial_nodes;
        for node in nodes {
            if node.id == 0 || nodes.iter().filter(|other| other.id == node.id).count() > 1 {
                return fail("initial-nodes", format!("id {} is zero or given twice", node.id));
            }
            if node.resp_address.is_empty() && node.resp_tls_address.is_empty() {
                let reason = format!("node {} has neither resp-address nor resp-tls-address", node.id);
                return fail("initial-nodes", reason);
            }
            let resp = [&node.resp_address, &node.resp_tls_address].into_iter().filter(|a| !a.is_empty());
            for address in [&node.rpc_address, &node.http_address].into_iter().chain(resp) {
                check_address("initial-nodes", address)?;
            }
        }
        let count = nodes.len() as u32;
        if self.replication == 0 || (count > 0 && self.replication > count) {
            return fail("replication", format!("must lie between 1 and the {count} initial nodes"));
        }
        Ok(())
    }
}

fn check_address(key: &'static str, address: &str) -> Result<(), ConfigError> {
    if address::split(address).is_some() {
        return Ok(());
    }
    Err(ConfigError::Invalid { key, reason: format!("{address:?} is not host:port") })
}
