//! Failing and full disks: the log stops for good, tells everyone, and loses nothing acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rivermark_fs::{CrashOptions, SimulatedFileSystem, Unsynced};
use rivermark_raft_log::{AppendError, LogError, LogFailed, OnDurable, Options, RaftLog, WriterMode};
use rivermark_types::LogIndex;

use crate::harness::{Image, Step, Tracked, entry, open, shard, small, vote};

const APPEND: Step = Step::Append { term: 1, count: 1, length: 100 };

fn assert_stopped(log: &RaftLog) {
    let shard_log = log.shard(shard(1));
    let failed = |result: Result<(), LogError>| {
        assert!(matches!(result, Err(LogError::Failed(LogFailed::Storage(_)))), "{result:?}");
    };
    failed(shard_log.append(vec![entry(shard(1), 9, 99, 10)], OnDurable::ignore()));
    failed(shard_log.save_vote(vote(9), OnDurable::ignore()));
    failed(shard_log.save_committed(None));
    failed(shard_log.truncate_after(None, OnDurable::ignore()));
    failed(shard_log.forget(OnDurable::ignore()));
    failed(shard_log.vote().map(|_| ()));
    failed(shard_log.read(LogIndex::new(0)..LogIndex::new(9), 9).map(|_| ()));
    assert!(log.failure().is_some());
}

#[test]
fn a_failed_sync_stops_the_log_for_good() {
    for fault in [SimulatedFileSystem::fail_next_syncs, SimulatedFileSystem::fail_next_writes] {
        let fs = SimulatedFileSystem::new();
        let (log, _) = open(&fs, small(WriterMode::Manual));
        let mut tracked = Tracked::new(log.shard(shard(1)));
        tracked.perform(&APPEND).unwrap();
        log.commit_waiting();
        tracked.perform(&APPEND).unwrap();
        let errors = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&errors);
        let on_durable = OnDurable::call(move |result| {
            assert!(matches!(result, Err(LogFailed::Storage(_))));
            counted.fetch_add(1, Ordering::SeqCst);
        });
        log.shard(shard(2)).save_vote(vote(1), on_durable).unwrap();
        fault(&fs, 1);
        log.commit_waiting();
        assert_eq!(errors.load(Ordering::SeqCst), 1, "every waiter is told");
        assert_stopped(&log);
        log.commit_waiting();
        log.close();
        assert_stopped(&log);
        assert_eq!(tracked.acknowledged.load(Ordering::SeqCst), 1);
        let disk = fs.crash(CrashOptions { seed: 0, unsynced: Unsynced::Lost });
        let (log, recovered) = open(&disk, small(WriterMode::Manual));
        assert_eq!(recovered.corruptions, []);
        tracked.check_recovered(&log.shard(shard(1)), "after a failed sync");
    }
}

#[test]
fn a_full_disk_stops_the_log_and_recovers_with_room() {
    let fs = SimulatedFileSystem::new();
    fs.set_capacity_bytes(Some(3 * 6144 + 100));
    let (log, _) = open(&fs, small(WriterMode::Inline));
    let mut tracked = Tracked::new(log.shard(shard(1)));
    let appended = (0..200).take_while(|_| tracked.perform(&APPEND).is_ok()).count();
    assert!((10..100).contains(&appended), "{appended}");
    assert_stopped(&log);
    assert!(log.failure().unwrap().to_string().contains("No space left"), "{:?}", log.failure());
    drop(log);
    let disk = fs.crash(CrashOptions::random(4));
    disk.set_capacity_bytes(None);
    let (log, recovered) = open(&disk, small(WriterMode::Inline));
    assert_eq!(recovered.corruptions, []);
    tracked.check_recovered(&log.shard(shard(1)), "after a full disk");
    Tracked::new(log.shard(shard(1))).perform(&APPEND).unwrap();
}

#[test]
fn a_failed_read_is_not_corruption() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, Options { cache_bytes: 0, ..small(WriterMode::Inline) });
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&APPEND).unwrap();
    fs.fail_next_reads(1);
    assert!(matches!(Image::of(&tracked.log), Err(LogError::Read(_))));
    assert_eq!(&Image::of(&tracked.log).unwrap(), tracked.image());
    assert!(log.counters().cache_misses >= 2);
}

#[test]
fn holes_and_oversized_entries_are_refused_whole() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Inline));
    let shard_log = log.shard(shard(1));
    let append = |entries| shard_log.append(entries, OnDurable::ignore());
    append(vec![entry(shard(1), 1, 5, 10)]).expect("an unpurged empty log starts anywhere");
    let hole = append(vec![entry(shard(1), 1, 6, 10), entry(shard(1), 1, 8, 10)]);
    let expected = LogIndex::new(7);
    assert!(
        matches!(hole, Err(LogError::Append(AppendError::NotConsecutive { expected: e, .. })) if e == expected)
    );
    assert!(append(vec![entry(shard(1), 1, 5, 10)]).is_err(), "overwriting needs a truncation");
    let large = append(vec![entry(shard(1), 1, 6, 4096)]);
    assert!(matches!(large, Err(LogError::Append(AppendError::TooLarge { bytes: 4096, .. }))));
    assert_eq!(Image::of(&shard_log).unwrap().entries.len(), 1);
    append(vec![entry(shard(1), 1, 6, 1400)]).expect("the greatest size fits a segment");
}

#[test]
fn reads_are_bounded_by_bytes_and_never_empty() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Inline));
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&Step::Append { term: 1, count: 10, length: 100 }).unwrap();
    let read = |start, end, bytes_max| {
        let range = LogIndex::new(start)..LogIndex::new(end);
        tracked.log.read(range, bytes_max).unwrap().len()
    };
    assert_eq!((read(1, 11, 0), read(1, 11, 100), read(1, 11, 101), read(1, 11, 5000)), (1, 1, 2, 10));
    assert_eq!((read(0, 1, 100), read(11, 20, 100), read(9, 20, 1000), read(5, 5, 1)), (0, 0, 2, 0));
}

#[test]
fn closing_commits_what_waits_and_marks_the_end() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Manual));
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&APPEND).unwrap();
    tracked.perform(&Step::Committed).unwrap();
    log.close();
    assert!(matches!(log.failure(), Some(LogFailed::Closed)));
    assert!(matches!(tracked.perform(&APPEND), Err(LogError::Failed(LogFailed::Closed))));
    assert_eq!(tracked.acknowledged.load(Ordering::SeqCst), 1);
    let (log, recovered) = open(&fs.copy(), small(WriterMode::Manual));
    assert_eq!((recovered.records, recovered.torn_records), (3, 0), "entry, commit hint, mark");
    let last = Image::of(&log.shard(shard(1))).unwrap().entries[&1].0;
    assert_eq!(log.shard(shard(1)).committed().unwrap(), Some(last));
}
