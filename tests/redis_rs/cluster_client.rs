//! The cluster clients, blocking and async, with MOVED and without.

use std::thread::sleep;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::streams::{StreamPendingReply, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Commands, RedisResult};
use rivermark_tests::{Cluster, Reply};

use crate::program::{Deadline, Disturbance, number_of, numbers_of, once};

const KEYS: u32 = 12;
const ROUNDS: u32 = 20;

/// Both ways to answer for a shard that another node leads, undisturbed and with a kill.
const CASES: [(&str, Disturbance); 4] = [
    ("no", Disturbance::None),
    ("yes", Disturbance::None),
    ("no", Disturbance::Kill(0)),
    ("yes", Disturbance::Kill(0)),
];

/// Sets `cluster-redirects` and waits until each node leads a shard, so that the kill is that of a leader.
fn prepare(cluster: &Cluster, redirects: &str) {
    let set = ["CONFIG", "SET", "cluster-redirects", redirects];
    assert!(!cluster.connect(1).command(&set).expect("an answer").is_error());
    cluster.wait_until("every node knows the setting", |cluster| {
        (0..3).all(|node| {
            let found = cluster.connect(node).command(&["CONFIG", "GET", "cluster-redirects"]);
            found.expect("an answer").items()[1].text().as_deref() == Some(redirects)
        })
    });
    cluster.wait_until("every node leads a shard", |cluster| {
        let rows = cluster.connect(1).command(&["CLUSTER", "SLOTS"]).expect("an answer");
        let leader = |row: &Reply| row.items()[2].items()[1].clone();
        (0..3).all(|node| {
            let port = Reply::Integer(i64::from(cluster.port(node)));
            rows.items().iter().any(|row| leader(row) == port)
        })
    });
}

/// A client that tries so often before it tells the program.
fn client_of(cluster: &Cluster, retries: u32) -> ClusterClient {
    let seeds = (0..3).map(|node| format!("redis://127.0.0.1:{}", cluster.port(node)));
    ClusterClient::builder(seeds)
        .use_protocol(redis::ProtocolVersion::RESP3)
        .retries(retries)
        .min_retry_wait(20)
        .max_retry_wait(200)
        .response_timeout(Duration::from_secs(30))
        .build()
        .expect("valid addresses")
}

/// What a program makes of the blocking client, which learns of a new leader from MOVED alone: if a leader's machine
/// refuses connections, only a new connection to the cluster asks for the slots again.
struct Persistent {
    client: ClusterClient,
    connection: ClusterConnection,
}

impl Persistent {
    fn connect(cluster: &Cluster) -> Self {
        let client = client_of(cluster, 3);
        let connection = client.get_connection().expect("the cluster answers");
        Self { client, connection }
    }

    /// Repeats a call until it is answered.
    fn call<T>(&mut self, call: impl Fn(&mut ClusterConnection) -> RedisResult<T>) -> T {
        let deadline = Deadline::start();
        loop {
            match call(&mut self.connection) {
                Ok(value) => return value,
                Err(error) => assert!(error.is_io_error() || error.is_unrecoverable_error(), "{error}"),
            }
            deadline.check();
            sleep(Duration::from_millis(100));
            if let Ok(connection) = self.client.get_connection() {
                self.connection = connection;
            }
        }
    }
}

#[test]
fn the_blocking_cluster_client_follows_a_failover() {
    let mut cluster = Cluster::start(3, 3);
    for (redirects, disturbance) in CASES {
        prepare(&cluster, redirects);
        let mut client = Persistent::connect(&cluster);
        let keys: Vec<String> = (0..KEYS).map(|n| format!("sync:{redirects}:{disturbance:?}:{n}")).collect();
        for number in 0..ROUNDS {
            if number == ROUNDS / 2 {
                disturbance.strike(&cluster);
            }
            for key in &keys {
                let _: Option<String> =
                    client.call(|client| client.xadd_options(key, "*", &[("n", number)], &once(number)));
            }
        }
        for key in &keys {
            let read = client.call(|client| client.xrange_all(key));
            assert_eq!(
                numbers_of(&read),
                (0..ROUNDS).collect::<Vec<_>>(),
                "{key} {redirects} {disturbance:?}"
            );
        }
        disturbance.mend(&mut cluster);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_async_cluster_client_follows_a_failover() {
    let mut cluster = Cluster::start(3, 3);
    for (redirects, disturbance) in CASES {
        prepare(&cluster, redirects);
        let connection = client_of(&cluster, 100).get_async_connection().await.expect("the cluster answers");
        let writers: Vec<_> = (0..KEYS)
            .map(|n| {
                let (mut connection, key) =
                    (connection.clone(), format!("async:{redirects}:{disturbance:?}:{n}"));
                tokio::spawn(async move {
                    for number in 0..ROUNDS {
                        let _: Option<String> =
                            connection.xadd_options(&key, "*", &[("n", number)], &once(number)).await?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    RedisResult::Ok(numbers_of(&connection.xrange_all(&key).await?))
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        disturbance.strike(&cluster);
        for writer in writers {
            let read = writer.await.expect("no panic").expect("the client repeats what got no reply");
            assert_eq!(read, (0..ROUNDS).collect::<Vec<_>>(), "{redirects} {disturbance:?}");
        }
        disturbance.mend(&mut cluster);
    }
}

/// A consumer of a group that, after the death of its leader, takes by CLAIM what a lost reply had delivered.
#[test]
fn a_consumer_follows_a_failover() {
    let mut cluster = Cluster::start(3, 3);
    for (redirects, disturbance) in CASES {
        prepare(&cluster, redirects);
        let key = format!("jobs:{redirects}:{disturbance:?}");
        let mut producer = Persistent::connect(&cluster);
        let () = producer.call(|client| client.xgroup_create_mkstream(&key, "workers", "0"));
        let seen = std::thread::scope(|scope| {
            let consuming = scope.spawn(|| consume(Persistent::connect(&cluster), &key, 100));
            for number in 0..100 {
                if number == 50 {
                    disturbance.strike(&cluster);
                }
                let _: Option<String> =
                    producer.call(|client| client.xadd_options(&key, "*", &[("n", number)], &once(number)));
            }
            consuming.join().expect("the consumer goes on")
        });
        assert!(seen.len() <= 100 + 5, "at most one delivery is repeated: {seen:?}");
        let pending: StreamPendingReply = producer.call(|client| client.xpending(&key, "workers"));
        assert_eq!(pending.count(), 0);
        disturbance.mend(&mut cluster);
    }
}

/// Reads and acknowledges until every number below `jobs` was seen; all numbers in the order they came.
fn consume(mut client: Persistent, key: &str, jobs: u32) -> Vec<u32> {
    let options = StreamReadOptions::default().group("workers", "alice").count(5).block(300).claim(2000);
    let (mut seen, deadline) = (Vec::new(), Deadline::start());
    while !(0..jobs).all(|number| seen.contains(&number)) {
        deadline.check();
        let delivered: Option<StreamReadReply> =
            client.call(|client| client.xread_options(&[key], &[">"], &options));
        let entries: Vec<_> =
            delivered.into_iter().flat_map(|reply| reply.keys).flat_map(|stream| stream.ids).collect();
        for entry in &entries {
            seen.push(number_of(entry));
            let _: usize = client.call(|client| client.xack(key, "workers", &[&entry.id]));
        }
        if entries.is_empty() {
            sleep(Duration::from_millis(10));
        }
    }
    seen
}
