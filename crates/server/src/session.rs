//! What a connection remembers between commands. Owned by the connection's task, shared with nobody.

use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::{Protocol, Request};
use rivermark_types::{DatabaseIndex, StreamKey};

/// The state commands of one connection see and change.
#[derive(Debug)]
pub struct Session {
    /// RESP2 until HELLO 3.
    pub protocol: Protocol,
    /// SELECT.
    pub database: DatabaseIndex,
    /// Whether the password was given, or none is asked for.
    pub authenticated: bool,
    /// Between MULTI and EXEC.
    pub transaction: Option<Queue>,
    /// WATCHed keys and their versions at the time.
    pub watches: Vec<(StreamKey, u64)>,
    /// CLIENT REPLY.
    pub replies: Replies,
    /// The client asked for the end of the connection.
    pub quit: bool,
}

/// Commands queued by MULTI.
#[derive(Debug, Default)]
pub struct Queue {
    /// In order, all of known commands.
    pub commands: Vec<(&'static CommandSpec, Request)>,
    /// Bytes of the queued requests.
    pub bytes: usize,
    /// A command could not be queued: EXEC answers EXECABORT.
    pub poisoned: bool,
}

/// CLIENT REPLY's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// Sent.
    On,
    /// Not sent.
    Off,
    /// The reply to the next command is not sent.
    SkipNext,
}

impl Session {
    /// A new connection's.
    pub fn new(authenticated: bool) -> Self {
        Self {
            protocol: Protocol::Resp2,
            database: DatabaseIndex::default(),
            authenticated,
            transaction: None,
            watches: Vec::new(),
            replies: Replies::On,
            quit: false,
        }
    }

    /// RESET: as new, except for the connection itself.
    pub fn reset(&mut self, authenticated: bool) {
        *self = Self::new(authenticated);
    }

    /// Whether the reply to the command now dispatched is held back; uses up CLIENT REPLY SKIP.
    pub fn take_muted(&mut self) -> bool {
        match self.replies {
            Replies::On => false,
            Replies::Off => true,
            Replies::SkipNext => {
                self.replies = Replies::On;
                true
            }
        }
    }
}
