//! The blocking client: one connection a thread.

use std::collections::BTreeMap;
use std::sync::Mutex;

use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamPendingReply, StreamReadOptions, StreamReadReply,
};
use redis::{Client, Commands, Connection, ProtocolVersion, RedisResult};
use rivermark_tests::Cluster;

use crate::program::{Deadline, Disturbance, number_of, numbers_of};

fn connect(cluster: &Cluster, node: u16, protocol: ProtocolVersion) -> Connection {
    let number = if protocol == ProtocolVersion::RESP3 { "resp3" } else { "resp2" };
    Client::open(format!("redis://127.0.0.1:{}/?protocol={number}", cluster.port(node)))
        .and_then(|client| client.get_connection())
        .expect("the node answers")
}

#[test]
fn a_log_is_written_and_read_by_range() {
    let mut cluster = Cluster::start(3, 3);
    for (protocol, disturbance) in [
        (ProtocolVersion::RESP2, Disturbance::None),
        (ProtocolVersion::RESP3, Disturbance::None),
        (ProtocolVersion::RESP2, Disturbance::Kill(2)),
        (ProtocolVersion::RESP3, Disturbance::Kill(2)),
    ] {
        let key = format!("log:{protocol:?}:{disturbance:?}");
        let mut client = connect(&cluster, 0, protocol);
        let mut ids = Vec::new();
        for number in 0..200_u32 {
            if number == 100 {
                disturbance.strike(&cluster);
            }
            let id: Option<String> = client.xadd(&key, "*", &[("n", number)]).expect("an id");
            ids.extend(id);
        }
        let mut other = connect(&cluster, 1, protocol);
        let all: redis::streams::StreamRangeReply = other.xrange_all(&key).expect("a range");
        assert_eq!(numbers_of(&all), (0..200).collect::<Vec<_>>());
        assert_eq!(all.ids.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>(), ids);
        let part = other.xrange_count(&key, format!("({}", ids[49]), "+", 10).expect("a range");
        assert_eq!(numbers_of(&part), (50..60).collect::<Vec<_>>());
        disturbance.mend(&mut cluster);
    }
}

#[test]
fn workers_share_a_group_and_claim_what_a_dead_one_held() {
    const JOBS: u32 = 200;
    let mut cluster = Cluster::start(3, 3);
    for disturbance in [Disturbance::None, Disturbance::Kill(2)] {
        let key = format!("jobs:{disturbance:?}");
        let mut producer = connect(&cluster, 0, ProtocolVersion::RESP3);
        let () = producer.xgroup_create_mkstream(&key, "workers", "0").expect("a group");
        let done = Mutex::new(BTreeMap::<u32, usize>::new());
        std::thread::scope(|scope| {
            for (name, node) in [("alice", 0), ("bob", 1)] {
                let (client, key, done) = (connect(&cluster, node, ProtocolVersion::RESP3), &key, &done);
                scope.spawn(move || work(client, key, name, JOBS, done).expect("the worker goes on"));
            }
            for number in 0..JOBS {
                if number == 20 {
                    die_with_five_jobs(&cluster, &key);
                }
                if number == JOBS / 2 {
                    disturbance.strike(&cluster);
                }
                let _: Option<String> = producer.xadd(&key, "*", &[("n", number)]).expect("an id");
            }
        });
        let done = done.into_inner().expect("no worker panicked");
        assert_eq!(done.keys().copied().collect::<Vec<_>>(), (0..JOBS).collect::<Vec<_>>());
        assert!(done.values().all(|times| *times == 1), "no worker lost its connection: {done:?}");
        let pending: StreamPendingReply = producer.xpending(&key, "workers").expect("a summary");
        assert_eq!(pending.count(), 0);
        disturbance.mend(&mut cluster);
    }
}

fn die_with_five_jobs(cluster: &Cluster, key: &str) {
    let options = StreamReadOptions::default().group("workers", "carol").count(5);
    let _: Option<StreamReadReply> = connect(cluster, 1, ProtocolVersion::RESP3)
        .xread_options(&[key], &[">"], &options)
        .expect("a delivery");
}

fn work(
    mut client: Connection,
    key: &str,
    name: &str,
    jobs: u32,
    done: &Mutex<BTreeMap<u32, usize>>,
) -> RedisResult<()> {
    let options = StreamReadOptions::default().group("workers", name).count(5).block(200);
    let deadline = Deadline::start();
    while done.lock().expect("no worker panicked").len() < jobs as usize {
        deadline.check();
        let delivered: Option<StreamReadReply> = client.xread_options(&[key], &[">"], &options)?;
        let mut entries: Vec<_> =
            delivered.into_iter().flat_map(|reply| reply.keys).flat_map(|stream| stream.ids).collect();
        if entries.is_empty() {
            let claim = StreamAutoClaimOptions::default().count(10);
            let claimed: StreamAutoClaimReply =
                client.xautoclaim_options(key, "workers", name, 1000, "0", claim)?;
            entries = claimed.claimed;
        }
        for entry in entries {
            *done.lock().expect("no worker panicked").entry(number_of(&entry)).or_default() += 1;
            let _: usize = client.xack(key, "workers", &[&entry.id])?;
        }
    }
    Ok(())
}
