//! What the command table says of a request's keys is what its grammar takes for keys. Access rules are checked
//! against the one and the shards are asked for the other: a key they did not agree on could be reached without a right
//! to it.

use proptest::prelude::*;
use rivermark_protocol::commands::parsed::{ConnectionCommand, KeyspaceCommand};
use rivermark_protocol::commands::{CommandSpec, resolve, table};
use rivermark_protocol::{Parsed, Request};
use rivermark_stream::Query;
use rivermark_types::{DatabaseIndex, StreamKey};

/// The keys a parsed request touches.
fn touched(parsed: &Parsed) -> Vec<StreamKey> {
    match parsed {
        Parsed::Command(command) => command.keys().cloned().collect(),
        Parsed::Query(query) => query.keys().cloned().collect(),
        Parsed::Read(read) => Query::XRead(read.read.clone()).keys().cloned().collect(),
        Parsed::ReadGroup(read) => read.read.streams.iter().map(|(key, _)| key.clone()).collect(),
        Parsed::Keyspace(KeyspaceCommand::Encoding(key)) => vec![key.clone()],
        Parsed::Connection(ConnectionCommand::Watch(keys)) => keys.clone(),
        Parsed::Keyspace(_) | Parsed::Connection(_) | Parsed::Node(_) | Parsed::Reply(_) => Vec::new(),
    }
}

fn check(words: &[&str]) -> Result<bool, TestCaseError> {
    let request = Request::from_arguments(words);
    let Ok(spec) = resolve(&request) else { return Ok(false) };
    let Ok(parsed) = spec.parse(&request, DatabaseIndex::default()) else { return Ok(false) };
    let mut expected: Vec<&[u8]> = Vec::new();
    let keys = touched(&parsed);
    if !keys.is_empty() {
        let indexes =
            spec.keys_of(&request).map_err(|error| TestCaseError::fail(format!("{words:?}: {error}")))?;
        expected.extend(indexes.filter_map(|index| request.get(index)));
    }
    for key in &keys {
        prop_assert!(expected.contains(&&key.name()[..]), "{:?}: {:?} is no key by the table", words, key);
    }
    prop_assert!(expected.is_empty() || expected.len() >= keys.len(), "{:?}", words);
    Ok(!keys.is_empty())
}

const WORDS: &[&str] = &[
    "k", "l", "m", "streams", "STREAMS", "GROUP", "group", "COUNT", "count", "BLOCK", "NOACK", "CLAIM",
    "MAXCOUNT", "MAXSIZE", "MAXLEN", "MINID", "MKSTREAM", "IDS", "REPLACE", "DB", "NX", "FORCE", "JUSTID",
    "0", "1", "10", "1-1", "*", "$", ">", "+", "-", "~", "=", "LIMIT", "g", "c", "FULL", "f", "v",
];

fn every_command() -> Vec<&'static CommandSpec> {
    table::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)).collect()
}

/// A read with options in any order, their operands looking like keywords now and then.
fn read() -> impl Strategy<Value = Vec<&'static str>> {
    let option = prop_oneof![
        prop::sample::select(
            &[["COUNT", "1"], ["BLOCK", "0"], ["MAXCOUNT", "9"], ["MAXSIZE", "9"], ["CLAIM", "5"]][..]
        )
        .prop_map(|pair| pair.to_vec()),
        prop::sample::select(&["g", "streams", "STREAMS", "count"][..])
            .prop_flat_map(|group| (Just(group), prop::sample::select(&["c", "streams", "block"][..])))
            .prop_map(|(group, consumer)| vec!["GROUP", group, consumer]),
        Just(vec!["NOACK"]),
    ];
    let keys = prop::collection::vec(prop::sample::select(&["k", "l", "streams", "STREAMS", "0"][..]), 1..4);
    let name = prop::sample::select(&["XREAD", "XREADGROUP"][..]);
    (name, prop::collection::vec(option, 0..4), keys, prop::sample::select(&["0", ">", "1-1"][..])).prop_map(
        |(name, options, keys, id)| {
            let ids = vec![id; keys.len()];
            [vec![name], options.concat(), vec!["STREAMS"], keys, ids].concat()
        },
    )
}

#[test]
fn reads_of_streams_are_read_as_the_table_reads_them() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let accepted = std::cell::Cell::new(0);
    let result = runner.run(&read(), |words| {
        accepted.set(accepted.get() + u32::from(check(&words)?));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.get() > 300, "only {} requests were accepted: nothing was tested", accepted.get());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_words_are(
        spec in prop::sample::select(every_command()),
        words in prop::collection::vec(prop::sample::select(WORDS), 0..9),
    ) {
        let mut request: Vec<&str> = spec.name.split('|').collect();
        request.extend(words);
        check(&request)?;
    }
}
