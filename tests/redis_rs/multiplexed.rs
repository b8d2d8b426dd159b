//! The async client: many tasks on one connection, and the manager that connects again.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Client};
use rivermark_tests::Cluster;
use tokio::time::sleep;

use crate::program::{Deadline, Disturbance, number_of, numbers_of, once};

fn client_of(cluster: &Cluster, node: u16) -> Client {
    Client::open(format!("redis://127.0.0.1:{}/?protocol=resp3", cluster.port(node))).expect("a valid URL")
}

async fn connect(cluster: &Cluster, node: u16) -> MultiplexedConnection {
    // A wait for a failover is no failure; redis-rs would give up after half a second.
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    client_of(cluster, node).get_multiplexed_async_connection_with_config(&config).await.expect("it answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_share_a_connection() {
    const TASKS: u32 = 20;
    const ENTRIES: u32 = 40;
    let mut cluster = Cluster::start(3, 3);
    for disturbance in [Disturbance::None, Disturbance::Kill(2)] {
        let connection = connect(&cluster, 0).await;
        let writers: Vec<_> = (0..TASKS)
            .map(|task| {
                let (mut connection, key) = (connection.clone(), format!("{disturbance:?}:{task}"));
                tokio::spawn(async move {
                    for number in 0..ENTRIES {
                        let _: Option<String> = connection.xadd(&key, "*", &[("n", number)]).await?;
                    }
                    redis::RedisResult::Ok(key)
                })
            })
            .collect();
        sleep(Duration::from_millis(100)).await;
        disturbance.strike(&cluster);
        let mut other = connect(&cluster, 1).await;
        for writer in writers {
            let key = writer.await.expect("no panic").expect("clients of other nodes see no error");
            assert_eq!(
                numbers_of(&other.xrange_all(&key).await.expect("a range")),
                (0..ENTRIES).collect::<Vec<_>>()
            );
        }
        disturbance.mend(&mut cluster);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_and_transactions_are_whole() {
    let mut cluster = Cluster::start(3, 3);
    for disturbance in [Disturbance::None, Disturbance::Kill(2)] {
        let key = format!("pipelines:{disturbance:?}");
        let mut connection = connect(&cluster, 0).await;
        for round in 0..20_u32 {
            if round == 10 {
                disturbance.strike(&cluster);
            }
            let mut pipe = redis::pipe();
            if round % 2 == 0 {
                pipe.atomic();
            }
            for number in 0..10 {
                pipe.xadd(&key, "*", &[("n", round * 10 + number)]).ignore();
            }
            let (length,): (u32,) = pipe.xlen(&key).query_async(&mut connection).await.expect("a length");
            assert_eq!(length, (round + 1) * 10);
        }
        let read = connect(&cluster, 1).await.xrange_all(&key).await.expect("a range");
        assert_eq!(numbers_of(&read), (0..200).collect::<Vec<_>>());
        disturbance.mend(&mut cluster);
    }
}

/// A manager whose node dies and returns: writes are repeated by the program until they are answered, which IDMP
/// makes exact; the reader goes on after the last id it saw.
#[tokio::test(flavor = "multi_thread")]
async fn managers_connect_again() {
    const ENTRIES: u32 = 60;
    let mut cluster = Cluster::start(3, 3);
    for disturbance in [Disturbance::None, Disturbance::Kill(0)] {
        let key = format!("managed:{disturbance:?}");
        let config = ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
        let manager = || ConnectionManager::new_with_config(client_of(&cluster, 0), config.clone());
        let writer = tokio::spawn(write(manager().await.expect("it answers"), key.clone(), ENTRIES));
        let reader = tokio::spawn(read(manager().await.expect("it answers"), key.clone(), ENTRIES));
        sleep(Duration::from_millis(50)).await;
        disturbance.strike(&cluster);
        sleep(Duration::from_secs(1)).await;
        disturbance.mend(&mut cluster);
        writer.await.expect("every entry is written");
        assert_eq!(reader.await.expect("every entry is read"), (0..ENTRIES).collect::<Vec<_>>());
    }
}

async fn write(mut manager: ConnectionManager, key: String, entries: u32) {
    let deadline = Deadline::start();
    for number in 0..entries {
        loop {
            deadline.check();
            let answer: redis::RedisResult<Option<String>> =
                manager.xadd_options(&key, "*", &[("n", number)], &once(number)).await;
            match answer {
                Ok(_) => break,
                Err(error) => assert!(is_lost(&error), "{error}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn read(mut manager: ConnectionManager, key: String, entries: u32) -> Vec<u32> {
    let (mut last, mut seen) = ("0-0".to_owned(), Vec::new());
    let options = StreamReadOptions::default().block(500);
    let deadline = Deadline::start();
    while seen.len() < entries as usize {
        deadline.check();
        let answer: redis::RedisResult<Option<StreamReadReply>> =
            manager.xread_options(&[&key], &[&last], &options).await;
        match answer {
            Ok(reply) => {
                for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|stream| stream.ids) {
                    seen.push(number_of(&entry));
                    last = entry.id;
                }
            }
            Err(error) => {
                assert!(is_lost(&error), "{error}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    seen
}

/// The connection broke, or there is none yet, or the node that returned has not joined yet.
fn is_lost(error: &redis::RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.code() == Some("LOADING")
}
