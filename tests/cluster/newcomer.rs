//! What the README promises a newcomer.

use std::time::{Duration, Instant};

use rivermark_tests::{Cluster, Reply};

#[test]
fn any_node_answers_for_any_key_within_seconds_of_ready() {
    let cluster = Cluster::start(3, 3);
    let ready = Instant::now();
    let id =
        cluster.connect(0).command(&["XADD", "s", "*", "a", "1"]).expect("an answer").text().expect("an id");
    assert!(ready.elapsed() < Duration::from_secs(3), "first write after {:?}", ready.elapsed());
    for node in 0..3 {
        let reply = cluster.connect(node).command(&["XRANGE", "s", "-", "+"]).expect("an answer");
        let entry = &reply.items()[0];
        assert_eq!(entry.items()[0].text().as_deref(), Some(id.as_str()), "node {node}");
        assert_eq!(entry.items()[1].items().len(), 2);
    }
}

#[test]
fn leaders_are_spread_over_the_nodes() {
    let cluster = Cluster::start(3, 3);
    cluster.wait_until("each node leads one shard of three", |cluster| {
        let status = cluster.status(0);
        let mut leaders: Vec<u64> = status["shards"]
            .as_array()
            .expect("a list of shards")
            .iter()
            .filter(|shard| shard["id"].as_u64() != Some(0))
            .filter_map(|shard| shard["leader"].as_u64())
            .collect();
        leaders.sort_unstable();
        leaders == [1, 2, 3]
    });
}

#[test]
fn a_second_start_on_the_same_data_resumes() {
    let mut cluster = Cluster::start(3, 3);
    let id = cluster.connect(1).command(&["XADD", "kept", "*", "a", "1"]).expect("an answer").text();
    cluster.kill_all();
    cluster.run_dev(3);
    let reply = cluster.connect(2).command(&["XRANGE", "kept", "-", "+"]).expect("an answer");
    assert_eq!(reply.items()[0].items()[0].text(), id);
}

#[test]
fn a_command_over_streams_of_several_shards_is_answered_whole() {
    let cluster = Cluster::start(3, 3);
    let mut connection = cluster.connect(0);
    let keys: Vec<String> = (0..12).map(|number| format!("many:{number}")).collect();
    for key in &keys {
        connection.command(&["XADD", key, "1-1", "key", key]).expect("an answer");
    }
    let mut command = vec!["XREAD", "STREAMS"];
    command.extend(keys.iter().map(String::as_str));
    command.extend(keys.iter().map(|_| "0"));
    let reply = connection.command(&command).expect("an answer");
    let answered: Vec<String> = reply.items().iter().map(|s| s.items()[0].text().expect("a key")).collect();
    assert_eq!(answered, keys);
    let mut delete = vec!["DEL"];
    delete.extend(keys.iter().map(String::as_str));
    assert_eq!(connection.command(&delete).expect("an answer"), Reply::Integer(12));
    assert_eq!(connection.command(&["DBSIZE"]).expect("an answer"), Reply::Integer(0));
}
