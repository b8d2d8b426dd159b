//! Nodes over loopback: founding, writing and reading, failover, restart, handover, balance, routers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rivermark_cluster::{Command, Outcome};
use rivermark_raft::{ProposeError, ReadError, Role};
use rivermark_stream::{Effect, PartOutcome};
use rivermark_types::{NodeId, ShardId};

use support::{Cluster, Session, add, key, length, wait};

const SHARD: ShardId = ShardId::new(1);

#[test]
fn a_single_node_serves() {
    let mut cluster = Cluster::start(1, 1, 1);
    let mut session = Session::new(1);
    for _ in 0..10 {
        session.write(&cluster, SHARD, b"v");
    }
    assert_eq!(length(&cluster, SHARD), 10);
    assert!(cluster.node(1).sink.effects.lock().contains(&(SHARD, Effect::EntriesAdded(key()))));
    cluster.kill(1);
    cluster.start_node(1);
    cluster.wait_until_led();
    assert_eq!(length(&cluster, SHARD), 10, "recovered from disk");
    session.write(&cluster, SHARD, b"v");
    assert_eq!(length(&cluster, SHARD), 11);
}

#[test]
fn submissions_keep_their_order_and_share_batches() {
    let cluster = Cluster::start(1, 1, 1);
    let running = cluster.node(1);
    let replica = running.node.replica(SHARD).unwrap();
    let before = replica.status().last_log.unwrap().get();
    let mut session = Session::new(1);
    let receivers: Vec<_> = (0..2000).map(|_| replica.submit(session.part(&[add(b"v")]))).collect();
    for receiver in receivers {
        // A part out of order would be answered with a gap.
        let outcome = running.block_on(receiver).unwrap().unwrap();
        assert!(matches!(outcome, PartOutcome::Applied(_)), "{outcome:?}");
    }
    assert_eq!(length(&cluster, SHARD), 2000);
    let batches = replica.status().last_log.unwrap().get() - before;
    assert!(batches < 1000, "{batches} batches for 2000 parts");
}

#[test]
fn acknowledged_writes_survive_the_leaders_death() {
    let mut cluster = Cluster::start(3, 2, 3);
    let mut sessions: BTreeMap<ShardId, Session> =
        cluster.shards().map(|shard| (shard, Session::new(7))).collect();
    for _ in 0..50 {
        for (shard, session) in &mut sessions {
            session.write(&cluster, *shard, b"before");
        }
    }
    let leader = cluster.leader(SHARD).unwrap();
    cluster.kill(leader);
    let died = Instant::now();
    let session = sessions.get_mut(&SHARD).unwrap();
    session.write(&cluster, SHARD, b"after");
    let pause = died.elapsed();
    println!("failover after {pause:?}");
    assert!(pause < Duration::from_millis(2500), "failover took {pause:?}");
    assert_eq!(length(&cluster, SHARD), 51);
    for _ in 0..49 {
        session.write(&cluster, SHARD, b"after");
    }

    cluster.start_node(leader);
    for (shard, session) in &mut sessions {
        session.write(&cluster, *shard, b"together");
        cluster.wait_until_equal(*shard);
    }
    assert_eq!(length(&cluster, SHARD), 101);

    // Everyone dies at once, and everything is still there.
    (1..=3).for_each(|id| cluster.kill(id));
    (1..=3).for_each(|id| cluster.start_node(id));
    cluster.wait_until_led();
    assert_eq!(length(&cluster, SHARD), 101);
    assert_eq!(length(&cluster, ShardId::new(2)), 51);
    sessions.get_mut(&SHARD).unwrap().write(&cluster, SHARD, b"again");
    assert_eq!(length(&cluster, SHARD), 102);
}

#[test]
fn followers_and_minorities_refuse() {
    let mut cluster = Cluster::start(3, 1, 3);
    let mut session = Session::new(3);
    session.write(&cluster, SHARD, b"v");
    let leader = cluster.leader(SHARD).unwrap();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    let running = cluster.node(follower);
    let replica = running.node.replica(SHARD).unwrap();
    let hint = Some(NodeId::new(leader));
    wait("the follower knows the leader", Duration::from_secs(3), || {
        (replica.leadership().borrow().leader == hint).then_some(())
    });
    let answer = running.block_on(replica.submit(Session::new(9).part(&[add(b"x")]))).unwrap();
    assert_eq!(answer, Err(ProposeError::NotLeader { leader: hint }));
    assert_eq!(running.block_on(replica.read_barrier()), Err(ReadError::NotLeader { leader: hint }));

    for id in (1..=3).filter(|id| *id != leader) {
        cluster.kill(id);
    }
    let running = cluster.node(leader);
    let replica = running.node.replica(SHARD).unwrap();
    // Its lease runs out; then nothing is taken and nothing is read.
    std::thread::sleep(Duration::from_millis(700));
    let answer = running.block_on(replica.submit(session.part(&[add(b"x")]))).unwrap();
    assert_eq!(answer, Err(ProposeError::NotLeader { leader: None }));
    let read = running.block_on(replica.read_barrier());
    assert!(matches!(read, Err(ReadError::Timeout | ReadError::NotLeader { .. })), "{read:?}");
    assert_eq!(replica.with_machine(|machine| machine.key_count()), 1, "stale reads are the caller's choice");
}

#[test]
fn leaders_spread_and_hand_over() {
    let cluster = Cluster::start(3, 3, 3);
    let balanced = |cluster: &Cluster| {
        let leaders: Option<Vec<u64>> = cluster.shards().map(|shard| cluster.leader(shard)).collect();
        let mut leaders = leaders?;
        leaders.sort_unstable();
        (leaders == [1, 2, 3]).then_some(())
    };
    wait("leaders are spread", Duration::from_secs(15), || balanced(&cluster));

    let mut session = Session::new(5);
    session.write(&cluster, SHARD, b"v");
    let leader = cluster.leader(SHARD).unwrap();
    let running = cluster.node(leader);
    let handing = Instant::now();
    let all = running.block_on(running.node.hand_over_leadership(Duration::from_secs(3)));
    let handed = handing.elapsed();
    assert!(all, "everything was handed over");
    session.write(&cluster, SHARD, b"v");
    println!("handed over in {handed:?}, next write after {:?}", handing.elapsed());
    assert!(handing.elapsed() < Duration::from_secs(1));
    assert_ne!(cluster.leader(SHARD), Some(leader));
    assert!(running.sink.lost.lock().contains(&SHARD));
    assert_eq!(length(&cluster, SHARD), 2);
}

#[test]
fn routers_and_metadata() {
    let cluster = Cluster::start(3, 2, 3);
    let directory = tempfile::tempdir().unwrap();
    let router = cluster.launch(9, Role::Router, directory.path(), None);
    wait("the router knows the cluster", Duration::from_secs(5), || {
        let topology = std::sync::Arc::clone(&router.node.topology().borrow());
        let leaders_known = cluster
            .shards()
            .all(|shard| router.node.leader_of(shard).map(NodeId::get) == cluster.leader(shard));
        (topology.nodes().len() == 3 && topology.stream_shards().count() == 2 && leaders_known).then_some(())
    });
    assert!(router.node.replica(SHARD).is_none() && router.node.statuses().is_empty());

    let command = Command::set_setting("stream-node-max-entries", "50").unwrap();
    let outcome = router.block_on(router.node.propose_metadata(command.clone())).unwrap();
    let Outcome::Changed { epoch } = outcome else { panic!("{outcome:?}") };
    for running in cluster.running().chain([&router]) {
        wait("everyone sees the change", Duration::from_secs(3), || {
            (running.node.topology().borrow().epoch() == epoch).then_some(())
        });
    }
    let again = router.block_on(router.node.propose_metadata(command)).unwrap();
    assert_eq!(again, Outcome::Unchanged { epoch });
    let seeds: std::collections::BTreeSet<u64> =
        cluster.running().chain([&router]).map(|running| running.node.session_seed()).collect();
    assert_eq!(seeds.len(), 4);
}

#[test]
fn shards_live_only_where_the_topology_says() {
    let cluster = Cluster::start(4, 2, 1);
    for shard in cluster.shards() {
        let hosts = cluster.running().filter(|running| running.node.replica(shard).is_some()).count();
        assert_eq!(hosts, 1);
        let leader = cluster.leader(shard).map(NodeId::new);
        // Also a node that hosts neither this shard nor the metadata knows who leads.
        wait("everyone knows the leader", Duration::from_secs(5), || {
            cluster.running().all(|running| running.node.leader_of(shard) == leader).then_some(())
        });
    }
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, b"v");

    // The shard moves to a node that never had it, and leaves where it was.
    let (from, to) = (cluster.leader(SHARD).unwrap(), 4);
    assert_ne!(from, to);
    let command = Command::SetReplicas { shard: SHARD, replicas: vec![NodeId::new(to)] };
    let proposer = cluster.node(to);
    proposer.block_on(proposer.node.propose_metadata(command)).unwrap();
    wait("the shard moved", Duration::from_secs(15), || {
        let is_gone = cluster.node(from).node.replica(SHARD).is_none();
        (is_gone && cluster.leader(SHARD) == Some(to)).then_some(())
    });
    session.write(&cluster, SHARD, b"v");
    assert_eq!(length(&cluster, SHARD), 2);
}

#[test]
fn a_follower_is_replaced_by_another_node() {
    let cluster = Cluster::start(4, 1, 3);
    // Shard 1 lives on nodes 2, 3 and 4.
    let mut session = Session::new(1);
    session.write(&cluster, SHARD, b"v");
    cluster.wait_until_equal(SHARD);
    let leader = cluster.leader(SHARD).unwrap();
    let removed = [2, 3, 4].into_iter().find(|id| *id != leader).unwrap();
    let replicas: Vec<NodeId> =
        [leader, 1, 2, 3, 4].into_iter().filter(|id| *id != removed).map(NodeId::new).collect();
    let mut seen = std::collections::BTreeSet::new();
    let replicas: Vec<NodeId> = replicas.into_iter().filter(|id| seen.insert(*id)).collect();
    let command = Command::SetReplicas { shard: SHARD, replicas: replicas.clone() };
    let proposer = cluster.node(1);
    proposer.block_on(proposer.node.propose_metadata(command)).unwrap();
    wait("the follower's place was taken", Duration::from_secs(15), || {
        let is_gone = cluster.node(removed).node.replica(SHARD).is_none();
        let voters = cluster.leader_replica(SHARD)?.voters();
        (is_gone && voters == replicas.iter().copied().collect()).then_some(())
    });
    session.write(&cluster, SHARD, b"v");
    cluster.wait_until_equal(SHARD);
    assert!(cluster.node(1).node.replica(SHARD).is_some());
    assert_eq!(length(&cluster, SHARD), 2);
}
