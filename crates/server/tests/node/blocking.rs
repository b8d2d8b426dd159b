//! Reads that wait.

use std::time::{Duration, Instant};

use crate::process::Server;

#[test]
fn a_waiting_read_is_served_by_what_comes_after_it() {
    let server = Server::start();
    let (mut reader, mut writer) = (server.connect(), server.connect());
    writer.check("XADD s 5-1 old v", "$3 5-1");
    reader.send("XREAD BLOCK 0 STREAMS s t $ $\nPING");
    writer.wait_for_blocked(1);
    writer.check("XADD t 1-1 f v", "$3 1-1");
    reader.expect("*1 *2 $1 t *1 *2 $3 1-1 *2 $1 f $1 v +PONG");
}

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let server = Server::start();
    let mut client = server.connect();
    let began = Instant::now();
    client.check("XREAD BLOCK 120 STREAMS s $", "*-1");
    assert!(began.elapsed() >= Duration::from_millis(120));
    client.check("XGROUP CREATE s g $ MKSTREAM", "+OK");
    client.check("XREADGROUP GROUP g c BLOCK 30 STREAMS s >", "*-1");
    client.check("XINFO CONSUMERS s g", "*1 *8 $4 name $1 c $7 pending :0 $4 idle");
}

#[test]
fn a_group_wakes_one_reader_an_entry_in_order() {
    let server = Server::start();
    let (mut first, mut second, mut writer) = (server.connect(), server.connect(), server.connect());
    writer.check("XGROUP CREATE s g $ MKSTREAM", "+OK");
    first.send("XREADGROUP GROUP g one COUNT 1 BLOCK 0 STREAMS s >");
    writer.wait_for_blocked(1);
    second.send("XREADGROUP GROUP g two COUNT 1 BLOCK 0 STREAMS s >");
    writer.wait_for_blocked(2);
    writer.check("XADD s 1-1 f v", "$3 1-1");
    first.expect("*1 *2 $1 s *1 *2 $3 1-1 *2 $1 f $1 v");
    writer.check("XADD s 2-1 f v", "$3 2-1");
    second.expect("*1 *2 $1 s *1 *2 $3 2-1 *2 $1 f $1 v");
}

#[test]
fn a_client_that_goes_away_takes_nothing() {
    let server = Server::start();
    let (mut gone, mut writer) = (server.connect(), server.connect());
    writer.check("XGROUP CREATE s g $ MKSTREAM", "+OK");
    gone.send("XREADGROUP GROUP g gone BLOCK 0 STREAMS s >");
    writer.wait_for_blocked(1);
    drop(gone);
    writer.wait_for_blocked(0);
    writer.check("XADD s 1-1 f v", "$3 1-1");
    writer.check("XREADGROUP GROUP g here STREAMS s >", "*1 *2 $1 s *1 *2 $3 1-1 *2 $1 f $1 v");
}

#[test]
fn waits_are_ended_by_others() {
    let server = Server::start();
    let (mut reader, mut other) = (server.connect(), server.connect());
    let id = reader.id();
    other.check(&format!("CLIENT UNBLOCK {id}"), ":0");
    reader.send("XREAD BLOCK 0 STREAMS s $");
    other.wait_for_blocked(1);
    other.check(&format!("CLIENT UNBLOCK {id}"), ":1");
    reader.expect("*-1");
    reader.send("XREAD BLOCK 0 STREAMS s $");
    other.wait_for_blocked(1);
    other.check(&format!("CLIENT UNBLOCK {id} ERROR"), ":1");
    reader.expect_raw("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");

    other.check("XGROUP CREATE s g $ MKSTREAM", "+OK");
    reader.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    other.wait_for_blocked(1);
    other.check("DEL s", ":1");
    reader.expect_raw("-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n");
}
