//! The cluster of `deploy/compose`, as somebody with nothing but a container engine gets it.

use rivermark_tests::compose::SERVICES;
use rivermark_tests::{Compose, Connection, Reply};

const ROUTER: u16 = 3;

fn image() -> String {
    std::env::var("RIVERMARK_IMAGE").unwrap_or_else(|_| "rivermark".to_owned())
}

fn add(connection: &mut Connection, number: i64) {
    let reply = connection.command(&["XADD", "orders", "*", "n", &number.to_string()]).expect("an answer");
    assert!(reply.text().is_some(), "{reply:?}");
}

fn length(connection: &mut Connection) -> Reply {
    connection.command(&["XLEN", "orders"]).expect("an answer")
}

#[test]
fn the_composition_serves_through_a_killed_node_a_cut_network_and_a_restart() {
    let composition = Compose::start(&image());
    let mut router = composition.connect(ROUTER);
    add(&mut router, 0);
    for node in 0..3 {
        assert_eq!(length(&mut composition.connect(node)), Reply::Integer(1), "node {node}");
    }

    composition.docker(&["kill"], SERVICES[1]);
    add(&mut router, 1);
    assert_eq!(length(&mut composition.connect(0)), Reply::Integer(2));
    composition.docker(&["start"], SERVICES[1]);
    composition.wait_until_healthy(&SERVICES);
    assert_eq!(length(&mut composition.connect(1)), Reply::Integer(2));

    let network = format!("{}_default", composition.container("").trim_end_matches("__1"));
    composition.docker(&["network", "disconnect", &network], SERVICES[2]);
    add(&mut router, 2);
    composition.docker(&["network", "connect", "--alias", SERVICES[2], &network], SERVICES[2]);
    // The published port is lost with the network and comes back with a restart.
    composition.docker(&["restart", "--time", "20"], SERVICES[2]);
    composition.wait_until_healthy(&SERVICES);
    assert_eq!(length(&mut composition.connect(2)), Reply::Integer(3));
    assert_eq!(length(&mut router), Reply::Integer(3));
}
