//! The end state, read through every node once faults are healed and groups are drained.
//!
//! The first node's answers are the observation; what the others answer must be the same. Reads go
//! through leaders, so this compares routes; it says nothing of what followers hold.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use rivermark_oracle::Observation;
use rivermark_oracle::observation::{Drained, FinalGroup, FinalPending, FinalStream};
use rivermark_oracle::operation::Entry;
use rivermark_tests::{Cluster, Connection, Reply as Wire};
use rivermark_types::EntryId;

use crate::commands::{entries, id};
use crate::workload::{GROUP, STREAMS};

const PAGE: &str = "1000";

/// What the first node shows, and how other nodes differ from it.
///
/// # Errors
/// If a node does not answer as it should, or a group is not there.
pub fn observe(cluster: &Cluster, nodes: u16) -> Result<(Observation, Vec<String>)> {
    let first = streams(&mut cluster.connect(0)).context("node 0")?;
    let mut differences = Vec::new();
    for node in 1..nodes {
        let other = streams(&mut cluster.connect(node)).with_context(|| format!("node {node}"))?;
        let differing = STREAMS.iter().filter(|key| first.get(**key) != other.get(**key));
        differences.extend(differing.map(|key| format!("nodes 0 and {node} show different ends of {key}")));
    }
    Ok((Observation { streams: first, ..Observation::default() }, differences))
}

fn streams(connection: &mut Connection) -> Result<BTreeMap<String, FinalStream>> {
    let mut streams = BTreeMap::new();
    for key in STREAMS {
        let groups = BTreeMap::from([(GROUP.to_owned(), group(connection, key)?)]);
        let entries = all_entries(connection, key)?;
        streams.insert((*key).to_owned(), FinalStream { entries, groups });
    }
    Ok(streams)
}

fn ask(connection: &mut Connection, words: &[&str]) -> Result<Wire> {
    match connection.command(words)? {
        Wire::Error(error) => bail!("{}: {error}", words.join(" ")),
        reply => Ok(reply),
    }
}

fn all_entries(connection: &mut Connection, key: &str) -> Result<Vec<Entry>> {
    let mut found: Vec<Entry> = Vec::new();
    let mut start = Some(EntryId::MIN);
    while let Some(from) = start {
        let reply = ask(connection, &["XRANGE", key, &from.to_string(), "+", "COUNT", PAGE])?;
        let page = entries(&reply).with_context(|| format!("XRANGE {key}: {reply:?}"))?;
        start = page.last().and_then(|entry| entry.id.successor());
        found.extend(page);
    }
    Ok(found)
}

fn group(connection: &mut Connection, key: &str) -> Result<FinalGroup> {
    let reply = ask(connection, &["XINFO", "GROUPS", key])?;
    let last_delivered = reply
        .items()
        .iter()
        .find(|group| field(group, "name").and_then(Wire::text).as_deref() == Some(GROUP))
        .and_then(|group| field(group, "last-delivered-id"))
        .and_then(id)
        .with_context(|| format!("{key} has lost its group: {reply:?}"))?;
    let mut pending: Vec<FinalPending> = Vec::new();
    let mut start = Some(EntryId::MIN);
    while let Some(from) = start {
        let reply = ask(connection, &["XPENDING", key, GROUP, &from.to_string(), "+", PAGE])?;
        let page: Option<Vec<FinalPending>> = reply.items().iter().map(pending_entry).collect();
        let page = page.with_context(|| format!("XPENDING {key}: {reply:?}"))?;
        start = page.last().and_then(|entry| entry.id.successor());
        pending.extend(page);
    }
    Ok(FinalGroup { last_delivered, drained: Drained::Yes, pending })
}

/// A value of a flat list of names and values.
fn field<'a>(list: &'a Wire, name: &str) -> Option<&'a Wire> {
    list.items().chunks_exact(2).find(|pair| pair[0].text().as_deref() == Some(name)).map(|pair| &pair[1])
}

fn pending_entry(row: &Wire) -> Option<FinalPending> {
    let [id_part, consumer, _idle, Wire::Integer(count)] = row.items() else { return None };
    Some(FinalPending {
        id: id(id_part)?,
        consumer: consumer.text()?,
        delivery_count: u64::try_from(*count).ok()?,
    })
}
