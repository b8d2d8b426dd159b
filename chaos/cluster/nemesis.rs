//! Injects faults into real processes, one at a time, each followed by its repair and a quiet while.
//!
//! Which fault, on whom and for how long follows from the seed; what the cluster was doing at that moment
//! does not. It promises to leave every node running.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rivermark_tests::Cluster;
use rustix::process::Signal;
use serde::Serialize;

use crate::recorder::Recorder;

/// What is done to a node, or to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `kill -9`, started again later.
    Kill,
    /// `kill -9` of every node, all started again.
    KillAll,
    /// SIGSTOP, SIGCONT later.
    Pause,
    /// SIGTERM, started again after it ended.
    Terminate,
}

/// A fault that was injected and repaired.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// The node, counted from 0; none if all.
    pub node: Option<u16>,
    /// When it began, by the history's clock.
    pub injected_ns: u64,
    /// When its repair was complete.
    pub healed_ns: u64,
}

/// A fault and how long it is left unrepaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    quiet: Duration,
    kind: Kind,
    node: u16,
    held: Duration,
}

/// The source of faults.
pub struct Nemesis {
    random: StdRng,
    nodes: u16,
    shards: u16,
    faults: Vec<Fault>,
}

impl Nemesis {
    /// A nemesis for a cluster of this size.
    pub fn new(seed: u64, nodes: u16, shards: u16) -> Self {
        Self { random: StdRng::seed_from_u64(seed), nodes, shards, faults: Vec::new() }
    }

    /// Injects faults until the deadline; the last one is repaired after it.
    ///
    /// # Panics
    /// If a node does not come back.
    pub fn run(&mut self, cluster: &mut Cluster, recorder: &Recorder, deadline: Instant) {
        loop {
            let plan = self.plan();
            if Instant::now() + plan.quiet >= deadline {
                sleep(deadline.saturating_duration_since(Instant::now()));
                return;
            }
            sleep(plan.quiet);
            self.inject(plan, cluster, recorder);
        }
    }

    /// The faults so far.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    fn plan(&mut self) -> Plan {
        let quiet = self.millis(1500, 5000);
        let node = self.random.random_range(0..self.nodes);
        let (kind, held) = match self.random.random_range(0..10) {
            0..=3 => (Kind::Kill, self.millis(200, 6000)),
            4..=6 => (Kind::Pause, self.millis(500, 5000)),
            7..=8 => (Kind::Terminate, self.millis(0, 4000)),
            _ => (Kind::KillAll, self.millis(0, 2000)),
        };
        Plan { quiet, kind, node, held }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.random_range(least..=most))
    }

    fn inject(&mut self, plan: Plan, cluster: &mut Cluster, recorder: &Recorder) {
        let Plan { kind, node, held, .. } = plan;
        let injected_ns = recorder.now_ns();
        match kind {
            Kind::Kill | Kind::Terminate => {
                let signal = if kind == Kind::Kill { Signal::KILL } else { Signal::TERM };
                let pid = cluster.pid(node);
                cluster.signal(node, signal);
                sleep(held);
                cluster.wait_until("the node ends", |_| ended(pid));
                cluster.restart(node);
            }
            Kind::Pause => {
                cluster.signal(node, Signal::STOP);
                sleep(held);
                cluster.signal(node, Signal::CONT);
            }
            Kind::KillAll => {
                cluster.kill_all();
                sleep(held);
                cluster.run_dev(self.shards);
            }
        }
        let healed_ns = recorder.now_ns();
        let node = (kind != Kind::KillAll).then_some(node);
        println!(
            "{:>7.1} s  {kind:?} {node:?} for {:.1} s",
            seconds(injected_ns),
            seconds(healed_ns - injected_ns)
        );
        self.faults.push(Fault { kind, node, injected_ns, healed_ns });
    }
}

/// Whether a process is gone, or only its parent has not asked for it yet.
fn ended(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z')))
        .unwrap_or(true)
}

/// Nanoseconds in seconds, to be read.
pub fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_another_seed_others() {
        let plans = |seed| {
            let mut nemesis = Nemesis::new(seed, 3, 3);
            (0..100).map(|_| nemesis.plan()).collect::<Vec<_>>()
        };
        assert_eq!(plans(7), plans(7));
        assert_ne!(plans(7), plans(8));
        for kind in [Kind::Kill, Kind::KillAll, Kind::Pause, Kind::Terminate] {
            assert!(plans(7).iter().any(|plan| plan.kind == kind), "{kind:?}");
        }
    }

    #[test]
    fn a_process_that_runs_has_not_ended() {
        assert!(!ended(std::process::id()));
    }
}
