//! `docs/commands.md` is the command table in words: written by `UPDATE_DOCS=1 cargo test -p rivermark-protocol`.

use std::fmt::Write;

use rivermark_protocol::commands::{CommandGroup, table};

const HEAD: &str = "# Commands

Every command there is, as `COMMAND DOCS` tells it. Grammar, replies and errors are those of the Redis command of
the same name; below each table stands where they differ, and `compatibility.md` has what concerns several commands.
*Since* is the version of Redis that introduced it.
Wherever an entry's id is read, a time may stand: `time.md` says how, and describes XRANGEBYSCORE, which is Rivermark's
own.
This file is generated from the command table.
";

fn document() -> String {
    let chapters = [
        (CommandGroup::Stream, "Streams"),
        (CommandGroup::Generic, "Keys"),
        (CommandGroup::Transactions, "Transactions"),
        (CommandGroup::Connection, "Connections"),
        (CommandGroup::Server, "The server"),
        (CommandGroup::Cluster, "The cluster"),
    ];
    let mut text = HEAD.to_owned();
    for (group, title) in chapters {
        let _ = write!(text, "\n## {title}\n\n| Command | Does | Costs | Since |\n|---|---|---|---|\n");
        let mut differing = Vec::new();
        for spec in table::all().filter(|spec| spec.group == group) {
            // A container is nothing by itself, unless it may stand alone as COMMAND does.
            let alone = spec.subcommands.is_empty() || spec.accepts_arity(1);
            let rows = alone.then_some(spec).into_iter().chain(spec.subcommands);
            for row in rows {
                let name = row.name.to_ascii_uppercase().replace('|', " ");
                let _ = writeln!(text, "| `{name}` | {} | {} | {} |", row.summary, row.complexity, row.since);
                if let Some((_, text)) = table::differences().find(|(name, _)| *name == row.name) {
                    differing.push(format!("| `{name}` | {text} |\n"));
                }
            }
        }
        if !differing.is_empty() {
            text.push_str("\n| Command | Differs from Redis, and why |\n|---|---|\n");
            text.extend(differing);
        }
    }
    text
}

#[test]
fn commands_are_documented_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document()).expect("docs are writable");
    }
    let found = std::fs::read_to_string(path).expect("docs/commands.md exists");
    assert!(found == document(), "docs/commands.md is stale: run with UPDATE_DOCS=1");
}

#[test]
fn what_differs_is_told_of_commands_there_are_and_once() {
    let names: Vec<&str> = table::differences().map(|(name, _)| name).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(table::find_full(name.as_bytes()).is_some_and(|spec| spec.name == *name), "{name}");
        assert!(!names[..index].contains(name), "{name} twice");
    }
}
