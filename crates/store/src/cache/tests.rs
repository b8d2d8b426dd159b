//! What the cache keeps and what it wipes.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use bytes::Bytes;
use rivermark_types::limits::{CACHE_KEY_BYTES_MAX, CACHE_VALUE_BYTES_MAX};

use super::marker::{Marker, MarkerFile};
use super::trusted::Database;
use super::*;

const DATABASE: &str = "sled/db";
const MARKER: &str = "marker";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A closed cache with three entries, and the paths of its database and marker.
fn filled() -> (TempDir, PathBuf, PathBuf) {
    let folder = folder();
    let cache = Cache::open(folder.path()).unwrap();
    cache.put("topology", "nodes 1 2 3").unwrap();
    cache.put("topology/epoch", "5").unwrap();
    cache.put("zone", vec![7; 5000]).unwrap();
    drop(cache);
    let (database, marker) = (folder.path().join(DATABASE), folder.path().join(MARKER));
    (folder, database, marker)
}

fn entries(cache: &Cache, prefix: &str) -> Vec<(Bytes, Bytes)> {
    cache.scan(prefix.as_bytes()).collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn assert_wiped_and_usable(folder: &TempDir, context: &str) {
    let cache = Cache::open(folder.path()).unwrap();
    assert!(matches!(cache.origin(), CacheOrigin::Wiped { .. }), "{context}: {:?}", cache.origin());
    assert_eq!(entries(&cache, ""), [], "{context}");
    cache.put("again", "works").unwrap();
    drop(cache);
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(*cache.origin(), CacheOrigin::Kept, "{context}");
    assert_eq!(cache.get(b"again").unwrap().unwrap(), "works", "{context}");
}

#[test]
fn what_was_put_is_there_after_reopening() {
    let (folder, ..) = filled();
    for _ in 0..3 {
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(*cache.origin(), CacheOrigin::Kept);
        assert_eq!(cache.get(b"topology").unwrap().unwrap(), "nodes 1 2 3");
        assert_eq!(cache.get(b"zone").unwrap().unwrap(), vec![7; 5000]);
        assert_eq!(cache.get(b"missing").unwrap(), None);
    }
    let cache = Cache::open(folder.path()).unwrap();
    cache.remove("topology").unwrap();
    cache.remove("missing").unwrap();
    assert_eq!(cache.get(b"topology").unwrap(), None);
    drop(cache);
    assert_eq!(Cache::open(folder.path()).unwrap().get(b"topology").unwrap(), None);
}

#[test]
fn a_scan_yields_the_prefix_in_order() {
    let (folder, ..) = filled();
    let cache = Cache::open(folder.path()).unwrap();
    let keys = |prefix| entries(&cache, prefix).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys("topology"), ["topology", "topology/epoch"]);
    assert_eq!(keys("topology/"), ["topology/epoch"]);
    assert_eq!(keys(""), ["topology", "topology/epoch", "zone"]);
    assert_eq!(keys("u"), Vec::<Bytes>::new());
}

#[test]
fn a_batch_is_applied_together_and_in_order() {
    let folder = folder();
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(*cache.origin(), CacheOrigin::Created);
    let put = |key: &'static str, value: &'static str| Change::Put { key: key.into(), value: value.into() };
    cache
        .write(vec![put("a", "1"), put("b", "1"), Change::Remove { key: "b".into() }, put("a", "2")])
        .unwrap();
    assert_eq!(entries(&cache, ""), [("a".into(), "2".into())]);
}

#[test]
fn sizes_beyond_the_limits_are_refused_and_change_nothing() {
    let folder = folder();
    let cache = Cache::open(folder.path()).unwrap();
    let too_large = |result| matches!(result, Err(CacheError::TooLarge { .. }));
    let value = Bytes::from(vec![1; CACHE_VALUE_BYTES_MAX + 1]);
    let small = Change::Put { key: "small".into(), value: "1".into() };
    let large = Change::Put { key: "large".into(), value: value.clone() };
    assert!(too_large(cache.write(vec![small, large])));
    assert!(too_large(cache.put(vec![1; CACHE_KEY_BYTES_MAX + 1], "1")));
    assert_eq!(entries(&cache, ""), []);

    cache.put(vec![2; CACHE_KEY_BYTES_MAX], value.slice(1..)).unwrap();
    assert_eq!(cache.get(&[2; CACHE_KEY_BYTES_MAX]).unwrap().unwrap(), value.slice(1..));
}

#[test]
fn the_largest_entries_stay_in_the_one_file_that_is_synced() {
    let folder = folder();
    let cache = Cache::open(folder.path()).unwrap();
    let value = Bytes::from(vec![1; CACHE_VALUE_BYTES_MAX]);
    let key = |number: u8| Bytes::from(vec![number.wrapping_mul(37); CACHE_KEY_BYTES_MAX]);
    let check = |cache: &Cache, expected: usize| {
        assert_eq!(cache.scan(&[]).map(Result::unwrap).count(), expected);
        let blobs = fs::read_dir(folder.path().join("sled/blobs")).unwrap().count();
        assert_eq!(blobs, 0, "with {expected} entries");
    };
    let put = |number| Change::Put { key: key(number), value: value.clone() };
    for number in 0..24 {
        cache.write(vec![put(number)]).unwrap();
        check(&cache, usize::from(number) + 1);
    }
    cache.write((24..60).map(put).collect()).unwrap();
    check(&cache, 60);
    for number in 0..55 {
        cache.remove(key(number)).unwrap();
        check(&cache, 59 - usize::from(number));
    }
    drop(cache);
    check(&Cache::open(folder.path()).unwrap(), 5);
}

#[test]
fn many_threads_write_through_the_one_writer() {
    let folder = folder();
    let cache = Cache::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let cache = &cache;
            scope.spawn(move || {
                for number in 0..25u8 {
                    cache.put(vec![thread, number], vec![number]).unwrap();
                }
            });
        }
    });
    drop(cache);
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(*cache.origin(), CacheOrigin::Kept);
    assert_eq!(cache.scan(&[]).count(), 100);
    assert_eq!(cache.scan(&[2]).count(), 25);
}

#[test]
fn a_second_opener_is_refused_and_harms_nothing() {
    let (folder, ..) = filled();
    let cache = Cache::open(folder.path()).unwrap();
    assert!(matches!(Cache::open(folder.path()), Err(CacheError::Storage(_))));
    drop(cache);
    assert_eq!(*Cache::open(folder.path()).unwrap().origin(), CacheOrigin::Kept);
}

#[test]
fn a_marker_behind_the_database_wipes() {
    let (folder, _, marker) = filled();
    let earlier = fs::read(&marker).unwrap();
    Cache::open(folder.path()).unwrap().put("later", "1").unwrap();
    assert_ne!(fs::read(&marker).unwrap(), earlier);
    fs::write(&marker, earlier).unwrap();
    assert_wiped_and_usable(&folder, "older marker");
}

#[test]
fn a_database_behind_the_marker_wipes() {
    let (folder, database, _) = filled();
    let earlier = fs::read(&database).unwrap();
    Cache::open(folder.path()).unwrap().put("later", "1").unwrap();
    fs::write(&database, earlier).unwrap();
    assert_wiped_and_usable(&folder, "older database");
}

#[test]
fn an_open_that_never_came_back_wipes() {
    let (folder, ..) = filled();
    let mut marker = MarkerFile::open(folder.path()).unwrap();
    marker.write(Marker::Unproven).unwrap();
    drop(marker);
    assert_wiped_and_usable(&folder, "unproven");
}

#[test]
fn a_missing_or_damaged_marker_wipes() {
    let (folder, _, marker) = filled();
    fs::remove_file(&marker).unwrap();
    assert_wiped_and_usable(&folder, "missing");
    let length = fs::read(&marker).unwrap().len();
    for byte in 0..length {
        let mut damaged = fs::read(&marker).unwrap();
        damaged[byte] ^= 0x10;
        assert_eq!(marker::decode(&damaged.try_into().unwrap()), None, "byte {byte}");
    }
    fs::write(&marker, b"garbage").unwrap();
    assert_wiped_and_usable(&folder, "short");
    fs::write(&marker, vec![0xa5; length]).unwrap();
    assert_wiped_and_usable(&folder, "garbage");
}

#[test]
fn garbage_in_the_files_of_sled_wipes() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 6] = [
        ("text for a database", |sled| fs::write(sled.join("db"), b"garbage").unwrap()),
        ("noise for a database", |sled| fs::write(sled.join("db"), vec![0xa5; 1 << 19]).unwrap()),
        ("an empty database", |sled| fs::write(sled.join("db"), b"").unwrap()),
        ("no database", |sled| fs::remove_file(sled.join("db")).unwrap()),
        ("noise for a configuration", |sled| fs::write(sled.join("conf"), vec![0xa5; 100]).unwrap()),
        ("a file for a folder", |sled| {
            fs::remove_dir_all(sled).unwrap();
            fs::write(sled, b"garbage").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let (folder, ..) = filled();
        damage(&folder.path().join("sled"));
        assert_wiped_and_usable(&folder, name);
    }
}

#[test]
fn flipped_bytes_of_the_database_never_show() {
    let (folder, database, marker) = filled();
    let sound = (fs::read(&database).unwrap(), fs::read(&marker).unwrap());
    let configuration = fs::read(folder.path().join("sled/conf")).unwrap();
    let used = sound.0.iter().rposition(|byte| *byte != 0).unwrap();
    let expected = entries(&Cache::open(folder.path()).unwrap(), "");
    let mut wiped = 0;
    for byte in (0..=used).step_by(used / 60 + 1) {
        let _ = fs::remove_dir_all(folder.path().join("sled"));
        fs::create_dir(folder.path().join("sled")).unwrap();
        fs::write(folder.path().join("sled/conf"), &configuration).unwrap();
        fs::write(&database, &sound.0).unwrap();
        fs::write(&marker, &sound.1).unwrap();
        let file = fs::File::options().write(true).open(&database).unwrap();
        file.write_all_at(&[sound.0[byte] ^ 0x04], byte as u64).unwrap();
        drop(file);
        let cache = Cache::open(folder.path()).unwrap();
        let found = entries(&cache, "");
        match cache.origin() {
            CacheOrigin::Kept => assert_eq!(found, expected, "byte {byte}"),
            _ => wiped += usize::from(found.is_empty()),
        }
    }
    assert!(wiped > 10, "flips reached the database: {wiped} wipes");
}

#[test]
fn a_handle_that_is_still_closing_does_not_cost_the_cache() {
    let (folder, _, _) = filled();
    let closing = Database::open_sound(folder.path(), 3).expect("three batches were written");
    let closes = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(closing);
    });
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(*cache.origin(), CacheOrigin::Kept);
    assert_eq!(entries(&cache, "").len(), 3);
    closes.join().unwrap();
}
