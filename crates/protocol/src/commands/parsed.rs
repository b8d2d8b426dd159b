//! What a request means once its grammar is applied: who has to serve it, and with what.

mod acl;
mod node;

use bytes::Bytes;
use rivermark_stream::command::XReadGroup;
use rivermark_stream::query::{Keys, XRead};
use rivermark_stream::{Command, Query};
use rivermark_types::{ConnectionId, DatabaseIndex, KeyPosition, StreamKey};

use crate::resp::{Frame, Protocol};

pub use acl::{AclCommand, UserChange};
pub use node::{
    ClusterCommand, DebugCommand, LatencyCommand, MemoryCommand, NodeCommand, Save, Shutdown, ShutdownSave,
    WaitReplicas,
};

/// A request with its grammar applied.
///
/// Commands and queries over several keys ([`Command::Delete`], [`Query::Exists`], XREAD, XREADGROUP) may touch
/// several shards: the server splits them by slot and merges what the shards answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// Changes keys: proposed to the shards of its keys.
    Command(Command),
    /// Reads keys, or one slot: answered by the shards concerned.
    Query(Query),
    /// XREAD.
    Read(BlockingRead),
    /// XREADGROUP.
    ReadGroup(BlockingReadGroup),
    /// Concerns the keys of every shard.
    Keyspace(KeyspaceCommand),
    /// Concerns this connection, or connections of this node.
    Connection(ConnectionCommand),
    /// Concerns this node or the cluster.
    Node(NodeCommand),
    /// Already answered: the reply depends on nothing but the request (PING, ECHO, COMMAND, HELP, ...).
    Reply(Frame),
}

/// How long a read waits for something to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// BLOCK 0.
    Forever,
    /// BLOCK with this many milliseconds.
    Ms(u64),
}

/// XREAD's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingRead {
    /// What is read.
    pub read: XRead,
    /// BLOCK.
    pub block: Option<Block>,
}

/// XREADGROUP's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingReadGroup {
    /// What is read. If any stream is read from history, the command never waits.
    pub read: XReadGroup,
    /// BLOCK.
    pub block: Option<Block>,
}

/// What concerns every shard's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyspaceCommand {
    /// DBSIZE: the sum over all shards.
    Size(DatabaseIndex),
    /// KEYS: all shards' together.
    Keys(Keys),
    /// SCAN: shard after shard, in the order of slots.
    Scan(ScanRequest),
    /// RANDOMKEY: some key of any shard, or null.
    Random(DatabaseIndex),
    /// FLUSHDB: every shard's part.
    FlushDatabase(DatabaseIndex),
    /// FLUSHALL: every shard.
    FlushAll,
    /// OBJECT ENCODING: bulk `stream`, or null; asks the key's shard with [`Query::KeyType`].
    Encoding(StreamKey),
}

/// SCAN's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRequest {
    /// Where.
    pub database: DatabaseIndex,
    /// The cursor; zero starts. Its slot tells the shard.
    pub cursor: KeyPosition,
    /// COUNT, 10 if not given; at least 1.
    pub count: u64,
    /// MATCH.
    pub pattern: Option<Bytes>,
    /// TYPE.
    pub types: ScanTypes,
}

/// Which keys SCAN's TYPE lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanTypes {
    /// No TYPE, or `stream`: all, as every key is a stream.
    Streams,
    /// A type of Redis of which there is no key here: nothing.
    Nothing,
}

/// What concerns connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionCommand {
    /// HELLO.
    Hello(Hello),
    /// AUTH.
    Auth(Credentials),
    /// ACL WHOAMI.
    WhoAmI,
    /// SELECT.
    Select(DatabaseIndex),
    /// QUIT: `+OK`, then the connection is closed.
    Quit,
    /// RESET: back to a new connection's state; `+RESET`.
    Reset,
    /// CLIENT and a subcommand.
    Client(ClientCommand),
    /// MULTI.
    Multi,
    /// EXEC.
    Exec,
    /// DISCARD.
    Discard,
    /// WATCH.
    Watch(Vec<StreamKey>),
    /// UNWATCH.
    Unwatch,
    /// READONLY.
    ReadOnly,
    /// READWRITE.
    ReadWrite,
    /// ASKING.
    Asking,
    /// MONITOR: the commands this node runs are pushed to the connection.
    Monitor,
}

/// HELLO's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The protocol to go on in; `None` keeps it.
    pub protocol: Option<Protocol>,
    /// AUTH.
    pub credentials: Option<Credentials>,
    /// SETNAME; empty takes the name away.
    pub name: Option<Bytes>,
}

/// Who a client says it is. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user; `None` is `default`, named by the short form of AUTH.
    pub user: Option<Bytes>,
    /// The password.
    pub password: Bytes,
    /// The command's name as it was sent, for ACL LOG.
    pub command: Bytes,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// CLIENT's subcommands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// CLIENT ID.
    Id,
    /// CLIENT INFO.
    Info,
    /// CLIENT LIST.
    List(ClientFilter),
    /// CLIENT KILL, filters: how many were closed.
    Kill(ClientKill),
    /// CLIENT KILL address: `+OK`, or [`crate::ReplyError::NoSuchClient`].
    KillAddress(Bytes),
    /// CLIENT SETNAME; empty takes the name away.
    SetName(Bytes),
    /// CLIENT GETNAME.
    GetName,
    /// CLIENT SETINFO.
    SetInfo(ClientAttribute, Bytes),
    /// CLIENT NO-EVICT.
    NoEvict(Switch),
    /// CLIENT NO-TOUCH.
    NoTouch(Switch),
    /// CLIENT REPLY.
    Reply(ReplyMode),
    /// CLIENT PAUSE.
    Pause(Pause),
    /// CLIENT UNPAUSE.
    Unpause,
    /// CLIENT UNBLOCK: 1 or 0.
    Unblock(ConnectionId, UnblockReason),
}

/// Which connections CLIENT LIST shows; empty is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// TYPE.
    pub kind: Option<ClientKind>,
    /// ID.
    pub ids: Vec<ConnectionId>,
}

/// CLIENT KILL's filters: what is given must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKill {
    /// ID.
    pub id: Option<ConnectionId>,
    /// ADDR.
    pub address: Option<Bytes>,
    /// LADDR.
    pub local_address: Option<Bytes>,
    /// TYPE.
    pub kind: Option<ClientKind>,
    /// USER.
    pub user: Option<Bytes>,
    /// MAXAGE: connected for at least so many seconds.
    pub age_s_min: Option<u64>,
    /// SKIPME: whether the calling connection is spared; yes if not given.
    pub myself: Myself,
}

/// SKIPME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Myself {
    /// The calling connection is spared.
    Skip,
    /// It is treated as any other.
    Include,
}

/// Kinds of connections in Redis. Here all are normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// An ordinary client.
    Normal,
    /// A replication link; there is none of this kind.
    Replica,
    /// A replication link; there is none of this kind.
    Leader,
    /// A subscriber; there is none of this kind.
    PubSub,
}

/// CLIENT SETINFO's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAttribute {
    /// LIB-NAME.
    LibraryName,
    /// LIB-VER.
    LibraryVersion,
}

/// ON or OFF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// ON.
    On,
    /// OFF.
    Off,
}

/// CLIENT REPLY's modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent; this one is `+OK`.
    On,
    /// No replies, not even to this command.
    Off,
    /// No reply to this command nor the next one.
    Skip,
}

/// CLIENT PAUSE's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// For how long.
    pub timeout_ms: u64,
    /// What is held back.
    pub scope: PauseScope,
}

/// What CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// Every command.
    All,
    /// Only commands that write.
    Writes,
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnblockReason {
    /// As if the timeout had passed.
    Timeout,
    /// With [`crate::ReplyError::Unblocked`].
    Error,
}
