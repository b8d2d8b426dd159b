//! MULTI, EXEC, WATCH.

use crate::process::Server;

#[test]
fn a_transaction_answers_each_of_its_commands() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("MULTI\nXADD s 1-1 f v\nXLEN s\nPING\nXREAD BLOCK 0 STREAMS s $\nXADD s *bad f v\nEXEC");
    client.expect("+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *5 $3 1-1 :1 +PONG *-1");
    client.expect_raw("-ERR Invalid stream ID specified as stream command argument\r\n");
    client.check("XLEN s", ":1");
}

#[test]
fn a_transaction_is_discarded_after_an_error_or_a_change() {
    let server = Server::start();
    let (mut client, mut other) = (server.connect(), server.connect());
    client.send("MULTI\nXADD s\nEXEC");
    client.expect("+OK");
    client.expect_raw("-ERR wrong number of arguments for 'xadd' command\r\n");
    client.expect_raw("-EXECABORT Transaction discarded because of previous errors.\r\n");

    client.check("WATCH s", "+OK");
    other.check("XADD s 1-1 f v", "$3 1-1");
    client.send("MULTI\nXADD s 2-1 f v\nEXEC\nXLEN s");
    client.expect("+OK +QUEUED *-1 :1");
    client.send("WATCH s\nMULTI\nXADD s 2-1 f v\nEXEC\nMULTI\nDISCARD\nXLEN s");
    client.expect("+OK +OK +QUEUED *1 $3 2-1 +OK +OK :2");
}

#[test]
fn a_transaction_keeps_to_one_shard() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("MULTI\nXADD foo 1-1 f v\nXADD hello 1-1 f v\nEXEC\nEXISTS foo hello");
    client.expect("+OK +QUEUED +QUEUED");
    client.expect_raw("-CROSSSLOT Keys in request don't hash to the same slot\r\n:0\r\n");
    client.send("MULTI\nXADD {t}foo 1-1 f v\nXADD {t}hello 1-1 f v\nEXEC");
    client.expect("+OK +QUEUED +QUEUED *2 $3 1-1 $3 1-1");
}

#[test]
fn misplaced_commands_are_refused() {
    let server = Server::start();
    let mut client = server.connect();
    client.check_line("EXEC", "-ERR EXEC without MULTI");
    client.check_line("DISCARD", "-ERR DISCARD without MULTI");
    client.send("MULTI\nMULTI\nWATCH k\nDISCARD");
    client.expect("+OK");
    client.expect_raw(
        "-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n+OK\r\n",
    );
}
