//! A node dies; clients of the others notice a pause and nothing else.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rivermark_tests::{Cluster, Connection, Reply};
use rustix::process::Signal;

use crate::load::{Load, verify};

/// Design P4: about a second; twice that on a machine shared with the load and the tests.
const PAUSE_MAX: Duration = Duration::from_secs(2);

fn settle() {
    sleep(Duration::from_secs(1));
}

#[test]
fn killing_a_node_costs_clients_of_the_others_a_pause_and_no_error() {
    let mut cluster = Cluster::start(3, 3);
    for victim in [1, 0, 2] {
        let survivors: Vec<u16> = (0..3).filter(|node| *node != victim).collect();
        let ports: Vec<u16> = survivors.iter().map(|node| cluster.port(*node)).collect();
        let mut connection = cluster.connect(survivors[0]);
        connection.command(&["FLUSHALL"]).expect("an answer");
        let load = Load::start(6, &ports);
        settle();
        cluster.kill(victim);
        read_goes_on(&mut connection);
        sleep(Duration::from_secs(3));
        for (key, written) in load.finish() {
            assert_eq!(written.errors, Vec::<String>::new(), "{key}");
            assert!(written.longest_pause < PAUSE_MAX, "{key} paused for {:?}", written.longest_pause);
            assert!(written.acknowledged.len() > 20, "{key}: only {} entries", written.acknowledged.len());
            verify(&mut connection, &key, &written);
        }
        cluster.restart(victim);
        caught_up(&cluster, victim);
    }
}

fn read_goes_on(connection: &mut Connection) {
    let start = Instant::now();
    let reply = connection.command(&["XLEN", "load:0"]).expect("an answer");
    assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
    assert!(start.elapsed() < PAUSE_MAX, "a read took {:?}", start.elapsed());
}

/// The restarted node serves, and `cluster status` shows its replicas level with their leaders.
pub(crate) fn caught_up(cluster: &Cluster, node: u16) {
    cluster.wait_until("the restarted node catches up", |cluster| {
        let status = cluster.status((node + 1) % 3);
        let Some(shards) = status["shards"].as_array() else { return false };
        shards.iter().all(|shard| {
            let Some(replicas) = shard["replicas"].as_array() else { return false };
            let applied = |id: u64| {
                replicas.iter().find(|r| r["node"].as_u64() == Some(id)).and_then(|r| r["applied"].as_u64())
            };
            shard["leader"]
                .as_u64()
                .and_then(applied)
                .is_some_and(|a| applied(u64::from(node) + 1) == Some(a))
        })
    });
}

#[test]
fn a_blocked_reader_survives_the_death_of_the_leader() {
    let mut cluster = Cluster::start(3, 3);
    // Whichever node leads the stream's shard, one of the three kills hits it.
    for victim in [0, 1, 2] {
        let reader_node = (victim + 1) % 3;
        let key = format!("blocked:{victim}");
        let mut reader = cluster.connect(reader_node);
        let request = rivermark_tests::resp::encode(&["XREAD", "BLOCK", "30000", "STREAMS", &key, "$"]);
        reader.send(&request).expect("sent");
        sleep(Duration::from_millis(300));
        cluster.kill(victim);
        let mut writer = cluster.connect((victim + 2) % 3);
        let id = writer.command(&["XADD", &key, "*", "a", "1"]).expect("an answer").text().expect("an id");
        let reply = reader.reply().expect("the reader is answered");
        let entry = &reply.items()[0].items()[1].items()[0];
        assert_eq!(entry.items()[0].text(), Some(id));
        cluster.restart(victim);
        caught_up(&cluster, victim);
    }
}

#[test]
fn a_planned_stop_hands_over_without_errors() {
    let mut cluster = Cluster::start(3, 3);
    for node in [2, 1] {
        let load = Load::start(4, &[cluster.port(0)]);
        settle();
        cluster.signal(node, Signal::TERM);
        settle();
        for (key, written) in load.finish() {
            assert_eq!(written.errors, Vec::<String>::new(), "{key}");
            verify(&mut cluster.connect(0), &key, &written);
        }
        cluster.restart(node);
        caught_up(&cluster, node);
        cluster.connect(0).command(&["FLUSHALL"]).expect("an answer");
    }
}
