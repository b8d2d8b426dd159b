//! What a snapshot file promises, on the real file system and on one that crashes.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use rivermark_fs::{CrashOptions, FileSystem, OsFileSystem, SharedFileSystem, SimulatedFileSystem, Unsynced};
use rivermark_types::limits::{SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_META_BYTES_MAX};
use rivermark_types::{LogIndex, ShardId};

use super::*;
use crate::StoreError;

const SHARD: ShardId = ShardId::new(3);
const OLD: (u64, &[&[u8]]) = (10, &[b"old first", b"", b"old last"]);
const NEW: (u64, &[&[u8]]) = (20, &[b"new first", b"new middle", b"new last"]);

fn root() -> PathBuf {
    PathBuf::from("/node")
}

fn shared(fs: &SimulatedFileSystem) -> SharedFileSystem {
    Arc::new(fs.clone())
}

fn simulated() -> (SimulatedFileSystem, SnapshotStore) {
    let fs = SimulatedFileSystem::new();
    fs.create_directory(&root()).unwrap();
    let store = SnapshotStore::open(shared(&fs), &root()).unwrap();
    (fs, store)
}

fn write(store: &SnapshotStore, (covered, chunks): (u64, &[&[u8]])) -> Result<Snapshot, StoreError> {
    let meta = format!("meta {covered}");
    let mut writer = store.writer(SHARD, LogIndex::new(covered), meta.as_bytes())?;
    for chunk in chunks {
        writer.push_chunk(chunk)?;
    }
    writer.finish()
}

fn content(snapshot: &Snapshot) -> Result<Vec<Bytes>, StoreError> {
    snapshot.chunks().collect()
}

fn assert_is(snapshot: &Snapshot, (covered, chunks): (u64, &[&[u8]])) {
    assert_eq!(snapshot.covered(), LogIndex::new(covered));
    assert_eq!(&snapshot.meta()[..], format!("meta {covered}").as_bytes());
    assert_eq!(content(snapshot).unwrap(), chunks);
    assert_eq!(snapshot.chunk_count(), chunks.len() as u64);
    assert_eq!(snapshot.bytes(), chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>());
}

#[track_caller]
fn assert_corrupt<T: std::fmt::Debug>(result: Result<T, StoreError>, context: &str) {
    assert!(matches!(result, Err(StoreError::Corruption(_))), "{context}: {result:?}");
}

/// Reads the latest snapshot as a restarted node would, to its last byte.
fn reread(fs: &SimulatedFileSystem) -> Result<Option<Snapshot>, StoreError> {
    let store = SnapshotStore::open(shared(fs), &root())?;
    let latest = store.latest(SHARD)?;
    latest.iter().try_for_each(Snapshot::verify)?;
    Ok(latest)
}

#[test]
fn what_was_written_is_read_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let fs: SharedFileSystem = Arc::new(OsFileSystem);
    let store = SnapshotStore::open(Arc::clone(&fs), directory.path()).unwrap();
    assert!(store.latest(SHARD).unwrap().is_none());
    let finished = write(&store, OLD).unwrap();
    assert_is(&finished, OLD);
    assert!(finished.path().exists());

    let store = SnapshotStore::open(fs, directory.path()).unwrap();
    assert_eq!(store.shards(), [SHARD]);
    assert!(store.latest(ShardId::new(4)).unwrap().is_none());
    assert_is(&store.latest(SHARD).unwrap().unwrap(), OLD);
}

#[test]
fn a_reader_outlives_the_file_it_reads() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(Arc::new(OsFileSystem), directory.path()).unwrap();
    write(&store, OLD).unwrap();
    let old = store.latest(SHARD).unwrap().unwrap();
    let mut chunks = old.chunks();
    assert_eq!(chunks.next().unwrap().unwrap(), OLD.1[0]);
    write(&store, NEW).unwrap();
    assert!(!old.path().exists(), "the new snapshot replaces the old one");
    assert_eq!(chunks.collect::<Result<Vec<_>, _>>().unwrap(), OLD.1[1..]);
    assert_is(&store.latest(SHARD).unwrap().unwrap(), NEW);
}

#[test]
fn the_snapshot_that_covers_more_stays_the_latest() {
    let (fs, store) = simulated();
    let mut received = store.writer(SHARD, LogIndex::new(NEW.0), b"meta 20").unwrap();
    let built = write(&store, OLD).unwrap();
    assert_is(&built, OLD);
    for chunk in NEW.1 {
        received.push_chunk(chunk).unwrap();
    }
    received.finish().unwrap();
    assert_is(&store.latest(SHARD).unwrap().unwrap(), NEW);
    let late = write(&store, OLD).unwrap();
    assert_is(&late, OLD);
    assert_is(&store.latest(SHARD).unwrap().unwrap(), NEW);
    assert_is(&reread(&fs).unwrap().unwrap(), NEW);
    assert_eq!(fs.list(&root().join("snapshots/3")).unwrap().len(), 1);
}

#[test]
fn a_damaged_snapshot_is_removed_before_a_shorter_one_replaces_it() {
    let (fs, store) = simulated();
    let damaged = write(&store, NEW).unwrap();
    fs.flip_bit(damaged.path(), 5);
    assert_corrupt(store.latest(SHARD), "header");
    store.remove(SHARD).unwrap();
    assert!(store.latest(SHARD).unwrap().is_none());
    write(&store, OLD).unwrap();
    assert_is(&reread(&fs).unwrap().unwrap(), OLD);
}

#[test]
fn unfinished_writers_leave_nothing() {
    let (fs, store) = simulated();
    write(&store, OLD).unwrap();
    let folder = root().join("snapshots/3");
    let mut dropped = store.writer(SHARD, LogIndex::new(NEW.0), b"").unwrap();
    dropped.push_chunk(b"gone").unwrap();
    assert_eq!(fs.list(&folder).unwrap().len(), 2);
    drop(dropped);
    assert_eq!(fs.list(&folder).unwrap().len(), 1);

    let _killed = store.writer(SHARD, LogIndex::new(NEW.0), b"").unwrap();
    let after = fs.crash(CrashOptions { seed: 0, unsynced: Unsynced::Kept });
    assert_eq!(after.list(&folder).unwrap().len(), 2);
    assert_is(&reread(&after).unwrap().unwrap(), OLD);
    assert_eq!(after.list(&folder).unwrap().len(), 1);
}

#[test]
fn sizes_beyond_the_limits_are_refused() {
    let (_, store) = simulated();
    let too_large = |error| matches!(error, StoreError::TooLarge { .. });
    let meta = vec![1; SNAPSHOT_META_BYTES_MAX + 1];
    assert!(too_large(store.writer(SHARD, LogIndex::new(1), &meta).unwrap_err()));
    let mut writer = store.writer(SHARD, LogIndex::new(1), &meta[1..]).unwrap();
    let chunk = vec![2; SNAPSHOT_CHUNK_BYTES_MAX + 1];
    assert!(too_large(writer.push_chunk(&chunk).unwrap_err()));
    writer.push_chunk(&chunk[1..]).unwrap();
    let snapshot = writer.finish().unwrap();
    assert_eq!(snapshot.meta().len(), SNAPSHOT_META_BYTES_MAX);
    assert_eq!(content(&snapshot).unwrap(), [&chunk[1..]]);
}

#[test]
fn every_truncation_is_detected() {
    let (fs, store) = simulated();
    let path = write(&store, NEW).unwrap().path().to_owned();
    let length = fs.file_bytes(&path).unwrap().len() as u64;
    for kept in 0..length {
        let cut = fs.copy();
        cut.truncate_file(&path, kept);
        assert_corrupt(reread(&cut), &format!("cut to {kept}"));
    }
}

#[test]
fn every_bit_flip_is_detected() {
    let (fs, store) = simulated();
    write(&store, OLD).unwrap();
    let path = write(&store, NEW).unwrap().path().to_owned();
    let bits = fs.file_bytes(&path).unwrap().len() as u64 * 8;
    assert!(bits > 1000);
    for bit in 0..bits {
        let damaged = fs.copy();
        damaged.flip_bit(&path, bit);
        assert_corrupt(reread(&damaged), &format!("bit {bit}"));
        let store = SnapshotStore::open(shared(&damaged), &root()).unwrap();
        if let Ok(Some(snapshot)) = store.latest(SHARD) {
            let served = snapshot.chunks().take_while(Result::is_ok).map(Result::unwrap);
            assert!(served.zip(NEW.1).all(|(served, written)| served == *written), "bit {bit}");
        }
    }
}

#[test]
fn a_file_under_another_name_or_shard_is_detected() {
    let (fs, store) = simulated();
    let path = write(&store, OLD).unwrap().path().to_owned();
    let renamed = path.with_file_name(path.file_name().unwrap().to_str().unwrap().replace("10-", "11-"));
    let moved = root().join("snapshots/4").join(path.file_name().unwrap());
    let other = fs.copy();
    other.rename(&path, &renamed).unwrap();
    assert_corrupt(reread(&other), "another index");
    fs.create_directory(moved.parent().unwrap()).unwrap();
    fs.rename(&path, &moved).unwrap();
    let store = SnapshotStore::open(shared(&fs), &root()).unwrap();
    assert_corrupt(store.latest(ShardId::new(4)), "another shard");
}

#[test]
fn exchanged_chunks_are_detected() {
    let (fs, store) = simulated();
    let snapshot = write(&store, (1, &[b"same length a", b"same length b"])).unwrap();
    let bytes = fs.file_bytes(snapshot.path()).unwrap();
    let first = (36 + b"meta 1".len() + 4) as u64;
    let length = 8 + b"same length a".len() as u64;
    let chunk = |start: u64| bytes[start as usize..(start + length) as usize].to_vec();
    assert!(chunk(first).ends_with(b"a") && chunk(first + length).ends_with(b"b"));
    fs.overwrite(snapshot.path(), first, &chunk(first + length));
    fs.overwrite(snapshot.path(), first + length, &chunk(first));
    assert_corrupt(reread(&fs), "exchanged chunks");
}

#[test]
fn bytes_that_went_bad_while_writing_are_found_before_the_name_is_given() {
    let (fs, store) = simulated();
    write(&store, OLD).unwrap();
    let mut writer = store.writer(SHARD, LogIndex::new(NEW.0), b"").unwrap();
    writer.push_chunk(&[7; 500]).unwrap();
    let paths = fs.list(&root().join("snapshots/3")).unwrap();
    let temporary = paths.iter().find(|path| path.extension().unwrap() == "tmp").unwrap();
    fs.overwrite(temporary, 300, b"!");
    assert_corrupt(writer.finish(), "read back");
    assert_is(&store.latest(SHARD).unwrap().unwrap(), OLD);
    assert_is(&reread(&fs).unwrap().unwrap(), OLD);
}

#[test]
fn failed_writes_and_syncs_and_a_full_disk_leave_the_old_snapshot() {
    type Fault = fn(&SimulatedFileSystem);
    let faults: [Fault; 4] = [
        |fs| fs.fail_next_syncs(1),
        |fs| fs.fail_next_writes(1),
        |fs| fs.fail_next_reads(1),
        |fs| fs.set_capacity_bytes(Some(0)),
    ];
    for (number, fault) in faults.iter().enumerate() {
        let (fs, store) = simulated();
        write(&store, OLD).unwrap();
        let mut writer = store.writer(SHARD, LogIndex::new(NEW.0), b"").unwrap();
        fault(&fs);
        let failed = writer.push_chunk(NEW.1[0]).is_err();
        let finished = writer.finish();
        assert!(matches!(finished, Err(StoreError::Storage(_))), "fault {number}: {finished:?}");
        assert_eq!(failed, number == 1 || number == 3);
        assert_is(&store.latest(SHARD).unwrap().unwrap(), OLD);
        fs.set_capacity_bytes(None);
        write(&store, NEW).unwrap();
        assert_is(&reread(&fs).unwrap().unwrap(), NEW);
    }
}

/// Cuts the power at every operation of `run`, with several fates of what was unsynced, and hands the
/// disk that is found afterwards to `check`, with what `run` had returned.
fn at_every_crash<T>(run: impl Fn(&SnapshotStore) -> T, check: impl Fn(T, Option<Snapshot>, &str)) {
    let rehearse = || {
        let (fs, store) = simulated();
        write(&store, OLD).unwrap();
        (fs, store)
    };
    let (fs, store) = rehearse();
    let start = fs.operations();
    run(&store);
    let end = fs.operations();
    assert!(end > start + 3);
    for cut in start + 1..=end + 1 {
        let random = (0..12).map(CrashOptions::random);
        let certain = [Unsynced::Lost, Unsynced::Kept].map(|unsynced| CrashOptions { seed: 0, unsynced });
        for options in random.chain(certain) {
            let (fs, store) = rehearse();
            fs.cut_power_at(cut);
            let returned = run(&store);
            let context = format!("power cut at {cut} of {start}..{end}, {options:?}");
            let after = fs.crash(options);
            let found = reread(&after).unwrap_or_else(|error| panic!("{context}: {error}"));
            let files = after.list(&root().join("snapshots/3")).unwrap();
            assert!(files.iter().all(|path| path.extension().unwrap() == "snapshot"), "{context}");
            check(returned, found, &context);
        }
    }
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_snapshot_or_the_new_one() {
    at_every_crash(
        |store| write(store, NEW).is_ok(),
        |finished, found, context| {
            let found = found.unwrap_or_else(|| panic!("{context}: no snapshot"));
            let expected = if found.covered().get() == NEW.0 { NEW } else { OLD };
            assert!(!finished || expected == NEW, "{context}: a finished snapshot is gone");
            assert_is(&found, expected);
        },
    );
}

#[test]
fn a_crash_while_removing_never_brings_back_a_replaced_snapshot() {
    at_every_crash(
        |store| {
            let finished = write(store, NEW).is_ok();
            (finished, finished && store.remove(SHARD).is_ok())
        },
        |(finished, removed), found, context| {
            assert!(!removed || found.is_none(), "{context}: a removed snapshot is back");
            let found = found.map(|snapshot| snapshot.covered().get());
            assert!(!finished || found != Some(OLD.0), "{context}: a replaced snapshot is back");
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunks_come_back(
        meta in prop::collection::vec(any::<u8>(), 0..300),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..12),
    ) {
        let (_, store) = simulated();
        let mut writer = store.writer(SHARD, LogIndex::new(9), &meta).unwrap();
        for chunk in &chunks {
            writer.push_chunk(chunk).unwrap();
        }
        writer.finish().unwrap();
        let snapshot = store.latest(SHARD).unwrap().unwrap();
        prop_assert_eq!(&snapshot.meta()[..], &meta[..]);
        prop_assert_eq!(content(&snapshot).unwrap(), chunks);
    }
}
