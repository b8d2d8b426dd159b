//! Many appenders at once, with the log's own thread.

use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use rivermark_fs::{CrashOptions, SimulatedFileSystem};
use rivermark_raft_log::{OnDurable, Options, SegmentPreparation, WriterMode};

use crate::harness::{Image, Step, Tracked, entry, open, shard, small};

fn options() -> Options {
    Options {
        segment_bytes: 64 * 1024,
        preparation: SegmentPreparation::Background,
        quiet_mark: Some(Duration::from_millis(1)),
        cache_bytes: 4096,
        ..small(WriterMode::Thread)
    }
}

#[test]
fn appenders_share_syncs_and_lose_nothing() {
    const THREADS: u32 = 6;
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, options());
    let threads: Vec<_> = (0..THREADS)
        .map(|raw| {
            let mut tracked = Tracked::new(log.shard(shard(raw)));
            std::thread::spawn(move || {
                for round in 0..60u64 {
                    tracked.perform(&Step::Append { term: 1 + round / 20, count: 2, length: 200 }).unwrap();
                    if round % 10 == 9 {
                        let next = tracked.image().next();
                        tracked.perform(&Step::TruncateTo(next - 2)).unwrap();
                        tracked.perform(&Step::PurgeTo(next - 8)).unwrap();
                        tracked.perform(&Step::Vote(round)).unwrap();
                    }
                    assert_eq!(Image::of(&tracked.log).unwrap(), *tracked.image(), "readable at once");
                }
                tracked
            })
        })
        .collect();
    let shards: Vec<Tracked> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    // Whoever queues last is told last.
    let (sender, receiver) = mpsc::channel();
    let last = entry(shard(0), 9, shards[0].image().next(), 10);
    log.shard(shard(0))
        .append(vec![last], OnDurable::call(move |r| sender.send(r.is_ok()).unwrap()))
        .unwrap();
    assert!(receiver.recv_timeout(Duration::from_secs(10)).unwrap());
    for tracked in &shards {
        let acknowledged = tracked.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(acknowledged + 1, tracked.images.len(), "shard {}", tracked.log.shard());
    }
    let counters = log.counters();
    assert!(counters.syncs < counters.records, "{counters:?}");
    assert_eq!(counters.entries, u64::from(THREADS) * 120 + 1);
    let disk = fs.crash(CrashOptions::random(1));
    let (log, recovered) = open(&disk, options());
    assert_eq!(recovered.corruptions, []);
    for tracked in &shards[1..] {
        tracked.check_recovered(&log.shard(tracked.log.shard()), "after the run");
    }
}

#[test]
fn the_last_handle_may_die_in_a_callback() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, options());
    let (sender, receiver) = mpsc::channel();
    let handle = log.shard(shard(1));
    let owned = handle.clone();
    let on_durable = OnDurable::call(move |_| {
        drop(owned);
        sender.send(()).unwrap();
    });
    handle.append(vec![entry(shard(1), 1, 1, 10)], on_durable).unwrap();
    drop((handle, log));
    receiver.recv_timeout(Duration::from_secs(10)).expect("no deadlock");
}

#[derive(Debug, Clone)]
enum Move {
    Do(u32, Step),
    Commit,
    Reopen,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        4 => (1..9u64, 1..4u64, 10..400usize)
            .prop_map(|(term, count, length)| Step::Append { term, count, length }),
        1 => (1..9u64).prop_map(Step::Vote),
        1 => (0..40u64).prop_map(Step::TruncateTo),
        2 => (0..40u64).prop_map(Step::PurgeTo),
        1 => Just(Step::Committed),
    ];
    let one = prop_oneof![
        8 => (0..3u32, step).prop_map(|(raw, step)| Move::Do(raw, step)),
        3 => Just(Move::Commit),
        1 => Just(Move::Reopen),
    ];
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(moves in moves()) {
        let fs = SimulatedFileSystem::new();
        let (mut log, _) = open(&fs, small(WriterMode::Manual));
        let mut shards: Vec<Tracked> = (0..3).map(|raw| Tracked::new(log.shard(shard(raw)))).collect();
        for one in &moves {
            match one {
                // A purge point behind the truncation point leaves nothing to truncate to.
                Move::Do(raw, step) => shards[*raw as usize].perform(step).unwrap(),
                Move::Commit => log.commit_waiting(),
                Move::Reopen => {
                    let images: Vec<Image> = shards.iter().map(|t| t.image().clone()).collect();
                    drop(std::mem::take(&mut shards));
                    log.close();
                    let (reopened, recovered) = open(&fs, small(WriterMode::Manual));
                    prop_assert_eq!(recovered.corruptions, []);
                    log = reopened;
                    shards = (0..3).map(|raw| Tracked::new(log.shard(shard(raw)))).collect();
                    for (tracked, image) in shards.iter().zip(&images) {
                        prop_assert_eq!(tracked.image(), image);
                    }
                }
            }
            for tracked in &shards {
                prop_assert_eq!(&Image::of(&tracked.log).unwrap(), tracked.image());
            }
        }
    }
}
