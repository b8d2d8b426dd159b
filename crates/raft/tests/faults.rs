//! What a failing disk does to a node: it stops rather than guess, and what it acknowledged is there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rivermark_fs::{CrashOptions, SimulatedFileSystem};
use rivermark_raft::{EncodedPart, FatalError, ProposeError, RaftRole};
use rivermark_types::{NodeId, ShardId};

use support::{Cluster, Running, Session, add, length, wait};

const SHARD: ShardId = ShardId::new(1);

fn single_node_on(disk: &SimulatedFileSystem) -> Cluster {
    let mut cluster = Cluster::prepare(1, 1, 1);
    cluster.fs = Arc::new(disk.clone());
    cluster.start_node(1);
    cluster.wait_until_led();
    cluster
}

#[test]
fn a_failed_sync_stops_the_node() {
    let disk = SimulatedFileSystem::new();
    let cluster = single_node_on(&disk);
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, b"v");
    let running = cluster.node(1);
    let fatal = running.node.fatal();
    disk.fail_next_syncs(1);
    let answer = running.node.replica(SHARD).unwrap().submit(session.part(&[add(b"lost")]));
    let limit = Duration::from_secs(5);
    let fatal = running.block_on(async { tokio::time::timeout(limit, fatal).await }).unwrap();
    assert!(matches!(fatal, FatalError::Log(_) | FatalError::Replica { .. }), "{fatal:?}");
    let answer = running.block_on(async { tokio::time::timeout(limit, answer).await }).unwrap();
    assert_eq!(answer.unwrap(), Err(ProposeError::OutcomeUnknown), "never acknowledged");
}

#[test]
fn a_payload_nobody_understands_stops_the_node() {
    let cluster = single_node_on(&SimulatedFileSystem::new());
    let running = cluster.node(1);
    let fatal = running.node.fatal();
    let nonsense = EncodedPart { bytes: vec![0xff; 40].into(), count: 1 };
    let answer = running.node.replica(SHARD).unwrap().submit(nonsense);
    let limit = Duration::from_secs(5);
    let fatal = running.block_on(async { tokio::time::timeout(limit, fatal).await }).unwrap();
    assert!(matches!(fatal, FatalError::Replica { shard: SHARD, .. }), "{fatal:?}");
    assert_eq!(running.block_on(answer).unwrap(), Err(ProposeError::OutcomeUnknown));
}

#[test]
fn a_power_cut_takes_nothing_acknowledged() {
    let mut disk = SimulatedFileSystem::new();
    let mut cluster = single_node_on(&disk);
    cluster.snapshot_log_bytes = 64 << 10;
    cluster.kill(1);
    cluster.start_node(1);
    cluster.wait_until_led();
    let mut session = Session::new(1);
    let value = vec![b'x'; 4 << 10];
    for round in 1..=3u64 {
        for _ in 0..20 {
            session.write(&cluster, SHARD, &value);
        }
        disk = disk.crash(CrashOptions::random(round));
        cluster.kill(1);
        cluster.fs = Arc::new(disk.clone());
        cluster.start_node(1);
        cluster.wait_until_led();
        assert_eq!(length(&cluster, SHARD), round as i64 * 20, "after cut {round}");
    }
}

#[test]
fn damaged_replicas_are_left_out_and_rebuilt_from_their_peers() {
    let mut cluster = Cluster::start(3, 1, 3);
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, MARK);
    cluster.wait_until_equal(SHARD);
    let leader = cluster.leader(SHARD).unwrap();
    let damaged = (1..=3).find(|id| *id != leader).unwrap();
    // An orderly end marks the end of the log, so that damage is not taken for a torn write.
    cluster.stop(damaged);
    flip_a_bit_of(MARK, &cluster.data_dir(damaged).join("log"));
    cluster.start_node(damaged);
    let running = cluster.node(damaged);
    let broken = |running: &Running| -> Vec<ShardId> {
        let statuses = running.node.statuses().into_iter();
        statuses.filter(|status| status.role == RaftRole::Stopped).map(|status| status.shard).collect()
    };
    assert!(broken(running).contains(&SHARD));
    assert!(running.node.replica(SHARD).is_none(), "damaged data is not served");
    session.write(&cluster, SHARD, b"without it");

    // Whose records a lost one was is not known, so other shards of the node may be left out too.
    for shard in broken(running) {
        running.block_on(running.node.discard_damaged(shard)).unwrap();
    }
    assert!(running.block_on(running.node.discard_damaged(SHARD)).is_err(), "it is sound now");
    for other in cluster.running() {
        other.block_on(other.node.readmit(NodeId::new(damaged)));
    }
    session.write(&cluster, SHARD, b"together");
    wait("the replica is back", Duration::from_secs(10), || running.node.replica(SHARD));
    cluster.wait_until_equal(SHARD);
    assert_eq!(length(&cluster, SHARD), 3);
    assert!(broken(running).is_empty());
}

const MARK: &[u8] = b"a value that stands out";

/// Damages the last place where `mark` stands in a segment.
fn flip_a_bit_of(mark: &[u8], log: &Path) {
    for entry in std::fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(mark.len()).rposition(|window| window == mark) {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("the mark is nowhere in {}", log.display());
}
