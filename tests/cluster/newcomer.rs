//! What the README promises a newcomer.

use std::time::{Duration, Instant};

use rivermark_tests::{Cluster, Connection, Reply};

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
fn leaders_are_spread_over_the_nodes_and_return_after_a_restart() {
    let mut cluster = Cluster::start(3, 3);
    each_node_leads_one(&cluster);
    cluster.kill(1);
    cluster
        .wait_until("the others lead everything", |cluster| leaders(cluster).iter().all(|node| *node != 2));
    cluster.restart(1);
    each_node_leads_one(&cluster);
}

fn each_node_leads_one(cluster: &Cluster) {
    cluster.wait_until("each node leads one shard of three", |cluster| leaders(cluster) == [1, 2, 3]);
}

/// Who leads the stream shards, sorted.
fn leaders(cluster: &Cluster) -> Vec<u64> {
    let status = cluster.status(0);
    let shards = status["shards"].as_array().expect("a list of shards");
    let streams = shards.iter().filter(|shard| shard["id"].as_u64() != Some(0));
    let mut leaders: Vec<u64> = streams.filter_map(|shard| shard["leader"].as_u64()).collect();
    leaders.sort_unstable();
    leaders
}

#[test]
fn the_doctor_compares_replicas_under_load_and_tells_what_is_wrong() {
    let mut cluster = Cluster::start(3, 3);
    let mut connection = cluster.connect(0);
    for number in 0..300 {
        let key = format!("examined:{}", number % 7);
        connection.command(&["XADD", &key, "*", "n", &number.to_string()]).expect("an answer");
        if number % 100 == 0 {
            let report = cluster.doctor(1).expect("a report");
            assert_eq!(report["is_sound"], true, "{report:#}");
            for shard in report["shards"].as_array().expect("shards") {
                let digests: Vec<_> = shard["replicas"].as_array().expect("replicas").iter().collect();
                assert_eq!(digests.len(), 3);
                assert!(digests.iter().all(|replica| replica["digest"] == digests[0]["digest"]), "{shard:#}");
            }
        }
    }
    cluster.kill(2);
    let report = cluster.doctor(0).expect("a report");
    assert_eq!(report["is_sound"], false);
    assert_eq!(report["replicas_differ"], false);
    let findings = report["findings"].to_string();
    assert!(findings.contains("node 3 does not answer"), "{findings}");
    cluster.restart(2);
    cluster.wait_until("the cluster is sound again", |cluster| {
        cluster.doctor(2).is_some_and(|report| report["is_sound"] == true)
    });
}

#[test]
fn a_router_without_replicas_serves_like_any_node() {
    let mut cluster = Cluster::start(3, 3);
    let port = cluster.start_router();
    let mut router = Connection::open(port).expect("the router listens");
    for number in 0..20 {
        let key = format!("routed:{number}");
        let reply = router.command(&["XADD", &key, "*", "n", &number.to_string()]).expect("an answer");
        assert!(reply.text().is_some(), "{reply:?}");
        assert_eq!(cluster.connect(1).command(&["XLEN", &key]).expect("an answer"), Reply::Integer(1));
        assert_eq!(router.command(&["XLEN", &key]).expect("an answer"), Reply::Integer(1));
    }
    cluster.kill(0);
    let reply = router.command(&["XADD", "routed:0", "*", "n", "20"]).expect("an answer");
    assert!(reply.text().is_some(), "{reply:?}");
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
