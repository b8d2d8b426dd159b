//! The servers a script runs against, and its connections to them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Result};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rivermark_tests::{Cluster, Connection, RedisServer, Reply};

use crate::matching::Protocol;

/// How long anything that is to happen may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often to look again.
pub const PAUSE: Duration = Duration::from_millis(5);

const NODES: u16 = 3;
const SHARDS: u16 = 3;

/// The servers, started when first needed.
#[derive(Clone, Default)]
pub struct Servers {
    redis: Arc<OnceLock<RedisServer>>,
    cluster: Arc<OnceLock<Cluster>>,
}

impl Servers {
    /// The ports a script's commands go to.
    pub fn ports(&self, target: Target) -> Vec<u16> {
        let cluster = || self.cluster.get_or_init(|| Cluster::start(NODES, SHARDS));
        match target {
            Target::Redis => vec![self.redis.get_or_init(|| RedisServer::start(&[])).port()],
            Target::OneNode => vec![cluster().port(0)],
            Target::EveryNode => (0..NODES).map(|node| cluster().port(node)).collect(),
        }
    }
}

/// Where a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The redis-server that judges.
    Redis,
    /// One node of a Rivermark cluster.
    OneNode,
    /// Each command on the next node of a Rivermark cluster.
    EveryNode,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "redis",
            Self::OneNode => "one node",
            Self::EveryNode => "every node",
        })
    }
}

/// The connections of a section, by name, and those the runner itself needs.
pub struct Connections {
    ports: Vec<u16>,
    protocol: Protocol,
    named: BTreeMap<String, Client>,
    watchers: Vec<Connection>,
}

impl Connections {
    /// On an emptied server that no client waits at.
    pub fn open(ports: Vec<u16>, protocol: Protocol) -> Result<Self> {
        let watchers = ports.iter().map(|port| Connection::open(*port)).collect::<Result<_>>()?;
        let mut connections = Self { ports, protocol, named: BTreeMap::new(), watchers };
        connections.wait_for_blocked(0)?;
        let reply = connections.watchers[0].command(&["FLUSHALL"])?;
        assert!(!reply.is_error(), "FLUSHALL: {reply:?}");
        Ok(connections)
    }

    /// The connection of a name, opened when first named.
    pub fn named(&mut self, name: &str) -> Result<&mut Client> {
        if !self.named.contains_key(name) {
            // Each begins at another node.
            let client = Client::open(&self.ports, self.protocol, self.named.len())?;
            self.named.insert(name.to_owned(), client);
        }
        Ok(self.named.get_mut(name).expect("just entered"))
    }

    /// Waits until the server counts as blocked every connection that waits for a reply.
    ///
    /// # Errors
    /// `TimedOut` if it does not.
    pub fn wait_until_blocked(&mut self) -> Result<()> {
        let waiting = self.named.values().filter(|client| client.unanswered > 0).count();
        self.wait_for_blocked(waiting)
    }

    fn wait_for_blocked(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let blocked = self.watchers.iter_mut().map(blocked_clients).sum::<Result<usize>>()?;
            if blocked == count {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = format!("{blocked} blocked clients where {count} should wait");
                return Err(std::io::Error::new(ErrorKind::TimedOut, what));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn blocked_clients(connection: &mut Connection) -> Result<usize> {
    let info = connection.command(&["INFO", "clients"])?.text().unwrap_or_default();
    let number = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    let number = number.and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| std::io::Error::new(ErrorKind::InvalidData, "INFO tells no blocked_clients"))
}

/// What a script calls a connection: one to each node, used in turn until a command ties it to one.
pub struct Client {
    connections: Vec<Connection>,
    next: usize,
    tied: bool,
    /// Where the commands without a reply yet were sent.
    asked: usize,
    unanswered: usize,
    /// What it speaks.
    pub protocol: Protocol,
}

/// Commands that change the connection they come on: what follows must come on the same.
const TYING: &[&str] = &[
    "ASKING",
    "AUTH",
    "CLIENT",
    "HELLO",
    "MONITOR",
    "MULTI",
    "QUIT",
    "READONLY",
    "READWRITE",
    "RESET",
    "SELECT",
    "WATCH",
];

impl Client {
    fn open(ports: &[u16], protocol: Protocol, first: usize) -> Result<Self> {
        let connections = ports.iter().map(|port| connect(*port, protocol)).collect::<Result<Vec<_>>>()?;
        let next = first % connections.len();
        Ok(Self { connections, next, tied: false, asked: next, unanswered: 0, protocol })
    }

    /// Sends a command.
    pub fn send(&mut self, command: &[Vec<u8>]) -> Result<()> {
        let name = command.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        self.tied |= TYING.iter().any(|tying| tying.as_bytes() == name);
        if self.unanswered == 0 {
            self.asked = self.next;
        }
        if !self.tied {
            self.next = (self.next + 1) % self.connections.len();
        }
        self.unanswered += 1;
        self.connections[self.asked].send(&rivermark_tests::resp::encode(command))
    }

    /// Reads the reply of the oldest command without one.
    pub fn reply(&mut self) -> Result<Reply> {
        let reply = self.connections[self.asked].reply()?;
        self.unanswered = self.unanswered.saturating_sub(1);
        Ok(reply)
    }

    /// Gives up the reply of the newest command.
    pub fn expect_none(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Whether something came from the server that nobody read.
    pub fn has_input(&self) -> bool {
        let stream = self.connections[self.asked].stream();
        let _ = stream.set_nonblocking(true);
        let found = stream.peek(&mut [0]).is_ok();
        let _ = stream.set_nonblocking(false);
        found
    }
}

fn connect(port: u16, protocol: Protocol) -> Result<Connection> {
    let mut connection = Connection::open(port)?;
    connection.stream().set_read_timeout(Some(PATIENCE))?;
    if protocol == Protocol::Resp3 {
        let reply = connection.command(&["HELLO", protocol.number()])?;
        assert!(matches!(reply, Reply::Map(_)), "HELLO 3: {reply:?}");
    }
    Ok(connection)
}
