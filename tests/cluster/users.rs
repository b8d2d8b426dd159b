//! Users of a cluster: a change that was acknowledged on one node holds on every other, on connections that were
//! there before too.

use rivermark_tests::cluster::text_of;
use rivermark_tests::{Cluster, Connection, Reply};

fn ok() -> Reply {
    Reply::Simple("OK".to_owned())
}

fn ask(connection: &mut Connection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    connection.command(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(reply: &Reply, code: &str) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with(code))
}

/// Logged in on every node, in both protocols.
fn everywhere(cluster: &Cluster, user: &str, password: &str) -> Vec<Connection> {
    let mut connections = Vec::new();
    for node in 0..3 {
        let mut resp2 = cluster.connect(node);
        assert_eq!(ask(&mut resp2, &format!("AUTH {user} {password}")), ok(), "node {node}");
        let mut resp3 = cluster.connect(node);
        let hello = ask(&mut resp3, &format!("HELLO 3 AUTH {user} {password}"));
        assert!(matches!(hello, Reply::Map(_)), "node {node}: {hello:?}");
        connections.extend([resp2, resp3]);
    }
    connections
}

#[test]
fn an_acknowledged_change_holds_on_every_node() {
    let cluster = Cluster::start(3, 3);
    let mut operators: Vec<Connection> = (0..3).map(|node| cluster.connect(node)).collect();
    assert_eq!(ask(&mut operators[0], "ACL SETUSER bob on >pw +@stream ~k:*"), ok());
    let mut bobs = everywhere(&cluster, "bob", "pw");
    for round in 0..20 {
        let (grant, take) =
            (&format!("ACL SETUSER bob +del ~x:{round}"), "ACL SETUSER bob -del resetkeys ~k:*");
        assert_eq!(ask(&mut operators[round % 3], grant), ok());
        for bob in &mut bobs {
            assert_eq!(ask(bob, &format!("DEL x:{round}")), Reply::Integer(0));
        }
        assert_eq!(ask(&mut operators[(round + 1) % 3], take), ok());
        for bob in &mut bobs {
            let reply = ask(bob, "DEL k:1");
            assert!(
                refused(&reply, "NOPERM User bob has no permissions to run the 'del' command"),
                "{reply:?}"
            );
            let reply = ask(bob, &format!("XLEN x:{round}"));
            assert!(refused(&reply, "NOPERM No permissions to access a key"), "{reply:?}");
            assert_eq!(ask(bob, "XLEN k:1"), Reply::Integer(0));
        }
    }
    let lists: Vec<Reply> = operators.iter_mut().map(|operator| ask(operator, "ACL LIST")).collect();
    assert!(lists.iter().all(|list| *list == lists[0] && list.items().len() == 2), "{lists:?}");
}

#[test]
fn a_deleted_user_is_cut_off_on_every_node() {
    let cluster = Cluster::start(3, 3);
    let mut operator = cluster.connect(1);
    assert_eq!(ask(&mut operator, "ACL SETUSER bob on >pw +@all ~*"), ok());
    let bobs = everywhere(&cluster, "bob", "pw");
    assert_eq!(ask(&mut operator, "ACL DELUSER bob"), Reply::Integer(1));
    for node in 0..3 {
        let reply = ask(&mut cluster.connect(node), "AUTH bob pw");
        assert!(refused(&reply, "WRONGPASS"), "node {node}: {reply:?}");
    }
    for mut bob in bobs {
        // Idle since it logged in: the node ends it, nobody has to ask.
        assert!(bob.reply().is_err(), "the connection is closed");
    }
}

#[test]
fn users_survive_every_node_and_reach_one_that_was_away() {
    let mut cluster = Cluster::start(3, 3);
    let mut operator = cluster.connect(0);
    assert_eq!(ask(&mut operator, "ACL SETUSER bob on >pw +@all ~*"), ok());
    assert_eq!(ask(&mut operator, "ACL SETUSER default -@dangerous"), ok());
    cluster.kill(2);
    let mut boss = cluster.connect(1);
    assert_eq!(ask(&mut boss, "AUTH bob pw"), ok());
    assert_eq!(ask(&mut boss, "ACL SETUSER bob resetpass >other"), ok());
    assert_eq!(ask(&mut boss, "ACL SETUSER eve on >pw +ping"), ok());
    cluster.restart(2);
    cluster.wait_until("the node that was away knows the change", |cluster| {
        let mut connection = cluster.connect(2);
        ask(&mut connection, "AUTH eve pw") == ok()
            && refused(&ask(&mut connection, "AUTH bob pw"), "WRONGPASS")
    });
    cluster.kill_all();
    cluster.run_dev(3);
    for node in 0..3 {
        let mut connection = cluster.connect(node);
        let reply = ask(&mut connection, "ACL LIST");
        assert!(
            refused(&reply, "NOPERM User default has no permissions to run the 'acl|list' command"),
            "{reply:?}"
        );
        assert_eq!(ask(&mut connection, "AUTH bob other"), ok());
        assert_eq!(ask(&mut connection, "ACL USERS").items().len(), 3);
    }
}

#[test]
fn changes_made_at_once_are_all_made() {
    const CHANGES: usize = 10;
    let cluster = Cluster::start(3, 3);
    assert_eq!(ask(&mut cluster.connect(0), "ACL SETUSER bob on"), ok());
    std::thread::scope(|scope| {
        for node in 0..3 {
            let mut operator = cluster.connect(node);
            scope.spawn(move || {
                for number in 0..CHANGES {
                    let line = format!("ACL SETUSER bob ~{node}:{number}");
                    // Who was overtaken time and again is told that nothing was applied.
                    while refused(&ask(&mut operator, &line), "TRYAGAIN") {}
                }
            });
        }
    });
    let shown = ask(&mut cluster.connect(1), "ACL LIST").items().iter().map(text_of).collect::<Vec<_>>();
    let bob = shown.iter().find(|line| line.starts_with("user bob ")).expect("bob is there");
    for node in 0..3 {
        for number in 0..CHANGES {
            assert!(bob.contains(&format!(" ~{node}:{number} ")), "~{node}:{number} is lost: {bob}");
        }
    }
}

#[test]
fn a_router_follows_the_users() {
    let mut cluster = Cluster::start(3, 3);
    let router = cluster.start_router();
    let mut through = Connection::open(router).expect("the router listens");
    cluster.wait_until("the router takes users", |_| {
        ask(&mut through, "ACL SETUSER bob on >pw +@stream ~*") == ok()
    });
    let mut bob = cluster.connect(0);
    assert_eq!(ask(&mut bob, "AUTH bob pw"), ok());
    assert_eq!(ask(&mut cluster.connect(1), "ACL SETUSER bob -xlen"), ok());
    assert!(refused(&ask(&mut bob, "XLEN k"), "NOPERM"));
    cluster.wait_until("the router knows the change", |_| {
        let mut bob = Connection::open(router).expect("the router listens");
        ask(&mut bob, "AUTH bob pw") == ok() && refused(&ask(&mut bob, "XLEN k"), "NOPERM")
    });
}
