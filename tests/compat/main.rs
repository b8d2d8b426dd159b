//! The same random commands to a real redis-server and to Rivermark: replies must be equal, once ids and
//! times are normalised and the documented differences set aside.
//!
//! `COMPAT_SEQUENCES` (default 10,000) and `COMPAT_SEED` (default 1) choose the run; a difference is
//! printed with the shortest sequence found that still shows it.

mod command_table;
mod differences;
mod generator;
mod normalise;
mod operators;
mod users;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rivermark_tests::{Cluster, Connection, RedisServer, Reply};

use generator::{Sequence, sequence};

/// One thread a numbered database, so that KEYS, DBSIZE and FLUSHDB see one sequence only.
const THREADS: u64 = 4;

fn environment_number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn random_sequences_get_equal_replies() {
    let sequences = environment_number("COMPAT_SEQUENCES", 10_000);
    let seed = environment_number("COMPAT_SEED", 1);
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(3, 3);
    let next = Arc::new(AtomicU64::new(0));
    let failures = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (next, failures) = (Arc::clone(&next), Arc::clone(&failures));
            let ports = (redis.port(), cluster.port((thread % 3) as u16));
            scope.spawn(move || {
                let mut pair = Pair::open(ports, thread);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences || failures.lock().expect("no panic holds it").len() >= 5 {
                        break;
                    }
                    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
                    let sequence = sequence(&mut random);
                    if pair.difference(&sequence).is_some() {
                        let report = pair.shrink(number, sequence);
                        failures.lock().expect("no panic holds it").push(report);
                    }
                }
            });
        }
    });
    let failures = failures.lock().expect("no panic holds it");
    assert!(failures.is_empty(), "{} sequences differ:\n\n{}", failures.len(), failures.join("\n\n"));
    println!("{sequences} sequences, seed {seed}: equal replies");
}

/// A connection to each server, in the same database.
struct Pair {
    ports: (u16, u16),
    database: u64,
    redis: Connection,
    rivermark: Connection,
}

impl Pair {
    fn open(ports: (u16, u16), database: u64) -> Self {
        let connect = |port| {
            let mut connection = Connection::open(port).expect("the server listens");
            let selected =
                connection.command(&["SELECT", &database.to_string()]).expect("the server answers");
            assert_eq!(selected, Reply::Simple("OK".to_owned()));
            connection
        };
        Self { ports, database, redis: connect(ports.0), rivermark: connect(ports.1) }
    }

    /// The first command whose replies differ, with both replies.
    fn difference(&mut self, sequence: &Sequence) -> Option<(usize, Reply, Reply)> {
        *self = Self::open(self.ports, self.database);
        let mut commands = vec![vec![b"FLUSHDB".to_vec()]];
        if sequence.resp3 {
            commands.push(vec![b"HELLO".to_vec(), b"3".to_vec()]);
        }
        let prelude = commands.len();
        commands.extend(sequence.commands.iter().cloned());
        let theirs = self.redis.pipeline(&commands).expect("redis answers");
        let ours = self.rivermark.pipeline(&commands).expect("rivermark answers");
        let theirs = normalise::replies(&sequence.commands, &theirs[prelude..]);
        let ours = normalise::replies(&sequence.commands, &ours[prelude..]);
        let differs = |index: &usize| {
            theirs[*index] != ours[*index]
                && differences::reason(&sequence.commands[*index], &theirs[*index], &ours[*index]).is_none()
        };
        let comparable = ours.iter().position(differences::parts_ways).unwrap_or(ours.len());
        (0..comparable).find(differs).map(|index| (index, theirs[index].clone(), ours[index].clone()))
    }

    /// Leaves out commands as long as a difference remains, and tells what is left.
    fn shrink(&mut self, number: u64, mut sequence: Sequence) -> String {
        let mut position = 0;
        while position < sequence.commands.len() {
            let removed = sequence.commands.remove(position);
            if self.difference(&sequence).is_none() {
                sequence.commands.insert(position, removed);
                position += 1;
            }
        }
        let mut report = format!("sequence {number}{}:\n", if sequence.resp3 { ", RESP3" } else { "" });
        for command in &sequence.commands {
            let words: Vec<String> = command.iter().map(|word| word.escape_ascii().to_string()).collect();
            report += &format!("  {}\n", words.join(" "));
        }
        match self.difference(&sequence) {
            Some((index, redis, ours)) => {
                report + &format!("reply {index}\n  redis     {redis:?}\n  rivermark {ours:?}")
            }
            None => report + "did not differ when run again",
        }
    }
}
