use std::path::Path;

use super::*;

const DIRECTORY: &str = "/data";
const PATH: &str = "/data/file";

fn lost() -> CrashOptions {
    CrashOptions { seed: 0, unsynced: Unsynced::Lost }
}

fn disk_with_file(bytes: &[u8]) -> (SimulatedFileSystem, Arc<dyn File>) {
    let fs = SimulatedFileSystem::new();
    fs.create_directory(Path::new(DIRECTORY)).unwrap();
    let file = fs.create(Path::new(PATH)).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    fs.sync_directory(Path::new(DIRECTORY)).unwrap();
    (fs, file)
}

#[test]
fn synced_bytes_survive_and_unsynced_ones_do_not() {
    let (fs, file) = disk_with_file(b"durable");
    file.write_all_at(b"DUR", 0).unwrap();
    assert_eq!(fs.file_bytes(Path::new(PATH)).unwrap(), b"DURable");
    let after = fs.crash(lost());
    assert_eq!(after.file_bytes(Path::new(PATH)).unwrap(), b"durable");
    assert!(file.sync_data().is_err(), "handles of the old disk fail");
    assert!(fs.list(Path::new(DIRECTORY)).is_err());
    let kept = disk_with_file(b"x").0.crash(CrashOptions { seed: 0, unsynced: Unsynced::Kept });
    assert_eq!(kept.file_bytes(Path::new(PATH)).unwrap(), b"x");
}

#[test]
fn names_need_their_folder_synced() {
    let (fs, _) = disk_with_file(b"a");
    let renamed = Path::new("/data/renamed");
    fs.rename(Path::new(PATH), renamed).unwrap();
    let created = fs.create(Path::new("/data/created")).unwrap();
    created.write_all_at(b"c", 0).unwrap();
    created.sync_data().unwrap();
    let after = fs.crash(lost());
    assert_eq!(after.list(Path::new(DIRECTORY)).unwrap(), [Path::new(PATH)]);
    after.rename(Path::new(PATH), renamed).unwrap();
    after.sync_directory(Path::new(DIRECTORY)).unwrap();
    assert_eq!(after.crash(lost()).list(Path::new(DIRECTORY)).unwrap(), [renamed]);
}

#[test]
fn crashes_tear_at_pages_and_repeat_by_seed() {
    let image = |seed| {
        let (fs, file) = disk_with_file(&[0u8; 32 * 1024]);
        file.write_all_at(&[1u8; 32 * 1024], 0).unwrap();
        fs.crash(CrashOptions::random(seed)).file_bytes(Path::new(PATH)).unwrap()
    };
    let mut torn = 0;
    for seed in 0..64 {
        let bytes = image(seed);
        assert_eq!(bytes, image(seed), "seed {seed}");
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|b| b == &sector[0])), "sectors are whole");
        torn += usize::from(bytes.contains(&0) && bytes.contains(&1));
    }
    assert!((8..56).contains(&torn), "{torn} of 64 torn");
}

#[test]
fn power_is_cut_at_the_chosen_operation() {
    let (fs, file) = disk_with_file(b"abcd");
    assert_eq!(fs.operations(), 4);
    fs.cut_power_at(6);
    file.write_all_at(b"1", 0).unwrap();
    assert!(file.write_all_at(b"2", 1).is_err());
    assert!(fs.is_powered_off());
    assert!(file.read_exact_at(&mut [0], 0).is_err());
    let both = fs.crash(CrashOptions { seed: 0, unsynced: Unsynced::Kept });
    assert_eq!(both.file_bytes(Path::new(PATH)).unwrap(), b"12cd", "the write at the cut was issued");
}

#[test]
fn a_failed_sync_loses_what_it_covered() {
    let (fs, file) = disk_with_file(b"abcd");
    fs.fail_next_syncs(1);
    file.write_all_at(b"X", 0).unwrap();
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    assert_eq!(fs.file_bytes(Path::new(PATH)).unwrap(), b"Xbcd");
    assert_eq!(fs.crash(lost()).file_bytes(Path::new(PATH)).unwrap(), b"abcd");
}

#[test]
fn faults_and_capacity() {
    let (fs, file) = disk_with_file(b"abcd");
    fs.set_capacity_bytes(Some(6));
    assert_eq!(fs.available_bytes(Path::new(DIRECTORY)).unwrap(), 2);
    assert_eq!(file.write_all_at(b"xyz", 4).unwrap_err().raw_os_error(), Some(28));
    file.write_all_at(b"xy", 4).unwrap();
    fs.fail_next_writes(1);
    assert!(file.write_all_at(b"z", 0).is_err());
    fs.fail_next_reads(1);
    assert!(file.read_exact_at(&mut [0], 0).is_err());
    file.read_exact_at(&mut [0], 0).unwrap();
    assert_eq!(file.read_exact_at(&mut [0; 9], 0).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn damage_is_durable_and_copies_are_independent() {
    let (fs, file) = disk_with_file(b"abcd");
    let copy = fs.copy();
    fs.flip_bit(Path::new(PATH), 8);
    fs.overwrite(Path::new(PATH), 2, b"Z");
    fs.truncate_file(Path::new(PATH), 3);
    assert_eq!(file.length().unwrap(), 3);
    assert_eq!(fs.crash(lost()).file_bytes(Path::new(PATH)).unwrap(), b"acZ");
    assert_eq!(copy.file_bytes(Path::new(PATH)).unwrap(), b"abcd");
}
