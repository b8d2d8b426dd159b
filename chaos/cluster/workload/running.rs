//! All clients of a run, each in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::streams::STREAMS;
use super::{reader, worker, writer};
use crate::client::Client;
use crate::recorder::Recorder;

/// A stream has a writer at each node, so that a gap in its writes is the cluster's and not one client's.
const WRITERS_A_STREAM: usize = 3;
const READERS_A_STREAM: usize = 1;
const WORKERS_A_STREAM: usize = 2;
/// Between a client's operations.
const PACE_MS_MAX: u64 = 60;
/// One operation in this many is followed by a return to the home node.
const RETURNS_ONE_IN: u32 = 50;

/// What a client's turn needs.
pub struct Turn {
    /// The client.
    pub client: Client,
    /// Its choices.
    pub random: StdRng,
    /// Its stream.
    pub key: String,
    /// Its number within the run.
    pub number: usize,
    /// The turns so far.
    pub turns: u64,
}

type Act = fn(&mut Turn);

/// Clients at work.
pub struct Workload {
    stop: Arc<AtomicBool>,
    unsent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Workload {
    /// Starts all clients.
    pub fn start(recorder: &Arc<Recorder>, ports: &Arc<[u16]>, seed: u64) -> Self {
        let mut clients: Vec<(&str, Act)> = Vec::new();
        for key in STREAMS {
            clients.extend([(*key, writer::act as Act); WRITERS_A_STREAM]);
            clients.extend([(*key, reader::act as Act); READERS_A_STREAM]);
            clients.extend([(*key, worker::act as Act); WORKERS_A_STREAM]);
        }
        let (stop, unsent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for (number, (key, act)) in clients.into_iter().enumerate() {
            let mut turn = Turn {
                client: Client::new(Arc::clone(recorder), Arc::clone(ports), number),
                random: StdRng::seed_from_u64(seed.wrapping_add(number as u64 + 1)),
                key: key.to_owned(),
                number,
                turns: 0,
            };
            let (stop, unsent) = (Arc::clone(&stop), Arc::clone(&unsent));
            threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    act(&mut turn);
                    turn.rest();
                }
                unsent.fetch_add(turn.client.unsent(), Ordering::Relaxed);
            }));
        }
        Self { stop, unsent, threads }
    }

    /// Lets every client end its turn: how often a client reached no node, and how many clients panicked.
    pub fn finish(self) -> (u64, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let panicked = self.threads.into_iter().filter_map(|thread| thread.join().err()).count();
        (self.unsent.load(Ordering::Relaxed), panicked)
    }
}

impl Turn {
    fn rest(&mut self) {
        self.turns += 1;
        if self.random.random_ratio(1, RETURNS_ONE_IN) {
            self.client.go_home();
        }
        sleep(Duration::from_millis(self.random.random_range(0..PACE_MS_MAX)));
    }
}
