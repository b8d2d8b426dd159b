//! SHUTDOWN stops a node as SIGTERM does: clients of the others see no error.

use std::path::Path;
use std::time::Duration;

use rivermark_tests::{Cluster, Connection};

use crate::failover::caught_up;
use crate::load::{Load, verify};

#[test]
fn shutting_a_node_down_costs_clients_of_the_others_no_error() {
    let mut cluster = Cluster::start(3, 3);
    let ports = [cluster.port(0), cluster.port(2)];
    let load = Load::start(4, &ports);
    std::thread::sleep(Duration::from_secs(1));
    let mut operator = cluster.connect(1);
    let reply = operator.command(&["SHUTDOWN", "NOSAVE"]);
    assert!(reply.is_err(), "no reply tells that all went well: {reply:?}");
    let pid = cluster.pid(1);
    cluster.wait_until("the node is gone", |_| !Path::new(&format!("/proc/{pid}")).exists());
    assert!(Connection::open(cluster.port(1)).is_err());
    std::thread::sleep(Duration::from_secs(1));
    let mut connection = cluster.connect(0);
    for (key, written) in load.finish() {
        assert_eq!(written.errors, Vec::<String>::new(), "{key}");
        verify(&mut connection, &key, &written);
    }
    cluster.restart(1);
    caught_up(&cluster, 1);
}
