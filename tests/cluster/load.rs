//! Writers that remember what was acknowledged.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rivermark_tests::resp::encode;
use rivermark_tests::{Connection, Reply};

/// What one writer saw.
#[derive(Default)]
pub struct Written {
    /// Acknowledged entries: number to id.
    pub acknowledged: BTreeMap<u64, String>,
    /// Numbers sent whose reply never came: they may be there or not.
    pub unknown: Vec<u64>,
    /// Error replies.
    pub errors: Vec<String>,
    /// The longest time between sending and an acknowledgement.
    pub longest_pause: Duration,
}

/// Writers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<(String, JoinHandle<Written>)>,
}

impl Load {
    /// Starts a writer a stream; stream `load:i` is written through the `i`-th of the ports, in turn.
    pub fn start(streams: usize, ports: &[u16]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writers = (0..streams)
            .map(|number| {
                let (key, port) = (format!("load:{number}"), ports[number % ports.len()]);
                let (stop, stream) = (Arc::clone(&stop), key.clone());
                (key, std::thread::spawn(move || write(port, &stream, &stop)))
            })
            .collect();
        Self { stop, writers }
    }

    /// Ends the load: what each stream's writer saw.
    pub fn finish(self) -> Vec<(String, Written)> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers
            .into_iter()
            .map(|(key, writer)| (key, writer.join().expect("the writer returns")))
            .collect()
    }
}

const PIPELINE: u64 = 4;

/// Writes until told to stop or the connection breaks.
fn write(port: u16, key: &str, stop: &AtomicBool) -> Written {
    let mut written = Written::default();
    let Ok(mut connection) = Connection::open(port) else { return written };
    for first in (0..).step_by(PIPELINE as usize) {
        if stop.load(Ordering::Relaxed) || write_some(&mut connection, key, first, &mut written).is_err() {
            break;
        }
    }
    written
}

fn write_some(connection: &mut Connection, key: &str, first: u64, written: &mut Written) -> io::Result<()> {
    let numbers = first..first + PIPELINE;
    let request: Vec<u8> =
        numbers.clone().flat_map(|n| encode(&["XADD", key, "*", "n", &n.to_string()])).collect();
    written.unknown.extend(numbers.clone());
    let sent = Instant::now();
    connection.send(&request)?;
    for number in numbers {
        match connection.reply()? {
            Reply::Error(text) => written.errors.push(text),
            reply => {
                written.acknowledged.insert(number, reply.text().expect("an id"));
            }
        }
        written.unknown.retain(|unknown| *unknown != number);
    }
    written.longest_pause = written.longest_pause.max(sent.elapsed());
    Ok(())
}

/// Checks a stream against what its writer saw: every acknowledged entry is there once, under its id, in
/// order; nothing else is, but for entries of unknown outcome, once at most.
pub fn verify(connection: &mut Connection, key: &str, written: &Written) {
    let reply = connection.command(&["XRANGE", key, "-", "+"]).expect("the node answers");
    assert!(!reply.is_error(), "{key}: {reply:?}");
    let mut seen = BTreeMap::new();
    let mut last_number = None;
    for entry in reply.items() {
        let id = entry.items()[0].text().expect("an id");
        let number: u64 = entry.items()[1].items()[1].text().and_then(|t| t.parse().ok()).expect("a number");
        assert!(last_number < Some(number), "{key}: {number} after {last_number:?}");
        last_number = Some(number);
        assert!(seen.insert(number, id).is_none(), "{key}: {number} is there twice");
    }
    for (number, id) in &written.acknowledged {
        assert_eq!(seen.get(number), Some(id), "{key}: acknowledged entry {number} is lost");
    }
    for number in seen.keys() {
        let known = written.acknowledged.contains_key(number) || written.unknown.contains(number);
        assert!(known, "{key}: entry {number} was refused and is there");
    }
}
