//! A connection as CLIENT LIST and CLIENT INFO show it.
//!
//! Fields and their order are those of Redis 8; what this server has no figure for (`argv-mem`, `rbs`, `rbp`,
//! `io-thread`) is left out, as clients are told to expect of any field.

use std::fmt::Write;

use bytes::Bytes;
use rivermark_protocol::Protocol;

use super::{Client, Shown};

impl Client {
    /// One line of CLIENT LIST, without its end.
    pub fn line(&self) -> String {
        let shown = self.shown();
        let (input, output) = (self.levels.input(), self.levels.output());
        let (total_input, total_output) = self.levels.totals();
        let mut line = String::with_capacity(384);
        let _ = write!(
            line,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 multi={} \
             watch={} qbuf={} qbuf-free={} multi-mem={} obl={} oll=0 omem={} tot-mem={} events={} cmd={} \
             user={} redir=-1 resp={} lib-name={} lib-ver={} tot-net-in={total_input} \
             tot-net-out={total_output} tot-cmds={}",
            self.id,
            self.peer,
            self.local,
            self.levels.descriptor(),
            text(&shown.name),
            self.age().as_secs(),
            self.idle().as_secs(),
            self.flags(&shown),
            shown.database,
            shown.queued,
            shown.watched,
            input.bytes,
            input.capacity.saturating_sub(input.bytes),
            shown.queued_bytes,
            output.bytes,
            output.capacity,
            self.memory_bytes(),
            self.levels.events(),
            shown.command,
            text(shown.account.name()),
            match shown.protocol {
                Protocol::Resp2 => 2,
                Protocol::Resp3 => 3,
            },
            text(&shown.library_name),
            text(&shown.library_version),
            shown.commands,
        );
        line
    }

    /// What it takes in memory: its buffers, its queued commands and the connection itself.
    pub fn memory_bytes(&self) -> usize {
        let own = size_of::<Self>() + size_of::<crate::net::connection::Connection>();
        let queued = self.shown.lock().queued_bytes;
        own + self.levels.input().capacity + self.levels.output().capacity + queued
    }

    fn flags(&self, shown: &Shown) -> String {
        let flags: String = [
            (shown.monitors, 'O'),
            (self.is_blocked(), 'b'),
            (shown.queued >= 0, 'x'),
            (shown.no_evict, 'e'),
            (shown.no_touch, 'T'),
        ]
        .into_iter()
        .filter_map(|(is, flag)| is.then_some(flag))
        .collect();
        if flags.is_empty() { "N".to_owned() } else { flags }
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
