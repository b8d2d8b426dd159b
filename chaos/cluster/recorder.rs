//! One clock and one history for all clients.
//!
//! An event gets its time under the lock that puts it in its place, so the history's times never go
//! back. Each line is written at once: a run that is cut short leaves what it saw.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use rivermark_oracle::history::write_event;
use rivermark_oracle::{Event, EventKind, History};

/// The history in the making.
pub struct Recorder {
    origin: Instant,
    next_process: AtomicU64,
    log: Mutex<Log>,
}

struct Log {
    history: History,
    file: BufWriter<File>,
    /// The first failure to write the file, told at the end.
    failed: Option<io::Error>,
}

impl Recorder {
    /// An empty history that is also written to `path`.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let log = Mutex::new(Log { history: History::default(), file, failed: None });
        Ok(Self { origin: Instant::now(), next_process: AtomicU64::new(0), log })
    }

    /// The history's clock.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).expect("a run is shorter than centuries")
    }

    /// A process number that nobody has used.
    pub fn new_process(&self) -> u64 {
        self.next_process.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts an event at the end.
    pub fn record(&self, process: u64, kind: EventKind) {
        let mut log = self.log.lock();
        let event = Event { time_ns: self.now_ns(), process, kind };
        if let Err(error) = write_event(&mut log.file, &event) {
            log.failed.get_or_insert(error);
        }
        log.history.events.push(event);
    }

    /// The history so far, the file brought up to it.
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn take(&self) -> io::Result<History> {
        let mut log = self.log.lock();
        log.file.flush()?;
        log.failed.take().map_or(Ok(()), Err)?;
        Ok(std::mem::take(&mut log.history))
    }
}
