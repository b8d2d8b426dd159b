//! INFO: what clients and tools look for, under the names Redis gives it.
//!
//! Every line is true of this server; lines that would have to be made up are left out.

mod cluster;
mod commands;
mod process;

pub(super) use commands::PERCENTILES;

use std::fmt::Write;

use bytes::Bytes;
use rivermark_protocol::Frame;

use crate::node::Node;

/// A section's lines, or the start of them.
type Lines = Vec<(String, String)>;

/// Which forms of INFO show a section besides naming it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// INFO, INFO default, all, everything.
    Always,
    /// INFO all and everything.
    InAll,
}

/// Name, title, and when it is shown, in the order of the reference.
const SECTIONS: [(&str, &str, Shown); 13] = [
    ("server", "Server", Shown::Always),
    ("clients", "Clients", Shown::Always),
    ("memory", "Memory", Shown::Always),
    ("persistence", "Persistence", Shown::Always),
    ("stats", "Stats", Shown::Always),
    ("replication", "Replication", Shown::Always),
    ("cpu", "CPU", Shown::Always),
    ("modules", "Modules", Shown::Always),
    ("commandstats", "Commandstats", Shown::InAll),
    ("errorstats", "Errorstats", Shown::Always),
    ("latencystats", "Latencystats", Shown::InAll),
    ("cluster", "Cluster", Shown::Always),
    ("keyspace", "Keyspace", Shown::Always),
];

/// INFO with these sections, in lower case; none are the default ones.
pub async fn execute(node: &Node, asked: &[String]) -> Frame {
    let mut text = String::new();
    for (section, title, shown) in SECTIONS {
        if !wants(asked, section, shown) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let _ = write!(text, "# {title}\r\n");
        for (name, value) in lines_of(node, section).await {
            let _ = write!(text, "{name}:{value}\r\n");
        }
    }
    Frame::Verbatim(Bytes::from(text))
}

fn wants(asked: &[String], section: &str, shown: Shown) -> bool {
    let is_default = shown == Shown::Always;
    if asked.is_empty() {
        return is_default;
    }
    asked.iter().any(|name| match name.as_str() {
        "default" => is_default,
        "all" | "everything" => true,
        name => name == section,
    })
}

async fn lines_of(node: &Node, section: &str) -> Lines {
    match section {
        "server" => process::server(node),
        "clients" => process::clients(node),
        "memory" => process::memory(node),
        "persistence" => process::persistence(node),
        "stats" => commands::stats(node),
        "replication" => cluster::replication(node),
        "cpu" => process::cpu(),
        "commandstats" => commands::command_stats(node),
        "errorstats" => commands::error_stats(node),
        "latencystats" => commands::latency_stats(node),
        "cluster" => vec![("cluster_enabled".to_owned(), "1".to_owned())],
        "keyspace" => cluster::keyspace(node).await,
        // There are no modules.
        _ => Vec::new(),
    }
}

fn lines<const N: usize>(pairs: [(&str, String); N]) -> Lines {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_sections_are_those_of_the_reference() {
        let shown = |asked: &[&str]| -> Vec<&'static str> {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            let wanted = SECTIONS.into_iter().filter(|(name, _, shown)| wants(&asked, name, *shown));
            wanted.map(|(name, _, _)| name).collect()
        };
        assert_eq!(shown(&["cpu", "server", "nope"]), ["server", "cpu"]);
        assert_eq!(shown(&[]), shown(&["default"]));
        assert!(!shown(&[]).contains(&"commandstats") && shown(&[]).contains(&"modules"));
        assert_eq!(shown(&["all"]).len(), SECTIONS.len());
        assert_eq!(shown(&["everything"]), shown(&["all"]));
    }
}
