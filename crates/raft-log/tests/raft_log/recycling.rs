//! Segments come, go and come back.

use std::path::Path;
use std::sync::Arc;

use rivermark_fs::{FileSystem, OsFileSystem, SimulatedFileSystem};
use rivermark_raft_log::{Options, RaftLog, WriterMode};
use rivermark_types::ShardId;

use crate::harness::{DIRECTORY, Image, Step, Tracked, open, segment_files, shard, small};

const SEGMENT_BYTES: u64 = 6144;

fn append(count: u64) -> Step {
    Step::Append { term: 1, count, length: 300 }
}

#[test]
fn many_rotations_need_few_files() {
    let fs = SimulatedFileSystem::new();
    let (mut log, _) = open(&fs, small(WriterMode::Inline));
    let mut shards: Vec<Tracked> = (0..3).map(|raw| Tracked::new(log.shard(shard(raw)))).collect();
    shards[2].perform(&Step::Vote(7)).unwrap();
    for round in 0..150u64 {
        for tracked in &mut shards[..2] {
            tracked.perform(&append(2)).unwrap();
            let next = tracked.image().next();
            tracked.perform(&Step::PurgeTo(next - 3)).unwrap();
        }
        let files = fs.list(Path::new(DIRECTORY)).unwrap().len();
        assert!(files <= 5, "round {round}: {files} files");
        if round % 40 == 13 {
            let images: Vec<Image> = shards.iter().map(|tracked| tracked.image().clone()).collect();
            drop((shards, log));
            let (reopened, recovered) = open(&fs, small(WriterMode::Inline));
            assert_eq!(recovered.corruptions, []);
            log = reopened;
            shards = (0..3).map(|raw| Tracked::new(log.shard(shard(raw)))).collect();
            for (tracked, image) in shards.iter().zip(images) {
                assert_eq!(*tracked.image(), image, "round {round}");
            }
        }
    }
    assert_eq!(shards[2].image().vote, Some(crate::harness::vote(7)), "votes outlive their segment");
    let newest = segment_files(&fs).pop().unwrap();
    let id = u64::from_str_radix(newest.file_stem().unwrap().to_str().unwrap(), 16).unwrap();
    assert!(id > 50, "segment {id}");
    assert!(log.counters().segments_retired > 10);
}

#[test]
fn a_laggard_pins_segments_until_it_is_purged() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Inline));
    let (mut laggard, mut busy) = (Tracked::new(log.shard(shard(1))), Tracked::new(log.shard(shard(2))));
    laggard.perform(&append(1)).unwrap();
    for _ in 0..40 {
        busy.perform(&append(1)).unwrap();
        let next = busy.image().next();
        busy.perform(&Step::PurgeTo(next - 1)).unwrap();
    }
    let segments = log.counters().segments;
    assert!(segments > 5, "{segments}");
    assert_eq!(log.bytes_pinned_by(shard(1)), segments * SEGMENT_BYTES);
    assert_eq!(log.bytes_pinned_by(shard(2)), 0, "it holds nothing");
    assert_eq!(log.counters().log_bytes[&shard(1)], 64 + 304);
    assert_eq!(Image::of(&laggard.log).unwrap(), *laggard.image(), "old entries stay readable");
    laggard.perform(&Step::PurgeTo(1)).unwrap();
    let counters = log.counters();
    assert_eq!((counters.segments, counters.spare_segments), (1, 1), "one is kept for reuse");
    assert_eq!(log.bytes_pinned_by(shard(1)), 0);
}

#[test]
fn forgetting_a_shard_frees_it() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Inline));
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&Step::Vote(3)).unwrap();
    tracked.perform(&append(20)).unwrap();
    tracked.log.forget(rivermark_raft_log::OnDurable::ignore()).unwrap();
    assert_eq!(Image::of(&tracked.log).unwrap(), Image::default());
    assert_eq!(log.counters().segments, 1);
    drop((log, tracked));
    let (log, recovered) = open(&fs, small(WriterMode::Inline));
    assert_eq!(recovered.corruptions, []);
    assert_eq!(Image::of(&log.shard(shard(1))).unwrap(), Image::default());
}

#[test]
fn background_preparation_recycles_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 64 * 1024, ..Options::default() };
    let open = || RaftLog::open(Arc::new(OsFileSystem), folder.path(), options.clone()).unwrap().0;
    let log = open();
    let mut tracked = Tracked::new(log.shard(ShardId::new(1)));
    for _ in 0..60 {
        tracked.perform(&Step::Append { term: 1, count: 10, length: 3000 }).unwrap();
        let next = tracked.image().next();
        tracked.perform(&Step::PurgeTo(next - 2)).unwrap();
    }
    let image = tracked.image().clone();
    drop((tracked, log));
    let log = open();
    assert_eq!(Image::of(&log.shard(ShardId::new(1))).unwrap(), image);
    // Recycling goes on in the background.
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while files() > 7 {
        assert!(std::time::Instant::now() < deadline, "{} files", files());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
