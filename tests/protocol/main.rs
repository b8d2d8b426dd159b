//! What a client must not be able to do to a node, and to other clients of it.

mod monitors;
mod versions;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rivermark_tests::resp::encode;
use rivermark_tests::{Cluster, Connection, Reply};

const MIB: usize = 1024 * 1024;

/// Sends raw bytes on a connection of its own; everything the server said until it closed or went quiet.
fn exchange(port: u16, bytes: &[u8]) -> (String, Closed) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the node listens");
    stream.set_read_timeout(Some(Duration::from_millis(700))).expect("a timeout");
    // The server may close while we still send.
    let _ = stream.write_all(bytes);
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (String::from_utf8_lossy(&said).into_owned(), Closed::Yes),
            Ok(count) => said.extend(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return (String::from_utf8_lossy(&said).into_owned(), Closed::Yes);
            }
            Err(_) => return (String::from_utf8_lossy(&said).into_owned(), Closed::No),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Yes,
    No,
}

fn still_serves(cluster: &Cluster) {
    let start = Instant::now();
    let reply = cluster.connect(0).command(&["XADD", "bystander", "*", "a", "1"]).expect("an answer");
    assert!(reply.text().is_some(), "{reply:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "a bystander waited {:?}", start.elapsed());
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the node runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

#[test]
fn broken_requests_get_an_error_and_a_close() {
    let cluster = Cluster::start(3, 3);
    let port = cluster.port(0);
    let long_line = "x".repeat(70 * 1024);
    let unfinished_count = format!("*{}", "1".repeat(70 * 1024));
    let cases: &[(&str, &str)] = &[
        ("*abc\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*2147483648\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length"),
        ("*1\r\n$abc\r\n", "-ERR Protocol error: invalid bulk length"),
        ("*1\r\n$67108865\r\n", "-ERR Protocol error: invalid bulk length"),
        ("PING \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request"),
        (&long_line, "-ERR Protocol error: too big inline request"),
        (&unfinished_count, "-ERR Protocol error: too big mbulk count string"),
    ];
    for (request, expected) in cases {
        let (said, closed) = exchange(port, request.as_bytes());
        let shown = &request[..request.len().min(40)];
        assert!(said.starts_with(expected), "{shown:?} was answered {said:?}");
        assert_eq!(closed, Closed::Yes, "{shown:?}");
    }
    // What came before the broken request is answered.
    let (said, _) = exchange(port, b"*1\r\n$4\r\nPING\r\n*abc\r\n");
    assert!(said.starts_with("+PONG\r\n-ERR Protocol error"), "{said:?}");
    still_serves(&cluster);
}

#[test]
fn wrong_commands_get_an_error_and_the_connection_lives() {
    let cluster = Cluster::start(3, 3);
    let mut connection = cluster.connect(0);
    let cases: &[(&[&str], &str)] = &[
        (&["XADD", "s"], "ERR wrong number of arguments for 'xadd' command"),
        (&["XADD", "s", "*", "a"], "ERR wrong number of arguments for 'xadd' command"),
        (&["XADD", "s", "0-0", "a", "1"], "ERR The ID specified in XADD must be greater than 0-0"),
        (&["XRANGE", "s", "x", "+"], "ERR Invalid stream ID specified as stream command argument"),
        (&["GET", "s"], "ERR unknown command 'GET', with args beginning with: 's' "),
        (&["XGROUP", "NOSUCH"], "ERR unknown subcommand 'NOSUCH'. Try XGROUP HELP."),
        (
            &["XREADGROUP", "GROUP", "g", "c", "STREAMS", "nokey", ">"],
            "NOGROUP No such key 'nokey' or consumer group 'g'",
        ),
        (&["EXEC"], "ERR EXEC without MULTI"),
        (&["SELECT", "16"], "ERR DB index is out of range"),
    ];
    for (command, expected) in cases {
        match connection.command(command).expect("an answer") {
            Reply::Error(text) => assert!(text.starts_with(expected), "{command:?}: {text}"),
            other => panic!("{command:?} was answered {other:?}"),
        }
    }
    assert_eq!(connection.command(&["PING"]).expect("an answer"), Reply::Simple("PONG".to_owned()));
}

#[test]
fn an_entry_over_the_limit_is_refused_and_one_below_is_kept() {
    let cluster = Cluster::start(3, 3);
    let mut connection = cluster.connect(0);
    let below = vec![b'x'; 15 * MIB];
    let above = vec![b'x'; 17 * MIB];
    let mut add =
        |value: &[u8]| connection.command(&[&b"XADD"[..], b"big", b"*", b"f", value]).expect("an answer");
    assert!(add(&below).text().is_some());
    assert!(add(&above).is_error());
    assert_eq!(connection.command(&["XLEN", "big"]).expect("an answer"), Reply::Integer(1));
    let reply = cluster.connect(2).command(&["XRANGE", "big", "-", "+"]).expect("an answer");
    assert_eq!(reply.items()[0].items()[1].items()[1], Reply::Bulk(below));
    still_serves(&cluster);
}

#[test]
fn half_a_command_and_a_close_leave_nothing_behind() {
    let cluster = Cluster::start(3, 3);
    for cut in [1, 5, 9, 20, 33] {
        let request = encode(&["XADD", "half", "*", "field", "value"]);
        let mut stream = TcpStream::connect(("127.0.0.1", cluster.port(1))).expect("the node listens");
        stream.write_all(&request[..cut]).expect("sent");
        stream.shutdown(Shutdown::Both).expect("closed");
    }
    sleep(Duration::from_millis(200));
    assert_eq!(cluster.connect(0).command(&["EXISTS", "half"]).expect("an answer"), Reply::Integer(0));
    still_serves(&cluster);
}

#[test]
fn announced_bytes_that_never_come_cost_no_memory() {
    let cluster = Cluster::start(3, 3);
    let before = resident_mib(cluster.pid(0));
    let mut connections = Vec::new();
    for _ in 0..500 {
        let mut stream = TcpStream::connect(("127.0.0.1", cluster.port(0))).expect("the node listens");
        stream.write_all(b"*2\r\n$4\r\nECHO\r\n$67108864\r\nabc").expect("sent");
        connections.push(stream);
    }
    for _ in 0..200 {
        let mut stream = TcpStream::connect(("127.0.0.1", cluster.port(0))).expect("the node listens");
        stream.write_all(b"*1000000000\r\n").expect("sent");
        connections.push(stream);
    }
    sleep(Duration::from_millis(500));
    still_serves(&cluster);
    let grown = resident_mib(cluster.pid(0)).saturating_sub(before);
    assert!(grown < 200, "700 connections that announced much and sent little cost {grown} MiB");
}

#[test]
fn a_reader_that_does_not_read_is_held_back() {
    let cluster = Cluster::start(3, 3);
    let mut writer = cluster.connect(0);
    let value = "x".repeat(100_000);
    for _ in 0..50 {
        writer.command(&["XADD", "wide", "*", "f", &value]).expect("an answer");
    }
    let before = resident_mib(cluster.pid(0));
    let mut lazy = TcpStream::connect(("127.0.0.1", cluster.port(0))).expect("the node listens");
    lazy.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let request = encode(&["XRANGE", "wide", "-", "+"]);
    for _ in 0..1000 {
        if lazy.write_all(&request).is_err() {
            break;
        }
    }
    sleep(Duration::from_secs(2));
    still_serves(&cluster);
    let grown = resident_mib(cluster.pid(0)).saturating_sub(before);
    assert!(grown < 400, "5 GB of unread replies cost {grown} MiB");
}

#[test]
fn ten_thousand_connections_are_served_and_one_more_is_told() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|files| files < 25_000) {
        let maximum = limit.maximum;
        let raised = rustix::process::Rlimit { current: maximum, maximum };
        let possible = maximum.is_none_or(|files| files >= 25_000);
        if !possible || rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).is_err() {
            println!("skipped: this process may not open 25,000 files");
            return;
        }
    }
    let cluster = Cluster::start(3, 3);
    let mut connections: Vec<Connection> = (0..10_000)
        .map(|number| {
            Connection::open(cluster.port(0)).unwrap_or_else(|error| panic!("connection {number}: {error}"))
        })
        .collect();
    for connection in &mut connections {
        assert_eq!(connection.command(&["PING"]).expect("an answer"), Reply::Simple("PONG".to_owned()));
    }
    let (said, closed) = exchange(cluster.port(0), b"PING\r\n");
    assert_eq!((said.as_str(), closed), ("-ERR max number of clients reached\r\n", Closed::Yes));
    for connection in connections.iter_mut().step_by(97) {
        let reply = connection.command(&["XADD", "crowd", "*", "a", "1"]).expect("an answer");
        assert!(reply.text().is_some(), "{reply:?}");
    }
    let resident = resident_mib(cluster.pid(0));
    assert!(resident < 600, "10,000 connections cost {resident} MiB");
    connections.truncate(0);
    sleep(Duration::from_secs(1));
    still_serves(&cluster);
}
