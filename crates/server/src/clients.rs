//! The connections of this node, for CLIENT LIST, KILL and UNBLOCK.
//!
//! A [`Client`] is what others may see of a connection, and the two things they may do to it: end it, or end
//! its wait. Everything else of a connection belongs to its task alone ([`crate::session`]).

mod levels;
mod line;

pub use levels::{Fill, Levels};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

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
    /// What its buffers hold and its sockets carried.
    pub levels: Levels,
    shown: Mutex<Shown>,
    killed: CancellationToken,
    /// The connection may answer what is under way before it ends.
    retired: AtomicBool,
    /// The client closed its sending side: nothing may wait for data on its behalf any more.
    gone: AtomicBool,
    blocked: AtomicBool,
    unblock: Mutex<Option<UnblockReason>>,
    unblocked: Notify,
    /// Microseconds the command under way has waited for data.
    waited_us: AtomicU64,
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
    /// Commands so far.
    pub commands: u64,
    /// HELLO.
    pub protocol: Protocol,
    /// Keys WATCHed.
    pub watched: usize,
    /// Bytes of the commands queued by MULTI.
    pub queued_bytes: usize,
    /// MONITOR.
    pub monitors: bool,
    /// CLIENT NO-EVICT ON.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH ON.
    pub no_touch: bool,
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

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How long it has been connected.
    pub fn age(&self) -> Duration {
        self.connected.elapsed()
    }

    /// Notes that bytes came from the client or went to it.
    pub fn touch(&self, now: Instant) {
        self.levels.touch(now.saturating_duration_since(self.connected));
    }

    /// How long no bytes came or went.
    pub fn idle(&self) -> Duration {
        self.age().saturating_sub(self.levels.last_active())
    }

    /// How long the command that is done has waited for data; the next one begins at zero.
    pub fn take_waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.swap(0, Ordering::Relaxed))
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
        Blocked { client: self, since: Instant::now() }
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

    fn matches(&self, kill: &ClientKill) -> bool {
        let is = |text: &Option<Bytes>, address: SocketAddr| {
            text.as_ref().is_none_or(|text| text[..] == *address.to_string().as_bytes())
        };
        kill.id.is_none_or(|id| id == self.id)
            && is(&kill.address, self.peer)
            && is(&kill.local_address, self.local)
            && kill.kind.is_none_or(|kind| kind == ClientKind::Normal)
            && kill.user.as_ref().is_none_or(|user| user == self.account().name())
            && kill.age_s_min.is_none_or(|age| self.age().as_secs() >= age)
    }
}

/// While it lives, the connection counts as blocked and can be unblocked.
pub struct Blocked<'a> {
    client: &'a Client,
    since: Instant,
}

impl Blocked<'_> {
    /// Resolves when CLIENT UNBLOCK names this connection.
    pub async fn unblocked(&self) -> UnblockReason {
        loop {
            self.client.unblocked.notified().await;
            if let Some(reason) = self.client.unblock.lock().take() {
                return reason;
            }
        }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.client.blocked.store(false, Ordering::Release);
        let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.client.waited_us.fetch_add(waited, Ordering::Relaxed);
    }
}

/// All connections of the node.
#[derive(Debug, Default)]
pub struct Clients {
    last_id: AtomicU64,
    /// The greatest number there was at the last CONFIG RESETSTAT.
    counted_from: AtomicU64,
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
        let client = Arc::new(Client {
            id,
            transport,
            peer,
            local,
            connected: Instant::now(),
            levels: Levels::default(),
            shown: Mutex::new(Shown {
                name: Bytes::new(),
                library_name: Bytes::new(),
                library_version: Bytes::new(),
                database: 0,
                queued: -1,
                account,
                command: "NULL",
                commands: 0,
                protocol: Protocol::Resp2,
                watched: 0,
                queued_bytes: 0,
                monitors: false,
                no_evict: false,
                no_touch: false,
            }),
            killed: CancellationToken::new(),
            retired: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            unblock: Mutex::new(None),
            unblocked: Notify::new(),
            waited_us: AtomicU64::new(0),
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

    /// How many there were since the last CONFIG RESETSTAT.
    pub fn total_counted(&self) -> u64 {
        self.total() - self.counted_from.load(Ordering::Relaxed)
    }

    /// CONFIG RESETSTAT.
    pub fn reset_count(&self) {
        self.counted_from.store(self.total(), Ordering::Relaxed);
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
