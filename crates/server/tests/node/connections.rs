//! Who may connect, what a connection is told at its end, and what others see of it.

use std::time::Duration;

use crate::process::Server;

#[test]
fn a_broken_request_is_answered_before_the_end() {
    let server = Server::start();
    let mut client = server.connect();
    client.send_raw(b"PING\r\n*1\r\n!3\r\nabc\r\n");
    client.send_raw(&vec![b'x'; 100_000]);
    assert_eq!(client.read_to_end(), "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
}

#[test]
fn too_many_clients_are_told_so() {
    let server = Server::start_with(&["--maxclients=2"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    first.check("PING", "+PONG");
    second.check("PING", "+PONG");
    assert_eq!(server.connect().read_to_end(), "-ERR max number of clients reached\r\n");
    drop(second);
    let began = std::time::Instant::now();
    loop {
        let mut third = server.connect();
        third.send("QUIT");
        if third.read_to_end() == "+OK\r\n" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the place was not given up");
    }
}

#[test]
fn a_password_is_asked_for() {
    let server = Server::start();
    let (mut operator, mut stranger) = (server.connect(), server.connect());
    operator.check_line("AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?");
    operator.check("CONFIG SET requirepass secret", "+OK");
    let mut client = server.connect();
    client.check_line("XLEN s", "-NOAUTH Authentication required.");
    client.check_line("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
    client.check_line("HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
    client.check("AUTH default secret", "+OK");
    client.check("XLEN s", ":0");
    client.check("RESET", "+RESET");
    client.check_line("XLEN s", "-NOAUTH Authentication required.");
    // Who was in stays in.
    stranger.check("XLEN s", ":0");
}

#[test]
fn hello_switches_the_protocol_at_once() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("HELLO 3 SETNAME me\nXREAD STREAMS none 0\nCLIENT GETNAME");
    assert_eq!(client.line(), "%7");
    client.expect("$6 server $5 redis $7 version $6 8.10.0 $5 proto :3 $2 id");
    client.line();
    client.expect("$4 mode $7 cluster $4 role $6 master $7 modules *0 _ $2 me");
    client.check_line("HELLO 4", "-NOPROTO unsupported protocol version");
}

#[test]
fn connections_are_listed_and_killed() {
    let server = Server::start();
    let (mut one, mut two) = (server.connect(), server.connect());
    let id = two.id();
    one.check(&format!("CLIENT KILL ID {id}"), ":1");
    assert_eq!(two.read_to_end(), "");
    one.check("CLIENT SETINFO LIB-NAME tester", "+OK");
    one.send("CLIENT LIST");
    one.line();
    let line = one.text_line();
    assert!(line.contains(" cmd=client|list ") && line.contains(" lib-name=tester "), "{line}");
}

#[test]
fn replies_are_held_back_on_request() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("CLIENT REPLY SKIP\nXADD s 1-1 f v\nXLEN s\nCLIENT REPLY OFF\nXADD s 2-1 f v\nPING\nCLIENT REPLY ON\nXLEN s");
    client.expect(":1 +OK :2");
}

#[test]
fn a_pause_holds_writes_back() {
    let server = Server::start();
    let (mut operator, mut client) = (server.connect(), server.connect());
    operator.check("CLIENT PAUSE 60000 WRITE", "+OK");
    client.check("XLEN s", ":0");
    client.send("XADD s 1-1 f v");
    operator.check("XLEN s", ":0");
    operator.check("CLIENT UNPAUSE", "+OK");
    client.expect("$3 1-1");
}

#[test]
fn a_client_that_only_writes_is_still_answered() {
    let server = Server::start();
    let mut client = server.connect();
    let adds: String = (1..=500).map(|n| format!("XADD s {n}-1 f v\n")).collect();
    client.send(&format!("{adds}XLEN s\nQUIT"));
    let all = client.read_to_end();
    assert!(all.ends_with(":500\r\n+OK\r\n"), "{}", &all[all.len().saturating_sub(60)..]);
}
