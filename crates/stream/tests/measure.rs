//! Figures, not checks: `cargo test --release -p rivermark-stream --test measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rivermark_stream::command::*;
use rivermark_stream::query::XRangeByScore;
use rivermark_stream::{Batch, BatchBuilder, Command, Fields, Machine, PartBuilder, Query};
use rivermark_types::{DatabaseIndex, Score, SessionId, StreamKey, UnixMillis};

const BATCH_COMMANDS: u64 = 256;
const ENTRIES: u64 = 1_000_000;

/// What the process holds, from the kernel.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Time this thread had a core.
fn busy() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

fn batches(streams: u64) -> impl Iterator<Item = Bytes> {
    let database = DatabaseIndex::new(0).expect("database 0 exists");
    let keys: Vec<StreamKey> =
        (0..streams).map(|n| StreamKey::new(database, Bytes::from(format!("stream:{n}")))).collect();
    let value = [b'v'; 100];
    let fields = Fields::from_pairs([(&b"data"[..], &value[..])]);
    (0..ENTRIES / BATCH_COMMANDS).map(move |batch| {
        let first = batch * BATCH_COMMANDS;
        let mut part = PartBuilder::new(SessionId::new(1), first + 1, first + 1);
        for n in first..first + BATCH_COMMANDS {
            part.push(&Command::XAdd(XAdd {
                key: keys[(n % streams) as usize].clone(),
                missing_key: MissingKey::Create,
                trim: None,
                id: NewEntryId::Auto,
                fields: fields.clone(),
            }));
        }
        let mut builder = BatchBuilder::new(UnixMillis::new(1_700_000_000_000 + batch));
        builder.push_part(&part.finish());
        builder.finish()
    })
}

fn measure(streams: u64) {
    let mut machine = Machine::new(Settings::default());
    let encoded: Vec<Bytes> = batches(streams).collect();
    let count = encoded.len() as u64 * BATCH_COMMANDS;
    let before = resident_bytes();
    let (start, start_busy) = (Instant::now(), busy());
    for batch in &encoded {
        let batch = Batch::decode(batch).expect("what was encoded decodes");
        machine.apply(&batch);
    }
    let rate = |spent: Duration| count as f64 / spent.as_secs_f64() / 1e6;
    let (elapsed, spent) = (start.elapsed(), busy().saturating_sub(start_busy));
    let resident = resident_bytes().saturating_sub(before);
    println!(
        "{streams} streams: {:.2} M XADD/s of one core, {:.2} by the clock; {:.1} bytes an entry resident, \
         {:.1} estimated",
        rate(spent),
        rate(elapsed),
        resident as f64 / count as f64,
        machine.memory_bytes() as f64 / count as f64,
    );
    let start = Instant::now();
    let snapshot = machine.snapshot();
    let taken = start.elapsed();
    let bytes: usize = snapshot.chunks().map(|chunk| chunk.len()).sum();
    println!("  snapshot taken in {taken:?}, {} MiB written in {:?}", bytes >> 20, start.elapsed());
}

fn asked(count: u64) -> Query {
    let key = StreamKey::new(DatabaseIndex::new(0).expect("database 0 exists"), Bytes::from("jobs"));
    let (field, start, end) = (Bytes::from("run_at"), Score::MIN, Score::MAX);
    Query::XRangeByScore(XRangeByScore { key, field, start, end, count: Some(count) })
}

/// Adds jobs whose times are no order of their ids.
fn add_jobs(machine: &mut Machine, time: &dyn Fn(u64) -> String) -> Duration {
    let Query::XRangeByScore(XRangeByScore { key, .. }) = asked(1) else { unreachable!("it makes one") };
    let mut spent = Duration::ZERO;
    for batch in 0..ENTRIES / BATCH_COMMANDS {
        let mut part = PartBuilder::new(SessionId::NONE, 0, 0);
        for n in 0..BATCH_COMMANDS {
            let scattered = (batch * BATCH_COMMANDS + n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30;
            let value = time(scattered);
            part.push(&Command::XAdd(XAdd {
                key: key.clone(),
                missing_key: MissingKey::Create,
                trim: None,
                id: NewEntryId::Auto,
                fields: Fields::from_pairs([(&b"run_at"[..], value.as_bytes()), (b"do", b"report")]),
            }));
        }
        let batch = Batch { stamp: UnixMillis::new(1_700_000_000_000), parts: vec![part.finish()] };
        let start = Instant::now();
        machine.apply(&batch);
        spent += start.elapsed();
    }
    spent
}

#[test]
#[ignore = "a measurement, for release builds"]
fn xrangebyscore_of_a_million_jobs() {
    let iso = |n: u64| {
        format!("2026-02-{:02}T{:02}:{:02}:{:02}.{:03}Z", n % 28 + 1, n % 24, n % 60, n % 59, n % 997)
    };
    for (name, time) in [("numbers", &(|n: u64| n.to_string()) as &dyn Fn(u64) -> String), ("times", &iso)] {
        let mut machine = Machine::new(Settings::default());
        let now = UnixMillis::new(0);
        let plain = add_jobs(&mut machine, time);
        let before = resident_bytes();
        let start = Instant::now();
        machine.query(now, &asked(10));
        let first = start.elapsed();
        let resident = resident_bytes().saturating_sub(before);
        let start = Instant::now();
        (0..1000).for_each(|_| drop(machine.query(now, &asked(10))));
        println!(
            "{name}: first read {first:?}, then {:?} each; {} MiB more",
            start.elapsed() / 1000,
            resident >> 20
        );
        let indexed = add_jobs(&mut machine, time);
        println!("  XADD of {ENTRIES}: {plain:?} without index, {indexed:?} with");
    }
}

#[test]
#[ignore = "a measurement, for release builds"]
fn xadd_of_one_field_of_100_bytes() {
    for streams in [1, 1000, 100_000] {
        measure(streams);
    }
}
