//! A long history is checked in a time one can wait for.

use std::time::{Duration, Instant};

use rivermark_oracle::builder::{HistoryBuilder, added, entries, xadd, xlen, xrange_all};
use rivermark_oracle::{Operation, Reply, Verdict, check};
use rivermark_types::EntryId;

use crate::generator::{Generated, generate};
use crate::profile::Profile;

fn checked_within(profile: Profile, limit: Duration) {
    let Generated { history, observation } = generate(1, profile);
    let begun = Instant::now();
    let report = check(&history, Some(&observation)).expect("a valid history");
    let elapsed = begun.elapsed();
    println!("{} events in {elapsed:?}", history.events.len());
    assert!(report.verdict != Verdict::Violated, "{report}");
    assert!(elapsed < limit, "{} events took {elapsed:?}", history.events.len());
}

#[test]
fn growing_streams() {
    let profile = Profile { operations: 20_000, clients: 16, unknowns: 1, counts: 100, ..Profile::TAILS };
    checked_within(profile, Duration::from_secs(20));
}

#[test]
fn groups() {
    let profile = Profile { operations: 10_000, clients: 16, unknowns: 1, counts: 100, ..Profile::GROUPS };
    checked_within(profile, Duration::from_secs(20));
}

#[test]
fn removals() {
    let profile = Profile { operations: 5_000, clients: 8, unknowns: 0, counts: 100, ..Profile::REMOVALS };
    checked_within(profile, Duration::from_secs(20));
}

/// Removals of unknown outcome, each of which may happen at any later time, are what the search is
/// exponential in. It gives up in bounded time and says so.
#[test]
fn too_many_unknown_removals_are_undecided() {
    let mut builder = HistoryBuilder::new();
    for number in 1..=40 {
        builder.run(1, xadd("s", &format!("p{number}")), added(number));
    }
    for number in 1..=40 {
        let ids = vec![EntryId::new(number, 0)];
        builder.invoke(100 + number, Operation::Xdel { key: "s".to_owned(), ids }).unknown(100 + number);
    }
    builder.run(1, xlen("s"), Reply::Count { count: 20 });
    builder.run(1, xrange_all("s"), entries(&[]));
    builder.run(1, xlen("s"), Reply::Count { count: 1 });
    let begun = Instant::now();
    let report = check(&builder.build(), None).expect("a valid history");
    assert_eq!(report.verdict, Verdict::Undecided, "{report}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
