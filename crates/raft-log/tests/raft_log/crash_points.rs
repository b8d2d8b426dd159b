//! The power goes at every write, sync, creation and rename of a workload, and again during recovery.

use rivermark_fs::{CrashOptions, SimulatedFileSystem};
use rivermark_raft_log::{RaftLog, WriterMode};

use crate::harness::{Step, Tracked, open, shard, small, try_open};

const SHARDS: u32 = 3;

/// Group commits of several shards: elections, appends, conflicts, purges, over several segments.
fn script() -> Vec<Vec<(u32, Step)>> {
    let append = |term, count, length| Step::Append { term, count, length };
    let mut groups = vec![
        vec![(0, Step::Vote(1)), (1, Step::Vote(1)), (2, Step::Vote(3))],
        vec![(0, append(1, 3, 40)), (1, append(1, 1, 700)), (0, Step::Vote(2))],
        vec![(2, append(3, 2, 30)), (0, append(2, 1, 600))],
        vec![(0, Step::TruncateTo(2)), (0, append(4, 2, 90)), (1, append(1, 2, 50))],
        vec![(0, Step::Committed), (1, Step::Vote(5)), (1, Step::PurgeTo(2))],
        vec![(0, append(4, 3, 400)), (2, Step::TruncateTo(0)), (2, append(4, 2, 300))],
    ];
    for round in 0..4 {
        let term = 5 + round;
        groups.push(vec![(0, append(term, 2, 300)), (1, append(term, 2, 500)), (2, append(term, 1, 20))]);
        groups.push(vec![
            (0, Step::PurgeTo(3 + 2 * round)),
            (1, Step::PurgeTo(3 + 2 * round)),
            (2, Step::Vote(term)),
        ]);
        groups.push(vec![(2, Step::PurgeTo(1 + round)), (1, Step::Committed)]);
    }
    groups.push(vec![(2, Step::PurgeTo(40)), (2, append(9, 2, 100))]);
    groups
}

fn track(log: &RaftLog) -> Vec<Tracked> {
    (0..SHARDS).map(|raw| Tracked::new(log.shard(shard(raw)))).collect()
}

/// Runs groups until the power goes.
fn run(log: &RaftLog, shards: &mut [Tracked], groups: &[Vec<(u32, Step)>]) {
    for group in groups {
        for (raw, step) in group {
            if shards[*raw as usize].perform(step).is_err() {
                return;
            }
        }
        log.commit_waiting();
    }
}

fn check(fs: &SimulatedFileSystem, shards: &[Tracked], context: &str) -> RaftLog {
    let (log, recovered) = open(fs, small(WriterMode::Manual));
    assert_eq!(recovered.corruptions, [], "{context}: a crash is no damage");
    for tracked in shards {
        tracked.check_recovered(&log.shard(tracked.log.shard()), context);
    }
    log
}

/// The disk as of a power cut at operation `n`, and what the shards went through until then.
fn crash_at(n: u64, seed: u64) -> Option<(SimulatedFileSystem, Vec<Tracked>)> {
    let fs = SimulatedFileSystem::new();
    fs.cut_power_at(n);
    let Ok((log, _)) = try_open(&fs, small(WriterMode::Manual)) else {
        return Some((fs.crash(CrashOptions::random(seed)), Vec::new()));
    };
    let mut shards = track(&log);
    run(&log, &mut shards, &script());
    fs.is_powered_off().then(|| (fs.crash(CrashOptions::random(seed)), shards))
}

#[test]
fn the_workload_covers_rotation_recycling_and_reuse() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Manual));
    run(&log, &mut track(&log), &script());
    let counters = log.counters();
    assert!(counters.segments_retired >= 3, "{counters:?}");
    assert!(counters.cache_misses == 0 && counters.entries > 20, "{counters:?}");
}

#[test]
fn nothing_acknowledged_is_lost_at_any_crash_point() {
    let mut points = 0;
    for n in 1.. {
        let mut reached = false;
        for seed in 0..6 {
            let Some((disk, shards)) = crash_at(n, seed * 7919 + n) else { continue };
            reached = true;
            points += 1;
            let context = format!("operation {n} seed {seed}");
            let log = check(&disk, &shards, &context);
            // Life goes on, and a second crash finds the sum of both lives.
            let mut shards = track(&log);
            run(&log, &mut shards, &script()[6..8]);
            drop(log);
            let disk = disk.crash(CrashOptions::random(seed + n));
            check(&disk, &shards, &format!("{context}, second life"));
        }
        if !reached {
            assert!(n > 100, "only {n} operations");
            break;
        }
    }
    assert!(points > 600, "{points}");
}

#[test]
fn recovery_may_crash_at_any_point_too() {
    let mut interrupted = 0;
    for n in (5..).step_by(3) {
        let Some((disk, shards)) = crash_at(n, n) else { break };
        for m in 1.. {
            let disk = disk.copy();
            disk.cut_power_at(m);
            let opened = try_open(&disk, small(WriterMode::Manual)).is_ok();
            let settled = !disk.is_powered_off();
            let disk = disk.crash(CrashOptions::random(n * 31 + m));
            check(&disk, &shards, &format!("operation {n}, recovery operation {m}"));
            interrupted += usize::from(!opened);
            if settled {
                break;
            }
        }
    }
    assert!(interrupted > 100, "{interrupted}");
}
