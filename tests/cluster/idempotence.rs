//! Producers that send again what they got no answer for: an entry with an idempotent id is added once, whoever
//! dies in between.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rivermark_tests::resp::encode;
use rivermark_tests::{Cluster, Connection, Reply};

const NODES: u16 = 3;

fn ask(connection: &mut Connection, command: &str) -> Reply {
    let words: Vec<&str> = command.split(' ').collect();
    connection.command(&words).expect("an answer")
}

/// How a producer names entry `number`.
fn xadd(key: &str, producer: &str, number: usize) -> Vec<String> {
    let words = match producer {
        // The entry's own content is its name.
        "auto" => format!("XADD {key} IDMPAUTO {producer} * n {number}"),
        _ => format!("XADD {key} IDMP {producer} i{number} * n {number}"),
    };
    words.split(' ').map(str::to_owned).collect()
}

/// Adds entries one after the other through the first of the ports that answers, and sends an entry again,
/// elsewhere, until it has its id. Every entry is sent twice at least.
fn produce(
    ports: Vec<u16>,
    key: String,
    producer: &'static str,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Vec<String>> {
    spawn(move || {
        let mut ids = Vec::new();
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let number = ids.len();
            let mut answers = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(30);
            while answers.len() < 2 {
                assert!(Instant::now() < deadline, "no answer for {key} {number}");
                turn += 1;
                let port = ports[turn % ports.len()];
                let sent = Connection::open(port).and_then(|mut c| c.command(&xadd(&key, producer, number)));
                match sent {
                    Ok(reply) => match reply.text() {
                        Some(id) => answers.push(id),
                        // It may have been added: the same again tells.
                        None => assert!(is_passing(&reply), "{reply:?}"),
                    },
                    Err(_) => sleep(Duration::from_millis(20)),
                }
            }
            assert_eq!(answers[0], answers[1], "the same entry of {key}");
            ids.extend(answers.pop());
        }
        ids
    })
}

fn is_passing(reply: &Reply) -> bool {
    let passing = ["TIMEOUT", "TRYAGAIN", "CLUSTERDOWN", "LOADING"];
    matches!(reply, Reply::Error(text) if passing.iter().any(|code| text.starts_with(code)))
}

/// The ids in a stream, and the number in each entry.
fn stored(connection: &mut Connection, key: &str) -> Vec<(String, String)> {
    let reply = ask(connection, &format!("XRANGE {key} - +"));
    let text = |reply: &Reply| reply.text().expect("a string");
    reply.items().iter().map(|e| (text(&e.items()[0]), text(&e.items()[1].items()[1]))).collect()
}

#[test]
fn entries_sent_again_over_the_death_of_leaders_are_added_once() {
    let mut cluster = Cluster::start(NODES, 3);
    assert_eq!(ask(&mut cluster.connect(0), "CONFIG SET stream-idmp-duration 3600"), ok());
    for victim in 0..NODES {
        let stop = Arc::new(AtomicBool::new(false));
        let ports: Vec<u16> = (0..NODES).map(|node| cluster.port(node)).collect();
        let producers: BTreeMap<String, _> = (0..6)
            .map(|number| {
                let key = format!("once:{victim}:{number}");
                let producer = if number % 2 == 0 { "auto" } else { "named" };
                (key.clone(), produce(ports.clone(), key, producer, Arc::clone(&stop)))
            })
            .collect();
        sleep(Duration::from_secs(1));
        cluster.kill(victim);
        sleep(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
        let mut connection = cluster.connect((victim + 1) % NODES);
        for (key, producer) in producers {
            let ids = producer.join().expect("the producer's checks hold");
            assert!(ids.len() > 20, "{key}: only {} entries", ids.len());
            let expected: Vec<(String, String)> =
                ids.into_iter().enumerate().map(|(number, id)| (id, number.to_string())).collect();
            assert_eq!(stored(&mut connection, &key), expected, "{key}");
        }
        cluster.restart(victim);
    }
}

#[test]
fn an_entry_that_got_no_answer_is_told_by_another_node_under_the_same_id() {
    let mut cluster = Cluster::start(NODES, 3);
    for victim in 0..NODES {
        let key = format!("unanswered:{victim}");
        let mut doomed = cluster.connect(victim);
        let requests: Vec<u8> = (0..200).flat_map(|number| encode(&xadd(&key, "named", number))).collect();
        doomed.send(&requests).expect("sent");
        cluster.kill(victim);
        let mut connection = cluster.connect((victim + 1) % NODES);
        for number in 0..200 {
            let first = connection.command(&xadd(&key, "named", number)).expect("an answer");
            assert!(first.text().is_some(), "{first:?}");
            let again = cluster.connect((victim + 2) % NODES).command(&xadd(&key, "named", number));
            assert_eq!(again.expect("an answer"), first);
        }
        let stored = stored(&mut connection, &key);
        let mut numbers: Vec<usize> = stored.iter().map(|(_, n)| n.parse().expect("a number")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "{key}");
        cluster.restart(victim);
    }
}

/// What XINFO STREAM tells under a name.
fn told(connection: &mut Connection, key: &str, name: &str) -> i64 {
    let info = ask(connection, &format!("XINFO STREAM {key}"));
    let at = info.items().iter().position(|item| item.text().as_deref() == Some(name)).expect("a field");
    let Reply::Integer(value) = info.items()[at + 1] else { panic!("{info:?}") };
    value
}

fn ok() -> Reply {
    Reply::Simple("OK".to_owned())
}

/// Entries with names of their own in streams of every shard, and the ids they got.
struct Kept {
    keys: Vec<String>,
    ids: BTreeMap<(String, usize), Reply>,
}

impl Kept {
    fn add(connection: &mut Connection) -> Self {
        let set = "CONFIG SET stream-idmp-duration 3000 stream-idmp-maxsize 3";
        assert_eq!(ask(connection, set), ok());
        let keys: Vec<String> = (0..6).map(|number| format!("kept:{number}")).collect();
        let mut ids = BTreeMap::new();
        for key in &keys {
            for number in 0..4 {
                let id = connection.command(&xadd(key, "named", number)).expect("an answer");
                ids.insert((key.clone(), number), id);
            }
            let own = format!("own:{key}");
            ask(connection, &format!("XADD {own} * a 1"));
            assert_eq!(ask(connection, &format!("XCFGSET {own} IDMP-DURATION 7700 IDMP-MAXSIZE 2")), ok());
            let id = connection.command(&xadd(&own, "named", 0)).expect("an answer");
            ids.insert((own, 0), id);
        }
        Self { keys, ids }
    }

    fn check(&self, connection: &mut Connection) {
        for key in &self.keys {
            let own = format!("own:{key}");
            assert_eq!(told(connection, key, "idmp-duration"), 3000);
            assert_eq!(told(connection, key, "idmp-maxsize"), 3);
            assert_eq!(told(connection, &own, "idmp-duration"), 7700);
            assert_eq!(told(connection, &own, "idmp-maxsize"), 2);
            // The oldest of the four was forgotten for the fourth.
            assert_eq!(told(connection, key, "iids-tracked"), 3);
            for number in 1..4 {
                self.check_again(connection, key, number);
            }
            assert_eq!(ask(connection, &format!("XLEN {key}")), Reply::Integer(4));
            self.check_again(connection, &own, 0);
            assert_eq!(ask(connection, &format!("XLEN {own}")), Reply::Integer(2));
        }
    }

    fn check_again(&self, connection: &mut Connection, key: &str, number: usize) {
        let again = connection.command(&xadd(key, "named", number)).expect("an answer");
        assert_eq!(Some(&again), self.ids.get(&(key.to_owned(), number)), "{key} {number}");
    }
}

#[test]
fn bounds_and_ids_are_every_replicas_and_outlive_the_cluster() {
    let mut cluster = Cluster::start(NODES, 3);
    let kept = Kept::add(&mut cluster.connect(0));
    // Every node in turn is dead, so each shard is led by others than before.
    for victim in 0..NODES {
        cluster.kill(victim);
        kept.check(&mut cluster.connect((victim + 1) % NODES));
        cluster.restart(victim);
    }
    cluster.kill_all();
    cluster.run_dev(3);
    kept.check(&mut cluster.connect(1));
}

#[test]
fn bounds_and_ids_are_in_snapshots() {
    let mut cluster = Cluster::start(NODES, 3);
    for node in 0..NODES {
        let path = cluster.data().join(format!("node-{}.toml", node + 1));
        let text = fs::read_to_string(&path).expect("dev wrote it");
        let mut config: toml::Table = text.parse().expect("dev wrote TOML");
        config.insert("snapshot-log-mib".to_owned(), 1.into());
        fs::write(&path, config.to_string()).expect("the folder is ours");
        cluster.kill(node);
        cluster.restart(node);
    }
    let mut connection = cluster.connect(0);
    let kept = Kept::add(&mut connection);
    let before: BTreeMap<_, _> = positions(&cluster, "applied");
    let filler = "x".repeat(100_000);
    // Two MiB of log for every shard: the keys are on all of them.
    for number in 0..180 {
        let key = format!("filler:{}", number % 9);
        let reply = connection.command(&["XADD", &key, "MAXLEN", "1", "*", "f", &filler]).expect("an answer");
        assert!(!reply.is_error(), "{reply:?}");
    }
    cluster.wait_until("every replica has a snapshot of it", |cluster| {
        let snapshots = positions(cluster, "snapshot");
        before.iter().all(|(replica, applied)| snapshots.get(replica) >= Some(applied))
    });
    cluster.kill_all();
    (0..NODES).for_each(|node| cluster.restart(node));
    kept.check(&mut cluster.connect(1));
}

/// A position of every replica of the shards that hold streams, by shard and node.
fn positions(cluster: &Cluster, name: &str) -> BTreeMap<(u64, u64), u64> {
    let status = cluster.status(0);
    let shards = status["shards"].as_array().expect("a list of shards").iter();
    let shards = shards.filter(|shard| shard["id"].as_u64() != Some(0));
    let of_shard = |shard: &serde_json::Value| {
        let replicas = shard["replicas"].as_array().expect("a list of replicas").iter();
        let position = |replica: &serde_json::Value| {
            let replica_of = (shard["id"].as_u64()?, replica["node"].as_u64()?);
            Some((replica_of, replica[name].as_u64().unwrap_or(0)))
        };
        replicas.filter_map(position).collect::<Vec<_>>()
    };
    let found: BTreeMap<_, _> = shards.flat_map(of_shard).collect();
    assert_eq!(found.len(), 9, "{status}");
    found
}
