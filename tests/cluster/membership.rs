//! Nodes that come and go while clients go on.

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rivermark_tests::{Cluster, Connection, Reply};

/// Adds to streams of every shard until told to stop; returns what was acknowledged for each key.
fn load(port: u16) -> (Arc<AtomicBool>, JoinHandle<Vec<i64>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let adding = std::thread::spawn(move || {
        let mut connection = Connection::open(port).expect("a node listens");
        let mut acknowledged = vec![0; KEYS];
        while !stopped.load(Ordering::Relaxed) {
            for (number, count) in acknowledged.iter_mut().enumerate() {
                let reply = connection.command(&["XADD", &key(number), "*", "n", "1"]).expect("an answer");
                assert!(!reply.is_error(), "{reply:?}");
                *count += 1;
            }
        }
        acknowledged
    });
    (stop, adding)
}

const KEYS: usize = 12;

fn key(number: usize) -> String {
    format!("moved:{number}")
}

fn expect_success(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

fn holders(cluster: &Cluster) -> BTreeSet<u64> {
    let status = cluster.status(0);
    let shards = status["shards"].as_array().expect("shards").clone();
    let replicas = shards.iter().flat_map(|shard| shard["replicas"].as_array().expect("replicas").clone());
    replicas.filter_map(|replica| replica["node"].as_u64()).collect()
}

#[test]
fn a_node_joins_takes_over_from_another_and_nobody_notices() {
    let mut cluster = Cluster::start(3, 3);
    let (stop, adding) = load(cluster.port(0));
    let new = cluster.start_node(4);
    let refused = cluster.operate(&["remove-node", "2"]);
    assert!(!refused.status.success(), "three nodes cannot spare one");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("add a node first"));

    expect_success(&cluster.operate(&["add-node", &format!("127.0.0.1:{}", new.http_port)]));
    let printed = expect_success(&cluster.operate(&["replace-node", "2", "4"]));
    assert!(printed.contains("node 4 holds what node 2 held"), "{printed}");
    assert_eq!(holders(&cluster), BTreeSet::from([1, 3, 4]));
    cluster.kill(1);

    let mut through_new = Connection::open(new.port).expect("the new node listens");
    for _ in 0..20 {
        let reply = through_new.command(&["XADD", "by-the-new-node", "*", "n", "1"]).expect("an answer");
        assert!(!reply.is_error(), "{reply:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged = adding.join().expect("no error replies");
    for (number, count) in acknowledged.into_iter().enumerate() {
        let reply = through_new.command(&["XLEN", &key(number)]).expect("an answer");
        assert_eq!(reply, Reply::Integer(count), "{}", key(number));
    }
    let report = cluster.doctor(0).expect("a report");
    assert_eq!(report["is_sound"], true, "{report:#}");
}

#[test]
fn replicas_are_evened_out_drained_and_leaders_moved_on_request() {
    let mut cluster = Cluster::start(3, 4);
    let new = cluster.start_node(4);
    expect_success(&cluster.operate(&["add-node", &format!("127.0.0.1:{}", new.http_port)]));
    let (stop, adding) = load(cluster.port(0));
    expect_success(&cluster.operate(&["rebalance"]));
    assert!(holders(&cluster).contains(&4));
    assert!(expect_success(&cluster.operate(&["rebalance"])).contains("even already"));
    expect_success(&cluster.operate(&["drain", "3"]));
    assert!(!holders(&cluster).contains(&3));

    let status = cluster.status(0);
    let shard = &status["shards"][1];
    let leader = shard["leader"].as_u64().expect("a leader");
    let replicas = shard["replicas"].as_array().expect("replicas");
    let other = replicas.iter().filter_map(|replica| replica["node"].as_u64()).find(|node| *node != leader);
    let other = other.expect("three replicas").to_string();
    let moved = cluster.operate(&["transfer-leader", "1", &other, "--wait-seconds", "60"]);
    assert!(expect_success(&moved).contains(&format!("node {other} leads shard 1")));
    expect_success(&cluster.operate(&["remove-node", "3"]));
    stop.store(true, Ordering::Relaxed);
    adding.join().expect("no error replies");
    let unknown = cluster.operate(&["drain", "9"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("node 9 is not of this cluster"));
}
