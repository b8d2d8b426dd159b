use super::*;
use proptest::prelude::*;
use rivermark_stream::{Query, RestoreError, SnapshotRestore};
use rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX;

fn busy() -> Machine {
    let mut machine =
        Machine::new(Settings { block_entries_max: 3, block_bytes_max: 0, ..Settings::default() });
    let commands: Vec<Command> = (0..10).map(|_| xadd("s")).collect();
    apply_parts(&mut machine, 10, vec![part(7, 1, 0, &commands)]);
    let more = [
        xgroup_create("s", GroupStart::After(EntryId::MIN)),
        xreadgroup("s", 4),
        Command::XDel(XDel { key: key("s"), ids: vec![EntryId::new(10, 1)] }),
        xadd("t"),
        expire_in("t", 1000),
    ];
    apply_parts(&mut machine, 20, vec![part(8, 1, 0, &more)]);
    machine
}

fn restore(bytes: &[u8]) -> Result<Machine, RestoreError> {
    let mut restore = SnapshotRestore::new();
    restore.push(bytes)?;
    restore.finish()
}

#[test]
fn a_restored_machine_goes_on_as_the_first_would() {
    let mut first = busy();
    let bytes: Vec<u8> = first.snapshot().chunks().flatten().collect();
    let mut second = restore(&bytes).expect("a whole snapshot restores");
    check(&second).expect("the invariants hold");
    assert_eq!(second.digest(), first.digest());
    let parts = vec![part(7, 10, 3, &[xadd("s"), xadd("s")]), part(8, 1, 0, &[xadd("t")])];
    let applied = apply_parts(&mut first, 5000, parts.clone());
    assert_eq!(apply_parts(&mut second, 5000, parts), applied);
    assert_eq!(second.digest(), first.digest());
    assert_ne!(busy().digest(), first.digest());
}

#[test]
fn apply_goes_on_while_a_snapshot_is_written() {
    let mut machine = busy();
    let snapshot = machine.snapshot();
    let before = machine.digest();
    apply(&mut machine, 30, &[xadd("s"), xreadgroup("s", 9), Command::Delete(vec![key("t")])]);
    let bytes: Vec<u8> = snapshot.chunks().flatten().collect();
    let restored = restore(&bytes).expect("a whole snapshot restores");
    assert_eq!((restored.digest(), snapshot.digest()), (before, before));
    assert_ne!(machine.digest(), before);
}

#[test]
fn chunks_are_bounded_whatever_a_value_takes() {
    let mut machine = Machine::new(Settings::default());
    let Command::XAdd(mut large) = xadd("s") else { unreachable!("xadd makes one") };
    large.fields = Fields::from_pairs([(&b"f"[..], &vec![7; 3 * SNAPSHOT_CHUNK_BYTES_MAX][..])]);
    apply(&mut machine, 1, &[Command::XAdd(large)]);
    let snapshot = machine.snapshot();
    let chunks: Vec<Vec<u8>> = snapshot.chunks().collect();
    assert_eq!(chunks.len(), 4);
    assert!(chunks.iter().all(|chunk| chunk.len() <= SNAPSHOT_CHUNK_BYTES_MAX));
    let mut restore = SnapshotRestore::new();
    chunks.iter().for_each(|chunk| restore.push(chunk).expect("a whole snapshot restores"));
    let restored = restore.finish().expect("a whole snapshot restores");
    assert_eq!(restored.query(at(1), &Query::XLen(key("s"))), Outcome::Integer(1));
}

#[test]
fn no_flipped_bit_and_no_missing_tail_passes() {
    let bytes: Vec<u8> = busy().snapshot().chunks().flatten().collect();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(restore(&damaged).is_err(), "bit {bit} flipped and nobody noticed");
    }
    for length in 0..bytes.len() {
        assert!(restore(&bytes[..length]).is_err(), "cut to {length} bytes and nobody noticed");
    }
    assert!(restore(&[bytes.clone(), vec![0]].concat()).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, splice in 0usize..200) {
        prop_assert!(restore(&bytes).is_err());
        let mut damaged: Vec<u8> = busy().snapshot().chunks().flatten().collect();
        let at = splice.min(damaged.len());
        let end = (at + bytes.len()).min(damaged.len());
        damaged.splice(at..end, bytes.iter().copied());
        let _ = restore(&damaged);
    }
}
