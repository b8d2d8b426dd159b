//! Damage is noticed and never served; a torn tail is not mistaken for damage, nor damage for a tail.

use std::path::Path;

use rivermark_fs::{CrashOptions, FileSystem, SimulatedFileSystem, Unsynced};
use rivermark_raft_log::{LogError, OnDurable, Options, RaftLog, WriterMode};

use crate::harness::{Image, Step, Tracked, open, segment_files, shard, small, try_open};

const HEADER_BYTES: u64 = 4096;

/// A closed log of three shards over a few segments, and what each shard holds.
fn closed_log() -> (SimulatedFileSystem, Vec<Image>) {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Manual));
    let mut shards: Vec<Tracked> = (0..3).map(|raw| Tracked::new(log.shard(shard(raw)))).collect();
    let mut act = |group: &[(usize, Step)]| {
        for (raw, step) in group {
            shards[*raw].perform(step).expect("the log takes it");
        }
        log.commit_waiting();
    };
    let append = |count, length| Step::Append { term: 2, count, length };
    act(&[(0, Step::Vote(1)), (1, Step::Vote(2))]);
    act(&[(0, append(3, 60)), (1, append(2, 200)), (2, Step::Vote(4))]);
    act(&[(0, append(2, 500)), (2, append(1, 300))]);
    act(&[(0, Step::TruncateTo(4)), (1, Step::PurgeTo(1)), (2, append(2, 90))]);
    act(&[(0, append(2, 150))]);
    let images = shards.iter().map(|tracked| tracked.image().clone()).collect();
    log.close();
    drop(log);
    (fs.crash(CrashOptions { seed: 0, unsynced: Unsynced::Lost }), images)
}

/// Every shard is either reported corrupt or holds exactly what it should. Returns how many are corrupt.
fn check(log: &RaftLog, images: &[Image], context: &str) -> usize {
    let mut corrupt = 0;
    for (raw, image) in images.iter().enumerate() {
        match Image::of(&log.shard(shard(raw as u32))) {
            Ok(held) => assert_eq!(held, *image, "{context}: shard {raw}"),
            Err(LogError::Corrupt(_)) => corrupt += 1,
            Err(other) => panic!("{context}: {other}"),
        }
    }
    corrupt
}

/// The end of the frames in a segment: the last byte that is not zero.
fn used(fs: &SimulatedFileSystem, path: &Path) -> u64 {
    let bytes = fs.file_bytes(path).expect("the segment exists");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

#[test]
fn every_flipped_bit_is_noticed_or_harmless() {
    let (fs, images) = closed_log();
    let (mut corrupt, mut flips) = (0, 0);
    for path in segment_files(&fs) {
        let headers = (0..40).chain(512..552);
        for byte in headers.chain(HEADER_BYTES..used(&fs, &path)) {
            for bit in 0..8 {
                let disk = fs.copy();
                disk.flip_bit(&path, byte * 8 + bit);
                let context = format!("{} byte {byte} bit {bit}", path.display());
                let (log, recovered) = open(&disk, small(WriterMode::Manual));
                let hit = check(&log, &images, &context);
                if hit > 0 {
                    assert!(!recovered.corruptions.is_empty(), "{context}");
                    corrupt += 1;
                }
                flips += 1;
            }
        }
    }
    // Harmless are only header copies, padding, repeated states and the closing mark.
    assert!(flips > 15_000 && corrupt > flips * 6 / 10, "{corrupt} of {flips}");
}

#[test]
fn damage_while_running_is_noticed_by_reads() {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, Options { cache_bytes: 0, ..small(WriterMode::Inline) });
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&Step::Append { term: 1, count: 4, length: 200 }).unwrap();
    let other = Tracked::new(log.shard(shard(2)));
    let path = segment_files(&fs).remove(0);
    fs.flip_bit(&path, (HEADER_BYTES + 2 * 264 + 100) * 8);
    let error = Image::of(&tracked.log).unwrap_err();
    assert!(matches!(error, LogError::Corrupt(ref c) if c.shard == Some(shard(1))), "{error}");
    assert_eq!(Image::of(&other.log).unwrap(), *other.image(), "other shards live on");
    // Swapped frames have sound checksums but are not the entry asked for.
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, Options { cache_bytes: 0, ..small(WriterMode::Inline) });
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&Step::Append { term: 1, count: 2, length: 200 }).unwrap();
    let bytes = fs.file_bytes(&path).unwrap();
    fs.overwrite(&path, HEADER_BYTES, &bytes[4096 + 264..4096 + 528]);
    assert!(matches!(Image::of(&tracked.log), Err(LogError::Corrupt(_))));
}

/// Two durable entries and a last group of three, and where that group starts.
fn log_with_last_group(length: usize) -> (SimulatedFileSystem, Tracked, u64) {
    let fs = SimulatedFileSystem::new();
    let (log, _) = open(&fs, small(WriterMode::Manual));
    let mut tracked = Tracked::new(log.shard(shard(1)));
    tracked.perform(&Step::Append { term: 1, count: 2, length }).expect("the log takes it");
    log.commit_waiting();
    let start = used(&fs, &segment_files(&fs)[0]).next_multiple_of(8);
    tracked.perform(&Step::Append { term: 1, count: 3, length }).expect("the log takes it");
    log.commit_waiting();
    (fs, tracked, start)
}

#[test]
fn a_torn_or_zeroed_last_group_is_the_end_of_the_log() {
    // Entries of 88 bytes make frames as long as a hard state's: what is written next lines up with
    // what was cut off, which must not come back behind it.
    for length in [88, 100] {
        let (fs, tracked, start) = log_with_last_group(length);
        let path = segment_files(&fs).remove(0);
        let end = used(&fs, &path);
        for (cut, zeroed_to) in (start..end).flat_map(|cut| [(cut, end), (cut, (cut + 40).min(end))]) {
            let disk = fs.copy();
            disk.overwrite(&path, cut, &vec![0; (zeroed_to - cut) as usize]);
            let (log, recovered) = open(&disk, small(WriterMode::Manual));
            let context = format!("zeros from {cut} to {zeroed_to}");
            assert_eq!(recovered.corruptions, [], "{context}");
            let held = Image::of(&log.shard(shard(1))).unwrap();
            assert!((2..=5).contains(&held.entries.len()), "{context}");
            assert!(held.entries.iter().all(|(i, e)| tracked.image().entries[i] == *e), "{context}");
            let mut next = Tracked::new(log.shard(shard(1)));
            next.perform(&Step::Append { term: 7, count: 1, length }).unwrap();
            log.commit_waiting();
            let disk = disk.crash(CrashOptions { seed: 0, unsynced: Unsynced::Kept });
            let (log, recovered) = open(&disk, small(WriterMode::Manual));
            assert_eq!(recovered.corruptions, [], "{context}");
            assert_eq!(Image::of(&log.shard(shard(1))).unwrap(), *next.image(), "{context}");
        }
    }
}

#[test]
fn damage_stays_known_until_the_shard_is_forgotten() {
    let (fs, images) = closed_log();
    let first = segment_files(&fs).remove(0);
    // Inside the first entry of shard 0, behind two votes.
    fs.flip_bit(&first, (HEADER_BYTES + 2 * 64 + 70) * 8);
    for life in 0..3 {
        let (log, recovered) = open(&fs, small(WriterMode::Inline));
        assert!(!recovered.corruptions.is_empty());
        assert_eq!(
            check(&log, &images, "repeated"),
            1,
            "life {life}: the others are cleared by their numbering"
        );
        let error = log.shard(shard(0)).append(Vec::new(), OnDurable::ignore()).unwrap_err();
        assert!(matches!(error, LogError::Corrupt(_)));
    }
    let (log, _) = open(&fs, small(WriterMode::Inline));
    log.shard(shard(0)).forget(OnDurable::ignore()).unwrap();
    let mut reborn = Tracked::new(log.shard(shard(0)));
    reborn.perform(&Step::Append { term: 9, count: 1, length: 10 }).unwrap();
    let stranger = log.shard(shard(77));
    assert!(stranger.corruption().is_some(), "what was lost may have been its vote");
    stranger.forget(OnDurable::ignore()).unwrap();
    assert_eq!(Image::of(&stranger).unwrap(), Image::default());
    drop((log, stranger));
    let (log, _) = open(&fs, small(WriterMode::Inline));
    assert_eq!(Image::of(&log.shard(shard(0))).unwrap(), *reborn.image());
    assert_eq!(check(&log, &images[1..1], ""), 0);
    assert!(log.shard(shard(77)).corruption().is_none());
}

#[test]
fn missing_and_cut_segments_are_damage() {
    let (fs, images) = closed_log();
    let files = segment_files(&fs);
    assert!(files.len() >= 2, "{files:?}");
    for (length, path) in [10, 100, 4096, 4500].into_iter().flat_map(|l| files.iter().map(move |f| (l, f))) {
        let disk = fs.copy();
        disk.truncate_file(path, length);
        let context = format!("{} cut to {length}", path.display());
        for life in 0..3 {
            let (log, recovered) = open(&disk, small(WriterMode::Manual));
            assert!(check(&log, &images, &context) > 0, "{context} life {life}");
            assert!(!recovered.corruptions.is_empty(), "{context} life {life}");
        }
    }
    let disk = fs.copy();
    disk.remove(&files[0]).unwrap();
    let (log, recovered) = open(&disk, small(WriterMode::Manual));
    assert!(!recovered.corruptions.is_empty());
    assert!(check(&log, &images, "removed") > 0);
}

#[test]
fn newer_formats_are_refused() {
    let (fs, _) = closed_log();
    let path = segment_files(&fs).remove(0);
    let mut header = fs.file_bytes(&path).unwrap()[..40].to_vec();
    header[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    fs.overwrite(&path, 0, &header);
    fs.overwrite(&path, 512, &header);
    let error = try_open(&fs, small(WriterMode::Manual)).unwrap_err();
    assert!(error.to_string().contains("format version 2"), "{error}");
}
