//! What `rivermark dev` prints once its nodes are ready: a table for people, or one line of JSON for programs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::args::ReportFormat;

/// The cluster that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// By id.
    pub(super) nodes: Vec<NodeReport>,
    /// What clients need for TLS, with `--tls`.
    pub(super) tls: Option<TlsReport>,
}

/// One node of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeReport {
    /// Its number, from 1.
    pub(super) id: u64,
    /// Its process.
    pub(super) pid: u32,
    /// For clients.
    pub(super) resp_address: String,
    /// For clients over TLS.
    pub(super) tls_address: Option<String>,
    /// For nodes.
    pub(super) rpc_address: String,
    /// For operators.
    pub(super) http_address: String,
    /// The folder of everything durable.
    pub(super) data_dir: PathBuf,
    /// What `rivermark server --config` starts it again with.
    pub(super) config: PathBuf,
    /// What it writes to.
    pub(super) log: PathBuf,
}

/// Files for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TlsReport {
    /// The authority that signed the certificates of the nodes.
    pub(super) authority: PathBuf,
    /// The client's certificate.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
}

impl Report {
    /// The report as it is printed. A table is followed by the line `ready`; JSON is one line, and its coming says the
    /// same.
    pub(super) fn render(&self, format: ReportFormat) -> serde_json::Result<String> {
        match format {
            ReportFormat::Table => {
                let tls = self.redis_cli().map_or_else(String::new, |line| format!("\n{line}"));
                Ok(format!("{}{tls}\nready", self.table()))
            }
            ReportFormat::Json => serde_json::to_string(self),
        }
    }

    /// How to connect to the first node over TLS.
    fn redis_cli(&self) -> Option<String> {
        let tls = self.tls.as_ref()?;
        let (_, port) = self.nodes.first()?.tls_address.as_ref()?.rsplit_once(':')?;
        Some(format!(
            "redis-cli -p {port} --tls --cacert {} --cert {} --key {}",
            tls.authority.display(),
            tls.certificate.display(),
            tls.key.display()
        ))
    }

    fn table(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_header(["node", "pid", "resp", "rpc", "http", "data"]);
        for node in &self.nodes {
            table.add_row([
                node.id.to_string(),
                node.pid.to_string(),
                node.resp_address.clone(),
                node.rpc_address.clone(),
                node.http_address.clone(),
                node.data_dir.display().to_string(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let node = |id: u64| NodeReport {
            id,
            pid: 4000 + id as u32,
            resp_address: format!("127.0.0.1:{}", 6378 + id),
            tls_address: None,
            rpc_address: format!("127.0.0.1:{}", 16378 + id),
            http_address: format!("127.0.0.1:{}", 8378 + id),
            data_dir: format!("/data/node-{id}").into(),
            config: format!("/data/node-{id}.toml").into(),
            log: format!("/data/node-{id}.log").into(),
        };
        Report { nodes: (1..=3).map(node).collect(), tls: None }
    }

    #[test]
    fn json_is_one_line_and_reads_back() {
        let line = report().render(ReportFormat::Json).expect("these paths are UTF-8");
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Report>(&line).expect("it is JSON"), report());
    }

    #[test]
    fn a_table_ends_with_ready() {
        let text = report().render(ReportFormat::Table).expect("a table has no bounds");
        assert_eq!(text.lines().last(), Some("ready"));
        assert!(text.lines().any(|row| row.contains("4002") && row.contains("127.0.0.1:6380")), "{text}");
    }

    #[test]
    fn with_tls_the_table_tells_how_to_connect() {
        let mut report = report();
        report.nodes[0].tls_address = Some("127.0.0.1:7379".to_owned());
        report.tls = Some(TlsReport { authority: "ca".into(), certificate: "crt".into(), key: "key".into() });
        let text = report.render(ReportFormat::Table).expect("a table has no bounds");
        let line = text.lines().rev().nth(1).expect("a line before the last");
        assert_eq!(line, "redis-cli -p 7379 --tls --cacert ca --cert crt --key key");
    }
}
