//! Followers that missed more than the log keeps, or lost everything, catch up by snapshot.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use rivermark_types::{NodeId, ShardId};

use support::{Cluster, Session, length, wait};

const SHARD: ShardId = ShardId::new(1);
const WRITES: i64 = 60;

/// A cluster whose follower is away while the leader snapshots and purges what it missed.
fn cluster_that_left_a_follower_behind() -> (Cluster, Session, u64) {
    let mut cluster = Cluster::prepare(3, 1, 3);
    cluster.snapshot_log_bytes = 256 << 10;
    (1..=3).for_each(|id| cluster.start_node(id));
    cluster.wait_until_led();
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, b"first");
    cluster.wait_until_equal(SHARD);
    let leader = cluster.leader(SHARD).unwrap();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    let had = cluster.node(follower).node.replica(SHARD).unwrap().status().last_log;
    cluster.kill(follower);
    let value = vec![b'x'; 32 << 10];
    for _ in 1..WRITES {
        session.write(&cluster, SHARD, &value);
    }
    let status = wait("what the follower lacks is purged", Duration::from_secs(10), || {
        let status = cluster.leader_replica(SHARD)?.status();
        (status.purged > had).then_some(status)
    });
    assert!(status.snapshot.is_some() && status.purged <= status.snapshot);
    assert!(status.log_bytes < (WRITES as u64) << 15, "{} bytes of log", status.log_bytes);
    (cluster, session, follower)
}

#[test]
fn a_follower_that_was_away_too_long_gets_a_snapshot() {
    let (mut cluster, mut session, follower) = cluster_that_left_a_follower_behind();
    cluster.start_node(follower);
    session.write(&cluster, SHARD, b"last");
    cluster.wait_until_equal(SHARD);
    assert_eq!(length(&cluster, SHARD), WRITES + 1);
    let replica = cluster.node(follower).node.replica(SHARD).unwrap();
    assert!(replica.status().snapshot.is_some(), "it was sent one");

    // All start again from their snapshots and what log is left.
    (1..=3).for_each(|id| cluster.kill(id));
    (1..=3).for_each(|id| cluster.start_node(id));
    cluster.wait_until_led();
    assert_eq!(length(&cluster, SHARD), WRITES + 1);
    session.write(&cluster, SHARD, b"again");
    cluster.wait_until_equal(SHARD);
}

#[test]
fn a_follower_that_lost_its_disk_is_taken_back_only_by_order() {
    let mut cluster = Cluster::start(3, 1, 3);
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, b"first");
    cluster.wait_until_equal(SHARD);
    let leader = cluster.leader(SHARD).unwrap();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    cluster.kill(follower);
    std::fs::remove_dir_all(cluster.data_dir(follower)).unwrap();
    cluster.start_node(follower);
    session.write(&cluster, SHARD, b"without it");
    std::thread::sleep(Duration::from_millis(1000));
    let keys = |cluster: &Cluster| {
        let replica = cluster.node(follower).node.replica(SHARD);
        replica.map_or(0, |replica| replica.with_machine(|machine| machine.key_count()))
    };
    assert_eq!(cluster.leader(SHARD), Some(leader));
    assert_eq!(keys(&cluster), 0, "refused: it may have voted and acknowledged what it no longer knows");
    for running in cluster.running() {
        running.block_on(running.node.readmit(NodeId::new(follower)));
    }
    session.write(&cluster, SHARD, b"together");
    wait("it has everything", Duration::from_secs(10), || (keys(&cluster) == 1).then_some(()));
    cluster.wait_until_equal(SHARD);
    assert_eq!(length(&cluster, SHARD), 3);
}
