//! Commands about the node and the cluster.

use std::time::Duration;

use rivermark_protocol::commands::parsed::{
    Block, ClusterCommand, DebugCommand, LatencyCommand, MemoryCommand, NodeCommand, Save, Shutdown,
    ShutdownSave, WaitReplicas,
};
use rivermark_protocol::{Frame, Parsed};
use rivermark_stream::Query;
use rivermark_stream::query::KeysInSlot;
use rivermark_types::Slot;
use rivermark_types::limits::DEBUG_SLEEP_S_MAX;

use crate::check::{NOT_AN_INTEGER, SYNTAX, accept, key, query, refuse, reply};

fn node(line: &str, expected: NodeCommand) {
    accept(line, Parsed::Node(expected));
}

#[test]
fn config() {
    node("CONFIG GET a*", NodeCommand::ConfigGet(vec!["a*".into()]));
    node("CONFIG GET a b", NodeCommand::ConfigGet(vec!["a".into(), "b".into()]));
    node("CONFIG SET a 1", NodeCommand::ConfigSet(vec![("a".into(), "1".into())]));
    node(
        "CONFIG SET a 1 b 2",
        NodeCommand::ConfigSet(vec![("a".into(), "1".into()), ("b".into(), "2".into())]),
    );
    node("config resetstat", NodeCommand::ConfigResetStatistics);
    node("CONFIG REWRITE", NodeCommand::ConfigRewrite);
    refuse("CONFIG GET", "ERR wrong number of arguments for 'config|get' command");
    refuse("CONFIG SET a", "ERR wrong number of arguments for 'config|set' command");
    refuse("CONFIG SET a b c", SYNTAX);
    refuse(
        "CONFIG SET maxmemory 0 MAXMEMORY 1",
        "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
    );
}

#[test]
fn the_node() {
    node("INFO", NodeCommand::Info(Vec::new()));
    node("INFO Server CPU", NodeCommand::Info(vec!["server".into(), "cpu".into()]));
    node("TIME", NodeCommand::Time);
    node("ROLE", NodeCommand::Role);
    node("LASTSAVE", NodeCommand::LastSave);
    node("SLOWLOG GET", NodeCommand::SlowLogGet(Some(10)));
    node("SLOWLOG GET 0", NodeCommand::SlowLogGet(Some(0)));
    node("SLOWLOG GET -1", NodeCommand::SlowLogGet(None));
    node("SLOWLOG LEN", NodeCommand::SlowLogLength);
    node("SLOWLOG RESET", NodeCommand::SlowLogReset);
    for count in ["-2", "x"] {
        refuse(&format!("SLOWLOG GET {count}"), "ERR count should be greater than or equal to -1");
    }
    node("LOLWUT VERSION 5", NodeCommand::Lolwut);
    for line in ["REPLICAOF NO ONE", "SLAVEOF host 1"] {
        refuse(line, "ERR REPLICAOF not allowed in cluster mode.");
    }
    refuse("FAILOVER", "ERR FAILOVER not allowed in cluster mode.");
    refuse("TIME x", "ERR wrong number of arguments for 'time' command");
}

#[test]
fn latency() {
    let check = |line: &str, expected: LatencyCommand| node(line, NodeCommand::Latency(expected));
    check("LATENCY LATEST", LatencyCommand::Latest);
    check("latency history command", LatencyCommand::History("command".into()));
    check("LATENCY GRAPH log-sync", LatencyCommand::Graph("log-sync".into()));
    check("LATENCY RESET", LatencyCommand::Reset(Vec::new()));
    check("LATENCY RESET a b", LatencyCommand::Reset(vec!["a".into(), "b".into()]));
    check("LATENCY DOCTOR", LatencyCommand::Doctor);
    check("LATENCY HISTOGRAM xadd", LatencyCommand::Histogram(vec!["xadd".into()]));
    refuse("LATENCY HISTORY", "ERR wrong number of arguments for 'latency|history' command");
}

#[test]
fn memory() {
    node("MEMORY STATS", NodeCommand::Memory(MemoryCommand::Stats));
    node("MEMORY DOCTOR", NodeCommand::Memory(MemoryCommand::Doctor));
    reply("MEMORY MALLOC-STATS", Frame::literal("Stats not supported for the current allocator"));
    refuse(
        "MEMORY PURGE",
        "ERR MEMORY PURGE is not supported: the allocator gives unused memory back by itself",
    );
}

#[test]
fn saving_and_stopping() {
    node("SAVE", NodeCommand::Save(Save::Foreground));
    node("BGSAVE", NodeCommand::Save(Save::Background { scheduled: false }));
    node("BGSAVE schedule", NodeCommand::Save(Save::Background { scheduled: true }));
    node("BGREWRITEAOF", NodeCommand::Save(Save::Rewrite));
    refuse("BGSAVE FOO", SYNTAX);
    let plain = Shutdown::default();
    node("SHUTDOWN", NodeCommand::Shutdown(plain));
    node("SHUTDOWN NOSAVE", NodeCommand::Shutdown(plain));
    node(
        "SHUTDOWN now SAVE force",
        NodeCommand::Shutdown(Shutdown { save: ShutdownSave::Yes, now: true, force: true }),
    );
    node("SHUTDOWN ABORT", NodeCommand::AbortShutdown);
    for line in ["SHUTDOWN FOO", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN NOW ABORT"] {
        refuse(line, SYNTAX);
    }
}

#[test]
fn debug() {
    let check = |line: &str, expected: DebugCommand| node(line, NodeCommand::Debug(expected));
    check("DEBUG SLEEP 0.5", DebugCommand::Sleep(Duration::from_millis(500)));
    check("debug sleep 60", DebugCommand::Sleep(Duration::from_secs(DEBUG_SLEEP_S_MAX)));
    for seconds in ["60.1", "-1", "nan", "inf"] {
        refuse(&format!("DEBUG SLEEP {seconds}"), "ERR DEBUG SLEEP takes from 0 to 60 seconds");
    }
    refuse("DEBUG SLEEP x", "ERR value is not a valid float");
    check("DEBUG OBJECT k", DebugCommand::Object(key("k")));
    check("DEBUG LOG hello", DebugCommand::Log("hello".into()));
    reply("DEBUG SET-ACTIVE-EXPIRE 1", Frame::OK);
    refuse(
        "DEBUG SET-ACTIVE-EXPIRE 0",
        "ERR expiry cannot be switched off: deadlines pass by the stamps of a shard's leader",
    );
    reply("DEBUG PROTOCOL true", Frame::Boolean(true));
    reply("DEBUG PROTOCOL array", Frame::Array((0..3).map(Frame::Integer).collect()));
    refuse(
        "DEBUG SEGFAULT",
        "ERR unknown subcommand or wrong number of arguments for 'SEGFAULT'. Try DEBUG HELP.",
    );
}

#[test]
fn waiting_for_replicas() {
    let wait = |replicas, block| WaitReplicas { replicas, block };
    node("WAIT 1 0", NodeCommand::Wait(wait(1, Block::Forever)));
    node("WAIT -1 5", NodeCommand::Wait(wait(0, Block::Ms(5))));
    node("WAITAOF 1 2 5", NodeCommand::WaitDurable { local: 1, replicas: wait(2, Block::Ms(5)) });
    refuse("WAIT a 1", NOT_AN_INTEGER);
    refuse("WAIT 1 a", "ERR timeout is not an integer or out of range");
    refuse("WAIT 1 -1", "ERR timeout is negative");
    refuse("WAITAOF 2 1 1", "ERR value is out of range, value must between 0 and 1");
    refuse("WAITAOF 0 -1 1", "ERR value is out of range, must be positive");
}

#[test]
fn cluster() {
    let check = |line: &str, expected: ClusterCommand| node(line, NodeCommand::Cluster(expected));
    check("CLUSTER INFO", ClusterCommand::Info);
    check("cluster nodes", ClusterCommand::Nodes);
    check("CLUSTER SLOTS", ClusterCommand::Slots);
    check("CLUSTER SHARDS", ClusterCommand::Shards);
    check("CLUSTER MYID", ClusterCommand::MyId);
    check("CLUSTER MYSHARDID", ClusterCommand::MyShardId);
    check("CLUSTER LINKS", ClusterCommand::Links);
    check("CLUSTER REPLICAS abc", ClusterCommand::Replicas("abc".into()));
    reply("CLUSTER KEYSLOT foo", Frame::Integer(12182));
    reply("CLUSTER KEYSLOT {foo}bar", Frame::Integer(12182));
    let slot = Slot::new(7).expect("below 16384");
    query("CLUSTER COUNTKEYSINSLOT 7", Query::CountKeysInSlot(slot));
    query("CLUSTER GETKEYSINSLOT 7 9", Query::KeysInSlot(KeysInSlot { slot, count: 9 }));
    refuse("CLUSTER COUNTKEYSINSLOT 16384", "ERR Invalid slot");
    refuse("CLUSTER COUNTKEYSINSLOT -1", "ERR Invalid slot");
    refuse("CLUSTER COUNTKEYSINSLOT x", NOT_AN_INTEGER);
    refuse("CLUSTER GETKEYSINSLOT 16384 1", "ERR Invalid slot or number of keys");
    refuse("CLUSTER GETKEYSINSLOT 1 -1", "ERR Invalid slot or number of keys");
    refuse("CLUSTER MEET a 1", "ERR unknown subcommand 'MEET'. Try CLUSTER HELP.");
}
