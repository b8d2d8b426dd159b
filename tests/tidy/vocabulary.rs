//! One meaning per word: docs/vocabulary.md.

use crate::sources::rust_files;

/// A word that must not name a thing, where it may stand all the same, and what to say instead.
struct Banned {
    word: &'static str,
    instead: &'static str,
    allowed_in: &'static [&'static str],
}

const BANNED: &[Banned] = &[
    Banned { word: "partition", instead: "shard", allowed_in: &["chaos/", "crates/fs/", "crates/oracle/"] },
    Banned {
        word: "slave",
        instead: "follower",
        allowed_in: &["crates/protocol/", "crates/server/", "crates/router/", "tests/"],
    },
    Banned {
        word: "master",
        instead: "leader",
        allowed_in: &["crates/protocol/", "crates/server/", "crates/router/", "tests/"],
    },
    Banned { word: "utils", instead: "the behaviour's name", allowed_in: &[] },
];

#[test]
fn words_have_one_meaning() {
    let mut found = Vec::new();
    for source in rust_files("crates").into_iter().chain(rust_files("chaos")) {
        for banned in BANNED {
            if banned.allowed_in.iter().any(|prefix| source.path.starts_with(prefix)) {
                continue;
            }
            for (number, line) in source.text.lines().enumerate() {
                if names(line).any(|name| name == banned.word) {
                    found.push(format!(
                        "{}:{}: say {} for {}",
                        source.path,
                        number + 1,
                        banned.instead,
                        banned.word
                    ));
                }
            }
        }
    }
    assert!(found.is_empty(), "docs/vocabulary.md:\n{}", found.join("\n"));
}

/// The words of a line, identifiers split at underscores, in lower case. Standard library calls such as
/// `partition_point` are methods of slices, not names of ours.
fn names(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !matches!(*word, "partition_point" | "partition"))
        .flat_map(|word| word.split('_'))
        .map(str::to_lowercase)
}

#[test]
fn file_names_say_what_is_inside() {
    for source in rust_files("crates") {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        let catch_all = ["util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "manager.rs"];
        assert!(!catch_all.contains(&name), "{}: name the behaviour", source.path);
    }
}
