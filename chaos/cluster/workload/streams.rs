//! The streams and their groups.

use anyhow::{Result, bail};
use rivermark_oracle::Operation;
use rivermark_oracle::operation::Cursor;
use rivermark_tests::{Cluster, Reply as Wire};
use rivermark_types::EntryId;

use crate::client::{Answer, Client};

/// Enough that every shard of three has some.
pub const STREAMS: &[&str] = &["orders", "payments", "clicks", "alerts"];
/// Each stream's one group.
pub const GROUP: &str = "workers";

/// Creates streams and groups, and makes the window of idempotent writes longer than any run's retries.
///
/// # Errors
/// If the new cluster refuses.
pub fn prepare(cluster: &Cluster, client: &mut Client) -> Result<()> {
    for key in STREAMS {
        let (key, group) = ((*key).to_owned(), GROUP.to_owned());
        let create = Operation::XgroupCreate { key: key.clone(), group, cursor: Cursor::At(EntryId::MIN) };
        match client.call(create) {
            Answer::Reply(_) => {}
            other => bail!("XGROUP CREATE {key}: {other:?}"),
        }
        let window = ["XCFGSET", &key, "IDMP-DURATION", "86400", "IDMP-MAXSIZE", "10000"];
        let reply = cluster.connect(0).command(&window)?;
        if reply != Wire::Simple("OK".to_owned()) {
            bail!("XCFGSET {key}: {reply:?}");
        }
    }
    Ok(())
}
