//! Commands over the three shards of a node, in order and merged.

use std::collections::BTreeSet;

use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{Commands, RedisResult};

use crate::process::Server;

#[test]
fn a_pipeline_over_all_shards_is_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let keys = ["hello", "foo", "bar", "a", "b", "c", "d"];
    let mut lines = String::new();
    let mut expected = String::new();
    for round in 1..=200 {
        for key in keys {
            lines.push_str(&format!("XADD {key} {round}-1 f v\n"));
            let id = format!("{round}-1");
            expected.push_str(&format!("${} {id} ", id.len()));
        }
        if round % 10 == 0 {
            lines.push_str("XLEN foo\nPING\nXLEN hello\n");
            expected.push_str(&format!(":{round} +PONG :{round} "));
        }
    }
    client.send(&lines);
    client.expect(&expected);
}

#[test]
fn requests_over_several_shards_are_merged() {
    let server = Server::start();
    let mut client = server.connect();
    for key in ["foo", "hello", "bar"] {
        client.check(&format!("XADD {key} 1-1 f {key}"), "$3 1-1");
    }
    client.check("EXISTS foo hello bar foo none", ":4");
    client.check("DBSIZE", ":3");
    let entry = "*1 *2 $3 1-1 *2 $1 f";
    client.check(
        "XREAD STREAMS bar foo hello 0 0 0",
        &format!("*3 *2 $3 bar {entry} $3 bar *2 $3 foo {entry} $3 foo *2 $5 hello {entry} $5 hello"),
    );
    client.check("DEL foo hello none", ":2");
    client.check("FLUSHALL", "+OK");
    client.check("DBSIZE", ":0");
    client.check("RANDOMKEY", "$-1");
}

#[test]
fn a_scan_sees_every_key_once() {
    let server = Server::start();
    let mut connection = redis(&server);
    let keys: BTreeSet<String> = (0..300).map(|n| format!("key:{n}")).collect();
    let mut pipeline = redis::pipe();
    for key in &keys {
        pipeline.cmd("XADD").arg(key).arg("*").arg("f").arg("v").ignore();
    }
    pipeline.query::<()>(&mut connection).expect("added");
    let scanned: Vec<String> =
        connection.scan().expect("scans").collect::<RedisResult<_>>().expect("strings");
    assert_eq!(scanned.len(), keys.len());
    assert_eq!(scanned.into_iter().collect::<BTreeSet<_>>(), keys);
}

#[test]
fn a_group_delivers_each_entry_once_and_takes_acknowledgements() {
    let server = Server::start();
    let mut connection = redis(&server);
    let _: () = connection.xgroup_create_mkstream("orders", "workers", "0").expect("created");
    let ids: Vec<String> =
        (0..20).map(|n| connection.xadd("orders", "*", &[("n", n)]).expect("added")).collect();
    let mut delivered = Vec::new();
    for consumer in ["one", "two"] {
        let options = StreamReadOptions::default().group("workers", consumer).count(10);
        let reply: StreamReadReply = connection.xread_options(&["orders"], &[">"], &options).expect("read");
        delivered.extend(reply.keys.into_iter().flat_map(|key| key.ids).map(|entry| entry.id));
    }
    assert_eq!(delivered, ids);
    let acknowledged: usize = connection.xack("orders", "workers", &ids[..15]).expect("acknowledged");
    let left: redis::streams::StreamPendingReply = connection.xpending("orders", "workers").expect("pending");
    assert_eq!((acknowledged, left.count()), (15, 5));
}

#[test]
fn databases_are_apart() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("XADD s 1-1 f v", "$3 1-1");
    client.send("SELECT 5\nXLEN s\nXADD s 2-1 f v\nDBSIZE\nSELECT 0\nXLEN s");
    client.expect("+OK :0 $3 2-1 :1 +OK :1");
    client.check_line("SELECT 16", "-ERR DB index is out of range");
}

#[test]
fn settings_of_the_cluster_reach_the_shards() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("CONFIG SET stream-node-max-entries 10", "+OK");
    client.check("CONFIG GET stream-node-max-entries", "*2 $23 stream-node-max-entries $2 10");
    let adds: String = (1..=25).map(|n| format!("XADD s {n}-1 f v\n")).collect();
    client.send(&adds);
    (1..=25).for_each(|_| drop((client.line(), client.line())));
    // Whole blocks of ten only.
    client.check("XTRIM s MAXLEN ~ 5", ":20");
    client.check_line(
        "CONFIG SET port 1",
        "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config",
    );
    client.check_line(
        "CONFIG SET nonsense 1",
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'",
    );
}

#[test]
fn clients_that_know_clusters_find_all_slots_here() {
    let server = Server::start();
    let mut connection = redis(&server);
    type Endpoint = (String, u16, String, Vec<String>);
    let slots: Vec<(u16, u16, Endpoint)> =
        redis::cmd("CLUSTER").arg("SLOTS").query(&mut connection).expect("slots");
    let covered: u32 = slots.iter().map(|(first, last, _)| u32::from(last - first) + 1).sum();
    assert_eq!(covered, 16384);
    assert!(slots.iter().all(|(_, _, (host, port, name, _))| {
        host == "127.0.0.1" && *port == server.port && name.len() == 40
    }));
    let info: String = redis::cmd("INFO").query(&mut connection).expect("info");
    for line in
        ["redis_version:", "loading:0\r\n", "cluster_enabled:1\r\n", "role:master\r\n", "arch_bits:64\r\n"]
    {
        assert!(info.contains(line), "{line:?} in {info}");
    }
}

fn redis(server: &Server) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).expect("an address");
    client.get_connection().expect("a connection")
}
