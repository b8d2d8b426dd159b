//! MONITOR: connections that are shown what clients of this node run.
//!
//! While nobody looks, a command costs one relaxed load here. Lines that a monitor has not taken yet are bounded
//! ([`MONITOR_BYTES_MAX`]); beyond that its connection is closed: commands are never held back for its sake.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use parking_lot::Mutex;
use rivermark_protocol::Request;
use rivermark_protocol::commands::CommandSpec;
use rivermark_types::limits::{MONITOR_ARGUMENT_BYTES_MAX, MONITOR_ARGUMENTS_MAX, MONITOR_BYTES_MAX};
use tokio::sync::Notify;

use crate::clients::Client;
use crate::clock::unix_time;

/// All monitors of the node.
#[derive(Debug, Default)]
pub struct Monitors {
    watching: AtomicUsize,
    feeds: Mutex<Vec<Arc<Feed>>>,
}

/// What one monitor has not taken yet.
#[derive(Debug)]
struct Feed {
    client: Arc<Client>,
    lines: Mutex<BytesMut>,
    ready: Notify,
}

/// What became of the monitors a line was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Monitors cut off because they had too much waiting.
    pub cut_off: u64,
}

impl Monitors {
    /// Whether anyone looks.
    pub fn any(&self) -> bool {
        self.watching.load(Ordering::Relaxed) > 0
    }

    /// Begins to show commands to a client.
    pub fn watch(self: &Arc<Self>, client: &Arc<Client>) -> Watching {
        let feed =
            Arc::new(Feed { client: Arc::clone(client), lines: Mutex::default(), ready: Notify::new() });
        let mut feeds = self.feeds.lock();
        feeds.push(Arc::clone(&feed));
        self.watching.store(feeds.len(), Ordering::Relaxed);
        Watching { feed, monitors: Arc::clone(self) }
    }

    /// Shows a command to whoever looks.
    pub fn show(&self, spec: &CommandSpec, request: &Request, peer: SocketAddr, database: u8) -> Shown {
        let line = line(spec, request, peer, database);
        let mut shown = Shown::default();
        let mut feeds = self.feeds.lock();
        feeds.retain(|feed| {
            let fits = feed.push(&line);
            if !fits {
                feed.client.kill();
                shown.cut_off += 1;
            }
            fits
        });
        self.watching.store(feeds.len(), Ordering::Relaxed);
        shown
    }

    fn leave(&self, feed: &Arc<Feed>) {
        let mut feeds = self.feeds.lock();
        feeds.retain(|other| !Arc::ptr_eq(other, feed));
        self.watching.store(feeds.len(), Ordering::Relaxed);
    }
}

impl Feed {
    fn push(&self, line: &str) -> bool {
        let mut lines = self.lines.lock();
        if lines.len() + line.len() > MONITOR_BYTES_MAX {
            *lines = BytesMut::new();
            return false;
        }
        lines.extend_from_slice(line.as_bytes());
        self.ready.notify_one();
        true
    }
}

/// A connection's place among the monitors, given up when dropped.
#[derive(Debug)]
pub struct Watching {
    feed: Arc<Feed>,
    monitors: Arc<Monitors>,
}

impl Watching {
    /// Resolves when there are lines.
    pub async fn ready(&self) {
        while self.feed.lines.lock().is_empty() {
            self.feed.ready.notified().await;
        }
    }

    /// Takes the lines there are.
    pub fn take(&self) -> BytesMut {
        std::mem::take(&mut *self.feed.lines.lock())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.monitors.leave(&self.feed);
    }
}

/// `+<unix time> [<database> <address>] "<argument>" …`, as the reference writes it.
fn line(spec: &CommandSpec, request: &Request, peer: SocketAddr, database: u8) -> String {
    let (seconds, micros) = unix_time();
    let mut line = String::with_capacity(128);
    let _ = write!(line, "+{seconds}.{micros:06} [{database} {peer}]");
    for (index, argument) in request.iter().take(MONITOR_ARGUMENTS_MAX).enumerate() {
        line.push(' ');
        if spec.is_secret(request, index) {
            line.push_str("\"(redacted)\"");
            continue;
        }
        let shown = &argument[..argument.len().min(MONITOR_ARGUMENT_BYTES_MAX)];
        quote(&mut line, shown);
        if shown.len() < argument.len() {
            let _ = write!(line, "... ({} more bytes)", argument.len() - shown.len());
        }
    }
    let left = request.len().saturating_sub(MONITOR_ARGUMENTS_MAX);
    if left > 0 {
        let _ = write!(line, " ... ({left} more arguments)");
    }
    line.push_str("\r\n");
    line
}

fn quote(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        let _ = match byte {
            b'\\' | b'"' => write!(out, "\\{}", char::from(*byte)),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            0x07 => out.write_str("\\a"),
            0x08 => out.write_str("\\b"),
            b' '..=b'~' => out.write_char(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}"),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccessControl;
    use crate::clients::Clients;
    use rivermark_cluster::Topology;
    use rivermark_protocol::commands::table;
    use rivermark_router::Transport;

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1234);

    fn shown(words: &[&[u8]]) -> String {
        let spec = table::find(words[0]).expect("a command");
        let line = line(spec, &Request::from_arguments(words), PEER, 3);
        let (_, rest) = line.split_once(" [").expect("a time comes first");
        rest.to_owned()
    }

    #[test]
    fn lines_are_written_as_the_reference_writes_them() {
        let line = shown(&[b"DEL", b"a \"b\"\\", b"\r\n\t\x07\x08", b"\x00\xff"]);
        assert_eq!(
            line,
            "3 127.0.0.1:1234] \"DEL\" \"a \\\"b\\\"\\\\\" \"\\r\\n\\t\\a\\b\" \"\\x00\\xff\"\r\n"
        );
        assert_eq!(shown(&[b"AUTH", b"hunter2"]), "3 127.0.0.1:1234] \"AUTH\" \"(redacted)\"\r\n");
    }

    #[test]
    fn long_arguments_and_long_lists_are_clipped() {
        let longest = vec![b'x'; MONITOR_ARGUMENT_BYTES_MAX];
        assert!(!shown(&[b"DEL", &longest]).contains("more"));
        let longer = [&longest[..], b"yz"].concat();
        assert!(shown(&[b"DEL", &longer]).ends_with("x\"... (2 more bytes)\r\n"));
        let mut many: Vec<&[u8]> = vec![b"DEL"; MONITOR_ARGUMENTS_MAX];
        assert!(!shown(&many).contains("more"));
        many.push(b"k");
        assert!(shown(&many).ends_with(" ... (1 more arguments)\r\n"));
    }

    #[test]
    fn a_monitor_that_takes_nothing_is_cut_off_and_others_go_on() {
        let clients = Arc::<Clients>::default();
        let accounts = AccessControl::new(None).accounts(&Topology::default());
        let account = || Arc::clone(accounts.default_user());
        let enter = || clients.enter(2, Transport::Plain, PEER, PEER, account()).expect("there is room");
        let (slow, quick) = (enter(), enter());
        let monitors = Arc::<Monitors>::default();
        let (_slow, quick) = (monitors.watch(&slow), monitors.watch(&quick));
        let spec = table::find(b"del").expect("a command");
        let key = "k".repeat(MONITOR_ARGUMENT_BYTES_MAX);
        let request = Request::from_arguments(["DEL", &key]);
        let mut taken = 0;
        while monitors.show(spec, &request, PEER, 0).cut_off == 0 {
            taken += quick.take().len();
            assert!(taken <= MONITOR_BYTES_MAX, "the slow one must not hold more than its bound");
        }
        assert!(taken + 2 * key.len() > MONITOR_BYTES_MAX);
        assert!(monitors.any() && !quick.take().is_empty());
        drop(quick);
        assert!(!monitors.any());
    }
}
