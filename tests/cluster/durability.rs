//! An acknowledged write is on the disks of a quorum.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rivermark_tests::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::load::{Load, verify};

#[test]
fn all_nodes_killed_under_load_lose_nothing_acknowledged() {
    let mut cluster = Cluster::start(3, 3);
    for round in 0..3 {
        let ports: Vec<u16> = (0..3).map(|node| cluster.port(node)).collect();
        let load = Load::start(6, &ports);
        sleep(Duration::from_secs(2));
        cluster.kill_all();
        let written = load.finish();
        cluster.run_dev(3);
        let mut connection = cluster.connect(round % 3);
        let total: usize = written.iter().map(|(_, w)| w.acknowledged.len()).sum();
        assert!(total > 100, "only {total} entries were acknowledged before the kill");
        for (key, written) in &written {
            verify(&mut connection, key, written);
        }
        connection.command(&["FLUSHALL"]).expect("an answer");
    }
}

/// Attaches strace to every node and compares its timestamps with the client's: between sending an XADD and
/// its reply, fdatasync returned on at least two of three nodes.
#[test]
fn a_quorum_syncs_before_the_reply() {
    if let Err(why) = strace_works() {
        println!("skipped: {why}");
        return;
    }
    let cluster = Cluster::start(3, 3);
    let folder = TempDir::new().expect("a temporary folder");
    let mut tracers: Vec<Child> = (0..3)
        .map(|node| {
            Command::new("strace")
                .args(["-f", "-ttt", "-T", "-e", "trace=fdatasync,fsync", "-o"])
                .arg(folder.path().join(node.to_string()))
                .args(["-p", &cluster.pid(node).to_string()])
                .stderr(Stdio::null())
                .spawn()
                .expect("strace starts")
        })
        .collect();
    sleep(Duration::from_secs(2));
    let mut connection = cluster.connect(0);
    let mut writes = Vec::new();
    for number in 0..20 {
        let sent = now();
        let reply =
            connection.command(&["XADD", "synced", "*", "n", &number.to_string()]).expect("an answer");
        writes.push((sent, now()));
        assert!(!reply.is_error(), "{reply:?}");
        sleep(Duration::from_millis(30));
    }
    for tracer in &mut tracers {
        let _ = kill_process(Pid::from_child(tracer), Signal::INT);
        let _ = tracer.wait();
    }
    let synced: Vec<Vec<f64>> = (0..3).map(|node| sync_ends(&folder, node)).collect();
    for (sent, replied) in writes {
        let nodes = synced.iter().filter(|ends| ends.iter().any(|end| sent < *end && *end < replied)).count();
        assert!(
            nodes >= 2,
            "a reply came {:.4} s after its XADD with only {nodes} nodes synced",
            replied - sent
        );
    }
}

fn strace_works() -> Result<(), &'static str> {
    let status = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("strace may not trace here"),
        Err(_) => Err("strace is not installed"),
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// When each successful sync of a node returned, in seconds since 1970.
fn sync_ends(folder: &TempDir, node: u16) -> Vec<f64> {
    let trace = fs::read_to_string(folder.path().join(node.to_string())).expect("strace wrote its trace");
    let mut ends = Vec::new();
    for line in trace.lines().filter(|line| line.contains(" = 0 <")) {
        let start: f64 = line.split_whitespace().nth(1).and_then(|t| t.parse().ok()).expect("a timestamp");
        let took: f64 =
            line.rsplit('<').next().and_then(|t| t.trim_end_matches('>').parse().ok()).expect("a time");
        // A resumed line's timestamp is when the call returned.
        ends.push(if line.contains("resumed>") { start } else { start + took });
    }
    ends
}
