//! The dependency map, and what pure crates must not touch.

use std::collections::BTreeSet;
use std::fs;

use crate::sources::{root, rust_files};

/// Which of our crates each crate may use.
const MAP: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("fs", &[]),
    ("stream", &["types"]),
    ("cluster", &["types"]),
    ("router", &["types", "cluster"]),
    ("protocol", &["types", "stream"]),
    ("acl", &["stream", "cluster", "protocol"]),
    ("wire", &["types", "stream", "cluster"]),
    ("raft-log", &["types", "fs"]),
    ("store", &["types", "fs"]),
    ("raft", &["types", "fs", "stream", "cluster", "wire", "raft-log", "store"]),
    (
        "server",
        &[
            "types", "fs", "stream", "cluster", "router", "protocol", "acl", "wire", "raft-log", "store",
            "raft", "bench",
        ],
    ),
    ("bench", &[]),
    ("oracle", &["types"]),
    ("xtask", &[]),
];

/// The crates whose code must give the same result on every replica, and all they may depend on. Of jiff there is the
/// calendar only: without default features it knows no clock, no file and no time zone.
const PURE: &[(&str, &[&str])] = &[
    ("types", &["bytes", "crc", "jiff", "thiserror"]),
    ("stream", &["bytes", "thiserror"]),
    ("cluster", &["bytes", "crc", "thiserror"]),
    ("router", &["thiserror"]),
    ("protocol", &["bytes", "itoa", "thiserror"]),
    ("acl", &["bytes", "sha2", "thiserror"]),
];

/// What a pure crate's code must not contain, tests aside.
const BANNED_CALLS: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "std::fs",
    "std::env",
    "std::net",
    "std::thread",
    "std::process",
    "HashMap",
    "HashSet",
    "RandomState",
    "rand::",
    "tokio",
    "println!",
    "eprintln!",
    "f32::",
    "unsafe {",
];

fn dependencies(crate_name: &str, section: &str) -> BTreeSet<String> {
    let path = root().join("crates").join(crate_name).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let manifest: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn every_crate_is_in_the_map() {
    let listed: BTreeSet<String> = MAP.iter().map(|(name, _)| (*name).to_owned()).collect();
    let present: BTreeSet<String> = fs::read_dir(root().join("crates"))
        .expect("crates/ is there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, present);
}

#[test]
fn dependencies_follow_the_map() {
    for (name, allowed) in MAP {
        let ours: BTreeSet<String> = dependencies(name, "dependencies")
            .into_iter()
            .filter_map(|dependency| dependency.strip_prefix("rivermark-").map(str::to_owned))
            .collect();
        let excess: Vec<_> =
            ours.iter().filter(|dependency| !allowed.contains(&dependency.as_str())).collect();
        assert!(excess.is_empty(), "{name} must not use {excess:?}: see the map in docs/architecture.md");
    }
}

#[test]
fn pure_crates_use_only_what_is_listed() {
    for (name, allowed) in PURE {
        let excess: Vec<_> = dependencies(name, "dependencies")
            .into_iter()
            .filter(|d| !d.starts_with("rivermark-") && !allowed.contains(&d.as_str()))
            .collect();
        assert!(excess.is_empty(), "{name} is pure and must not use {excess:?}");
    }
}

#[test]
fn pure_crates_touch_nothing_outside() {
    let mut found = Vec::new();
    for (name, _) in PURE {
        for source in rust_files(&format!("crates/{name}/src")).iter().filter(|source| !source.is_test()) {
            for (number, line) in source.without_tests().lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(call) = BANNED_CALLS.iter().find(|call| code.contains(**call)) {
                    found.push(format!("{}:{}: {call}", source.path, number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "pure crates touch what they must not:\n{}", found.join("\n"));
}
