//! SLOWLOG: the requests that took longer than `slowlog-log-slower-than`.
//!
//! How long a request took is known without a clock read of its own: it is the time of the run it went to the shards
//! in, from submission to answer, disk and quorum included. What the log shows of a request is kept while it is under
//! way, bounded: a large one is clipped before it runs.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{Frame, Request};
use rivermark_types::limits::{
    SLOW_LOG_ARGUMENT_BYTES_MAX, SLOW_LOG_ARGUMENTS_MAX, SLOW_LOG_REQUEST_BYTES_KEPT,
};

use crate::clients::Client;
use crate::clock::unix_time;

/// What is kept of a request while it is under way, to be shown if it turns out to be slow.
#[derive(Debug)]
pub enum Told {
    /// The request: clipping it is left for when it is needed, which is seldom.
    Request(&'static CommandSpec, Request),
    /// A large request, clipped.
    Clipped(Vec<Bytes>),
}

impl Told {
    /// Keeps what there may be to show of a request.
    pub fn keep(spec: &'static CommandSpec, request: Request) -> Self {
        if request.bytes_held() > SLOW_LOG_REQUEST_BYTES_KEPT {
            Self::Clipped(clipped(spec, &request))
        } else {
            Self::Request(spec, request)
        }
    }

    fn into_arguments(self) -> Vec<Bytes> {
        match self {
            Self::Request(spec, request) => clipped(spec, &request),
            Self::Clipped(arguments) => arguments,
        }
    }
}

/// A request as the slow log shows it: secrets, long arguments and long lists of them are replaced by words.
fn clipped(spec: &CommandSpec, request: &Request) -> Vec<Bytes> {
    let shown =
        if request.len() > SLOW_LOG_ARGUMENTS_MAX { SLOW_LOG_ARGUMENTS_MAX - 1 } else { request.len() };
    let mut arguments: Vec<Bytes> = request
        .iter()
        .take(shown)
        .enumerate()
        .map(|(index, argument)| {
            if spec.is_secret(request, index) {
                return Bytes::from_static(b"(redacted)");
            }
            let left = argument.len().saturating_sub(SLOW_LOG_ARGUMENT_BYTES_MAX);
            if left == 0 {
                return Bytes::copy_from_slice(argument);
            }
            let mut text = argument[..SLOW_LOG_ARGUMENT_BYTES_MAX].to_vec();
            text.extend_from_slice(format!("... ({left} more bytes)").as_bytes());
            Bytes::from(text)
        })
        .collect();
    if shown < request.len() {
        arguments.push(Bytes::from(format!("... ({} more arguments)", request.len() - shown)));
    }
    arguments
}

#[derive(Debug)]
struct Entry {
    id: u64,
    unix_s: u64,
    micros: u64,
    arguments: Vec<Bytes>,
    address: String,
    name: Bytes,
}

/// The slow log of this node.
#[derive(Debug, Default)]
pub struct SlowLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Given to the next entry; counts all slow requests, also those that are not kept.
    next_id: u64,
    /// Latest first.
    entries: VecDeque<Entry>,
}

impl SlowLog {
    /// Enters requests of one connection that took equally long, in their order. Of more than `length_max` only the last
    /// are kept, at that price.
    pub fn note(&self, slow: Vec<Told>, elapsed: Duration, client: &Client, length_max: usize) {
        let passed_over = slow.len().saturating_sub(length_max);
        let (unix_s, _) = unix_time();
        let entries: Vec<_> = slow
            .into_iter()
            .skip(passed_over)
            .map(|told| Entry {
                id: 0,
                unix_s,
                micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                arguments: told.into_arguments(),
                address: client.peer().to_string(),
                name: client.shown().name,
            })
            .collect();
        let mut state = self.state.lock();
        state.next_id += passed_over as u64;
        for entry in entries {
            let id = state.next_id;
            state.next_id += 1;
            state.entries.push_front(Entry { id, ..entry });
        }
        state.entries.truncate(length_max);
    }

    /// SLOWLOG GET: the latest, at most so many.
    pub fn latest(&self, count: usize) -> Frame {
        let state = self.state.lock();
        Frame::Array(state.entries.iter().take(count).map(Entry::frame).collect())
    }

    /// SLOWLOG LEN.
    pub fn length(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// SLOWLOG RESET. Ids go on.
    pub fn reset(&self) {
        self.state.lock().entries.clear();
    }

    /// Forgets what is more than a new `slowlog-max-len`.
    pub fn shorten(&self, length_max: usize) {
        self.state.lock().entries.truncate(length_max);
    }
}

impl Entry {
    fn frame(&self) -> Frame {
        Frame::Array(vec![
            Frame::Integer(self.id.cast_signed()),
            Frame::Integer(self.unix_s.cast_signed()),
            Frame::Integer(self.micros.cast_signed()),
            Frame::Array(self.arguments.iter().cloned().map(Frame::Bulk).collect()),
            Frame::text(self.address.clone()),
            Frame::Bulk(self.name.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivermark_protocol::commands::table;

    fn shown(words: &[&str]) -> Vec<String> {
        let request = Request::from_arguments(words);
        let name = words[0].to_lowercase();
        let spec = table::find_full(name.as_bytes()).expect("a command");
        let texts = clipped(spec, &request).into_iter();
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }

    #[test]
    fn arguments_are_shown_up_to_their_bounds() {
        let longest = "x".repeat(SLOW_LOG_ARGUMENT_BYTES_MAX);
        let longer = format!("{longest}yz");
        assert_eq!(shown(&["XDEL", &longest, "1-1"])[1], longest);
        assert_eq!(shown(&["XDEL", &longer, "1-1"])[1], format!("{longest}... (2 more bytes)"));
        let mut many = vec!["DEL"; SLOW_LOG_ARGUMENTS_MAX];
        assert_eq!(shown(&many), many);
        many.push("last");
        let clipped = shown(&many);
        assert_eq!(clipped.len(), SLOW_LOG_ARGUMENTS_MAX);
        assert_eq!(clipped.last().map(String::as_str), Some("... (2 more arguments)"));
    }

    #[test]
    fn a_large_request_is_clipped_before_it_runs() {
        let spec = table::find(b"xdel").expect("a command");
        let of =
            |bytes: usize| Told::keep(spec, Request::from_arguments(["XDEL", &"k".repeat(bytes), "1-1"]));
        let overhead = "XDEL1-1".len();
        assert!(matches!(of(SLOW_LOG_REQUEST_BYTES_KEPT - overhead), Told::Request(..)));
        assert!(matches!(of(SLOW_LOG_REQUEST_BYTES_KEPT - overhead + 1), Told::Clipped(_)));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown(&["AUTH", "me", "hunter2"]), ["AUTH", "(redacted)", "(redacted)"]);
        let hello = shown(&["HELLO", "3", "AUTH", "me", "hunter2", "SETNAME", "n"]);
        assert_eq!(hello, ["HELLO", "3", "AUTH", "(redacted)", "(redacted)", "SETNAME", "n"]);
    }
}
