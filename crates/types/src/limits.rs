//! Every bound of the product, in one place. Units are in the names.
//!
//! Bounds that decide what a replica does are equal on all nodes by being constants here or replicated
//! settings; nothing local may influence apply.

/// Numbered databases of SELECT.
pub const DATABASES: u8 = 16;

/// Greatest size of one bulk string of a request (`proto-max-bulk-len`).
pub const REQUEST_BULK_BYTES_MAX: usize = 64 * MIB;
/// Greatest number of arguments of one request, as Redis 7.
pub const REQUEST_ARGUMENTS_MAX: usize = i32::MAX as usize;
/// Greatest size of an inline request's line.
pub const REQUEST_INLINE_BYTES_MAX: usize = 64 * KIB;
/// Greatest size of one request with all its arguments (`client-query-buffer-limit`): the connection is
/// closed beyond it.
pub const REQUEST_BYTES_MAX: usize = 128 * MIB;
/// Greatest number of arguments before the client authenticated.
pub const UNAUTHENTICATED_ARGUMENTS_MAX: usize = 10;
/// Greatest size of a bulk string before the client authenticated.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * KIB;

/// Greatest encoded size of one command. Larger commands are refused with an error.
pub const COMMAND_BYTES_MAX: usize = 16 * MIB;
/// Greatest size of what DUMP answers, so that RESTORE can take it.
pub const RESTORE_PAYLOAD_BYTES_MAX: usize = COMMAND_BYTES_MAX - 64 * KIB;
/// A batch takes no further command once it holds this many bytes.
pub const BATCH_BYTES_TARGET: usize = MIB;
/// Greatest number of commands of one batch.
pub const BATCH_COMMANDS_MAX: usize = 4096;
/// Greatest encoded size of one batch: the target plus one command of the greatest size.
pub const BATCH_BYTES_MAX: usize = BATCH_BYTES_TARGET + COMMAND_BYTES_MAX;
/// Batches of one shard proposed and not yet applied.
pub const BATCHES_IN_FLIGHT_MAX: usize = 8;

/// Encoded parts that may wait for one shard's proposer; more are refused as overload.
pub const PROPOSE_QUEUE_BYTES_MAX: usize = 64 * MIB;
/// Commands that may wait for one shard's proposer.
pub const PROPOSE_QUEUE_COMMANDS_MAX: usize = 256 * 1024;
/// Log kept behind a snapshot, per shard, for followers that were away for a moment.
pub const LOG_TAIL_BYTES: u64 = 16 * MIB as u64;

/// Greatest size of a message between nodes.
pub const PEER_MESSAGE_BYTES_MAX: usize = 64 * MIB;
/// A message of a link between nodes takes no further request or answer once it holds this many bytes.
pub const LINK_MESSAGE_BYTES_TARGET: usize = 4 * MIB;
/// Larger answers go over a link in pieces of this size.
pub const LINK_PIECE_BYTES_MAX: usize = MIB;

/// Entries of a group are kept for the blocked reader they woke for so long, unless it is done before.
pub const GRANT_MS_MAX: u64 = 1000;

/// Entries of one storage block, unless `stream-node-max-entries` says otherwise.
pub const BLOCK_ENTRIES_DEFAULT: u32 = 100;
/// Bytes of one storage block, unless `stream-node-max-bytes` says otherwise.
pub const BLOCK_BYTES_DEFAULT: u32 = 4096;

/// For how long a stream remembers an idempotent id, unless `stream-idmp-duration` or XCFGSET says otherwise.
pub const IDEMPOTENT_S_DEFAULT: u32 = 100;
/// Greatest value of `stream-idmp-duration` and IDMP-DURATION.
pub const IDEMPOTENT_S_MAX: u32 = 86_400;
/// Idempotent ids a stream remembers of one producer, unless `stream-idmp-maxsize` or XCFGSET says otherwise.
pub const IDEMPOTENT_PAIRS_DEFAULT: u32 = 100;
/// Greatest value of `stream-idmp-maxsize` and IDMP-MAXSIZE.
pub const IDEMPOTENT_PAIRS_MAX: u32 = 10_000;

/// Entries one XREAD or XREADGROUP returns, in bytes: beyond, it ends as if MAXSIZE had been reached. An
/// outcome of XREADGROUP stays in memory until its router has it.
pub const READ_BYTES_MAX: usize = 64 * MIB;
/// Entries one XRANGE or XREVRANGE returns, in bytes: a larger range is refused, as a part of it would pass
/// for the whole.
pub const RANGE_BYTES_MAX: usize = 256 * MIB;
/// A blocked XREADGROUP with CLAIM looks at idle times no more often than this.
pub const CLAIM_LOOK_MS_MIN: u64 = 10;

/// Fields a stream keeps entries ordered by at once (XRANGEBYSCORE): asking for one more forgets the order of the
/// one asked for least recently, which costs a walk over the stream when it is asked for again.
pub const FIELD_INDEXES_MAX: usize = 8;
/// An order by a field that nobody asked for is forgotten after so many changes of the stream, or as many as it holds
/// entries if those are more.
pub const FIELD_INDEX_UNREAD_CHANGES_MIN: u64 = 65_536;
/// Greatest length of a value that is read as a number or a time.
pub const SCORE_BYTES_MAX: usize = 128;

/// A session that sent nothing for this long (by stamped time) is forgotten.
pub const SESSION_IDLE_MS_MAX: u64 = 60 * 60 * 1000;
/// An idle router refreshes its sessions this often.
pub const SESSION_REFRESH_MS: u64 = 10 * 60 * 1000;

/// Client connections of one node (`maxclients`).
pub const CLIENTS_DEFAULT: usize = 10_000;
/// TLS handshakes of one listener under way; beyond that connections wait to be accepted.
pub const TLS_HANDSHAKES_MAX: usize = 512;
/// Longest time a TLS handshake may take.
pub const TLS_HANDSHAKE_MS_MAX: u64 = 5_000;
/// Requests of one connection that are under way; more are not decoded.
pub const CONNECTION_REQUESTS_IN_FLIGHT_MAX: usize = 16 * 1024;
/// Input of one connection read ahead of what is decoded, unless one request needs more.
pub const CONNECTION_INPUT_BYTES_MAX: usize = MIB;
/// Replies of one connection not yet taken by the client; beyond that nothing more is decoded.
pub const CONNECTION_OUTPUT_BYTES_MAX: usize = 4 * MIB;
/// Refusals ACL LOG keeps (`acllog-max-len`).
pub const ACL_LOG_ENTRIES_DEFAULT: usize = 128;
/// Greatest value of `acllog-max-len`.
pub const ACL_LOG_ENTRIES_MAX: usize = 65_536;
/// Of a key or a name in an entry of ACL LOG; what is longer is cut.
pub const ACL_LOG_TEXT_BYTES_MAX: usize = KIB;
/// Bytes of requests one connection may queue between MULTI and EXEC.
pub const TRANSACTION_BYTES_MAX: usize = 8 * MIB;

/// Arguments of one entry of the slow log, as Redis; the last tells how many more there were.
pub const SLOW_LOG_ARGUMENTS_MAX: usize = 32;
/// Bytes of one argument in the slow log, as Redis; a word behind them tells how many more there were.
pub const SLOW_LOG_ARGUMENT_BYTES_MAX: usize = 128;
/// A request larger than this is clipped for the slow log before it runs, lest its bytes be held to its end.
pub const SLOW_LOG_REQUEST_BYTES_KEPT: usize = 4 * KIB;
/// Greatest value of `slowlog-max-len`.
pub const SLOW_LOG_ENTRIES_MAX: u64 = 100_000;
/// Samples the latency monitor keeps of one event, as Redis.
pub const LATENCY_SAMPLES_MAX: usize = 160;
/// Lines a MONITOR connection has not taken yet; beyond it is cut off.
pub const MONITOR_BYTES_MAX: usize = 8 * MIB;
/// Bytes of one argument in a MONITOR line, before escapes; a word behind them tells how many more there were.
pub const MONITOR_ARGUMENT_BYTES_MAX: usize = 4 * KIB;
/// Arguments of a MONITOR line; a word behind them tells how many more there were.
pub const MONITOR_ARGUMENTS_MAX: usize = 256;
/// Greatest number of seconds DEBUG SLEEP takes.
pub const DEBUG_SLEEP_S_MAX: u64 = 60;

/// Greatest size of one chunk of a snapshot, in its file and on its way to another node.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = MIB;
/// Greatest size of a snapshot's meta: log position and membership.
pub const SNAPSHOT_META_BYTES_MAX: usize = MIB;

/// Greatest size of a value of the rebuildable cache: larger ones would leave the one file it syncs.
pub const CACHE_VALUE_BYTES_MAX: usize = 64 * KIB - 1;
/// Greatest size of a key of the rebuildable cache.
pub const CACHE_KEY_BYTES_MAX: usize = KIB;

/// Nodes of a cluster, those that run no replicas included.
pub const NODES_MAX: usize = 256;
/// Shards that hold streams.
pub const SHARDS_MAX: usize = 1024;
/// Replicas of one shard.
pub const SHARD_REPLICAS_MAX: usize = 9;
/// Greatest length of a node's `host:port`: a host name of DNS, brackets, colon and port.
pub const ADDRESS_BYTES_MAX: usize = 262;

/// A user's definition: its name, passwords, patterns and rules. Every node compiles them. The rules of one ACL SETUSER
/// are no longer either.
pub const USER_BYTES_MAX: usize = 64 * KIB;
/// The definitions of all users together: they are part of the topology, which nodes tell each other whole.
pub const USERS_BYTES_MAX: usize = 4 * MIB;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const _: () = assert!(BATCH_BYTES_MAX + MIB < PEER_MESSAGE_BYTES_MAX, "a batch fits a peer message");
const _: () = assert!(SESSION_REFRESH_MS * 4 < SESSION_IDLE_MS_MAX, "a live router keeps its sessions");
const _: () = assert!(UNAUTHENTICATED_BULK_BYTES_MAX < REQUEST_BULK_BYTES_MAX);
const _: () = assert!(REQUEST_BULK_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(SNAPSHOT_CHUNK_BYTES_MAX + MIB < PEER_MESSAGE_BYTES_MAX, "a chunk fits a peer message");
const _: () = assert!(USER_BYTES_MAX < USERS_BYTES_MAX && USERS_BYTES_MAX * 4 < PEER_MESSAGE_BYTES_MAX);
const _: () = assert!(LINK_MESSAGE_BYTES_TARGET + BATCH_BYTES_MAX + MIB < PEER_MESSAGE_BYTES_MAX);
