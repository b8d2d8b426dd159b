//! MONITOR must cost others nothing, however its client behaves.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rivermark_tests::resp::encode;
use rivermark_tests::{Cluster, Reply};

use crate::{resident_mib, still_serves};

/// More than the lines a monitor may leave behind, the kernel's buffers and ours together.
const SHOWN_BYTES: usize = 64 * 1024 * 1024;
const ARGUMENT_BYTES: usize = 4000;

#[test]
fn a_monitor_that_does_not_read_is_cut_off_and_costs_others_nothing() {
    let cluster = Cluster::start(1, 1);
    let before = resident_mib(cluster.pid(0));
    let mut lazy = TcpStream::connect(("127.0.0.1", cluster.port(0))).expect("the node listens");
    lazy.write_all(&encode(&["MONITOR"])).expect("sent");
    let mut greeting = [0; 5];
    lazy.read_exact(&mut greeting).expect("a reply");
    assert_eq!(&greeting, b"+OK\r\n");
    let mut busy = cluster.connect(0);
    let echo = vec![b"ECHO".to_vec(), vec![b'x'; ARGUMENT_BYTES]];
    let pipeline = vec![echo; 256];
    for _ in 0..SHOWN_BYTES / (256 * ARGUMENT_BYTES) {
        let replies = busy.pipeline(&pipeline).expect("the node answers");
        assert!(replies.iter().all(|reply| matches!(reply, Reply::Bulk(_))));
    }
    let info = busy.command(&["INFO", "stats", "clients"]).expect("the node answers").text().expect("a text");
    assert!(info.contains("client_output_buffer_limit_disconnections:1\r\n"), "{info}");
    assert!(info.contains("monitor_clients:0\r\n"), "{info}");
    let grown = resident_mib(cluster.pid(0)).saturating_sub(before);
    assert!(grown < 100, "{SHOWN_BYTES} bytes shown to a monitor that does not read cost {grown} MiB");
    // What it had been sent before is whole, then comes the end.
    lazy.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut shown = Vec::new();
    let _ = lazy.read_to_end(&mut shown);
    assert!(shown.len() < SHOWN_BYTES / 2 && shown.starts_with(b"+"), "{} bytes", shown.len());
    still_serves(&cluster);
}
