//! Start, stop, crash, and what operators see.

use std::time::Duration;

use crate::process::Server;

#[test]
fn what_was_acknowledged_survives_a_kill_and_a_stop() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.check("XADD s 1-1 f v", "$3 1-1");
    server.kill();
    server.restart();
    let mut client = server.connect();
    client.check("XADD s 2-1 f v", "$3 2-1");
    let (status, took) = server.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(client.read_to_end(), "");
    server.restart();
    server.connect().check("XRANGE s - +", "*2 *2 $3 1-1 *2 $1 f $1 v *2 $3 2-1 *2 $1 f $1 v");
}

#[test]
fn a_stop_ends_waits() {
    let mut server = Server::start();
    let (mut reader, mut other) = (server.connect(), server.connect());
    reader.send("XREAD BLOCK 0 STREAMS s $");
    other.wait_for_blocked(1);
    let (status, took) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
    assert!(reader.read_to_end().starts_with("-UNBLOCKED "));
}

#[test]
fn health_metrics_and_status_are_served() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("XADD s 1-1 f v", "$3 1-1");
    for path in ["/livez", "/healthz", "/readyz"] {
        assert_eq!(server.get(path).0, 200, "{path}");
    }
    assert_eq!(server.get("/nowhere").0, 404);
    let (_, text) = server.get("/metrics");
    for series in [
        "rivermark_commands_total{command=\"xadd\"} 1",
        "rivermark_command_duration_seconds_count{command=\"xadd\"} 1",
        "rivermark_replica_role{shard=\"1\",role=\"leader\"} 1",
        "rivermark_connections 1",
    ] {
        assert!(text.contains(series), "{series} in {text}");
    }
    let (_, status) = server.get("/v1/status");
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["healthy"], true);
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(4));
    assert_eq!(status["shards"][1]["leader"], 1);
}
