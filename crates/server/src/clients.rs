//! The connections of this node, for CLIENT LIST, KILL and UNBLOCK.
//!
//! A [`Client`] is what others may see of a connection, and the two things they may do to it: end it, or end
//! its wait. Everything else of a connection belongs to its task alone ([`crate::session`]).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rivermark_protocol::Protocol;
use rivermark_protocol::commands::parsed::{ClientKill, ClientKind, Myself, UnblockReason};
use rivermark_router::Transport;
use rivermark_types::ConnectionId;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Account;

/// What can be seen of a connection.
#[derive(Debug)]
pub struct Client {
    /// Its number on this node.
    pub id: ConnectionId,
    /// How it is connected.
    pub transport: Transport,
    peer: SocketAddr,
    local: SocketAddr,
    connected: Instant,
    shown: Mutex<Shown>,
    killed: CancellationToken,
    /// The connection may answer what is under way before it ends.
    retired: AtomicBool,
    /// The client closed its sending side: nothing may wait for data on its behalf any more.
    gone: AtomicBool,
    blocked: AtomicBool,
    unblock: Mutex<Option<UnblockReason>>,
    unblocked: Notify,
}

/// What a connection tells of itself, as of its last command.
#[derive(Clone, Debug)]
pub struct Shown {
    /// CLIENT SETNAME.
    pub name: Bytes,
    /// CLIENT SETINFO LIB-NAME.
    pub library_name: Bytes,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Bytes,
    /// SELECT.
    pub database: u8,
    /// Commands queued by MULTI; -1 outside of one.
    pub queued: i64,
    /// Whom it acts for.
    pub account: Arc<Account>,
    /// Full name of the last command.
    pub command: &'static str,
    /// When it came.
    pub active: Instant,
    /// HELLO.
    pub protocol: Protocol,
    /// Bytes read and not yet decoded.
    pub input_bytes: usize,
}

impl Client {
    /// Lets the connection tell about itself.
    pub fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock());
    }

    /// What it last told.
    pub fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }

    /// Ends the connection.
    pub fn kill(&self) {
        self.retired.store(false, Ordering::Release);
        self.killed.cancel();
    }

    /// Ends the connection once what is under way is answered.
    pub fn retire(&self) {
        if !self.killed.is_cancelled() {
            self.retired.store(true, Ordering::Release);
            self.killed.cancel();
        }
    }

    /// Resolves when someone ended the connection.
    pub async fn killed(&self) {
        self.killed.cancelled().await;
    }

    /// Whether it may answer what is under way before it ends.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Whom it acts for.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.shown.lock().account)
    }

    /// Notes that the client will send nothing more.
    pub fn set_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Whether the client will send nothing more.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Marks the connection as waiting until the guard is dropped.
    pub fn block(&self) -> Blocked<'_> {
        *self.unblock.lock() = None;
        self.blocked.store(true, Ordering::Release);
        Blocked(self)
    }

    /// Whether it waits for data.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// CLIENT UNBLOCK; false if the connection does not wait.
    pub fn unblock(&self, reason: UnblockReason) -> bool {
        if !self.is_blocked() {
            return false;
        }
        *self.unblock.lock() = Some(reason);
        self.unblocked.notify_one();
        true
    }

    /// One line of CLIENT LIST.
    pub fn line(&self) -> String {
        let shown = self.shown();
        let now = Instant::now();
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let flags = match (self.is_blocked(), shown.queued >= 0) {
            (true, _) => "b",
            (false, true) => "x",
            (false, false) => "N",
        };
        let mut line = String::with_capacity(320);
        let _ = write!(
            line,
            "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={flags} db={} sub=0 psub=0 ssub=0 \
             multi={} watch=0 qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 tot-mem=0 events=r cmd={} user={} \
             redir=-1 resp={} lib-name={} lib-ver={}",
            self.id,
            self.peer,
            self.local,
            text(&shown.name),
            now.duration_since(self.connected).as_secs(),
            now.duration_since(shown.active).as_secs(),
            shown.database,
            shown.queued,
            shown.input_bytes,
            shown.command,
            text(shown.account.name()),
            match shown.protocol {
                Protocol::Resp2 => 2,
                Protocol::Resp3 => 3,
            },
            text(&shown.library_name),
            text(&shown.library_version),
        );
        line
    }

    fn matches(&self, kill: &ClientKill) -> bool {
        let is = |text: &Option<Bytes>, address: SocketAddr| {
            text.as_ref().is_none_or(|text| text[..] == *address.to_string().as_bytes())
        };
        kill.id.is_none_or(|id| id == self.id)
            && is(&kill.address, self.peer)
            && is(&kill.local_address, self.local)
            && kill.kind.is_none_or(|kind| kind == ClientKind::Normal)
            && kill.user.as_ref().is_none_or(|user| user == self.account().name())
            && kill.age_s_min.is_none_or(|age| self.connected.elapsed().as_secs() >= age)
    }
}

/// While it lives, the connection counts as blocked and can be unblocked.
pub struct Blocked<'a>(&'a Client);

impl Blocked<'_> {
    /// Resolves when CLIENT UNBLOCK names this connection.
    pub async fn unblocked(&self) -> UnblockReason {
        loop {
            self.0.unblocked.notified().await;
            if let Some(reason) = self.0.unblock.lock().take() {
                return reason;
            }
        }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.blocked.store(false, Ordering::Release);
    }
}

/// All connections of the node.
#[derive(Debug, Default)]
pub struct Clients {
    last_id: AtomicU64,
    connected: RwLock<BTreeMap<ConnectionId, Arc<Client>>>,
}

impl Clients {
    /// Enters a new connection, which acts for this user; `None` if there are `max` already.
    pub fn enter(
        self: &Arc<Self>,
        max: usize,
        transport: Transport,
        peer: SocketAddr,
        local: SocketAddr,
        account: Arc<Account>,
    ) -> Option<Registered> {
        let mut connected = self.connected.write();
        if connected.len() >= max {
            return None;
        }
        let id = ConnectionId::new(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let now = Instant::now();
        let client = Arc::new(Client {
            id,
            transport,
            peer,
            local,
            connected: now,
            shown: Mutex::new(Shown {
                name: Bytes::new(),
                library_name: Bytes::new(),
                library_version: Bytes::new(),
                database: 0,
                queued: -1,
                account,
                command: "NULL",
                active: now,
                protocol: Protocol::Resp2,
                input_bytes: 0,
            }),
            killed: CancellationToken::new(),
            retired: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            unblock: Mutex::new(None),
            unblocked: Notify::new(),
        });
        connected.insert(id, Arc::clone(&client));
        Some(Registered { client, clients: Arc::clone(self) })
    }

    /// The connection with this number.
    pub fn get(&self, id: ConnectionId) -> Option<Arc<Client>> {
        self.connected.read().get(&id).cloned()
    }

    /// All connections, oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.connected.read().values().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.connected.read().len()
    }

    /// How many there ever were.
    pub fn total(&self) -> u64 {
        self.last_id.load(Ordering::Relaxed)
    }

    /// How many wait for data.
    pub fn blocked(&self) -> usize {
        self.connected.read().values().filter(|client| client.is_blocked()).count()
    }

    /// CLIENT KILL with filters: how many it ended.
    pub fn kill(&self, filter: &ClientKill, myself: ConnectionId) -> i64 {
        let spared = |client: &Client| filter.myself == Myself::Skip && client.id == myself;
        let hit: Vec<_> =
            self.all().into_iter().filter(|client| !spared(client) && client.matches(filter)).collect();
        hit.iter().for_each(|client| client.kill());
        hit.len() as i64
    }

    /// CLIENT KILL address; false if there is none.
    pub fn kill_address(&self, address: &[u8]) -> bool {
        let found = self.all().into_iter().find(|client| client.peer.to_string().as_bytes() == address);
        found.inspect(|client| client.kill()).is_some()
    }
}

/// A connection's place in the registry, given up when dropped.
pub struct Registered {
    client: Arc<Client>,
    clients: Arc<Clients>,
}

impl std::ops::Deref for Registered {
    type Target = Arc<Client>;

    fn deref(&self) -> &Arc<Client> {
        &self.client
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.clients.connected.write().remove(&self.client.id);
    }
}
