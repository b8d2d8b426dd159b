//! Every version of Redis, what it brought to streams, as scripts of commands and replies: `versions/*.txt`.
//!
//! A line `> COMMAND` is followed by its reply, or by `2:` and `3:` lines where RESP2 and RESP3 differ. A bulk
//! string stands as it is, an array as `[a b]`, a map as `{key: value, key: value}`, everything else behind its
//! mark; `?` stands for what is not known beforehand. Words of a command are separated by one space.

use std::fs;
use std::path::Path;

use rivermark_tests::{Cluster, Connection, Reply};

struct Step {
    line: usize,
    command: String,
    resp2: String,
    resp3: String,
}

#[test]
fn every_version_of_streams_is_answered_in_both_protocols() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/versions");
    let mut scripts: Vec<_> =
        fs::read_dir(folder).expect("the scripts").map(|file| file.expect("a file").path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 12, "{scripts:?}");
    let cluster = Cluster::start(3, 3);
    let mut failures = Vec::new();
    for path in scripts {
        let steps = steps_of(&fs::read_to_string(&path).expect("a script"));
        for (node, protocol) in [(0, "2"), (1, "3")] {
            let mut connection = cluster.connect(node);
            connection.command(&["HELLO", protocol]).expect("an answer");
            connection.command(&["FLUSHALL"]).expect("an answer");
            for step in &steps {
                let expected = if protocol == "2" { &step.resp2 } else { &step.resp3 };
                let said = answer(&mut connection, &step.command);
                if !matches(expected, &said) {
                    let (file, line, command) = (path.display(), step.line, &step.command);
                    failures
                        .push(format!("{file}:{line} in RESP{protocol}: {command}\n  {expected}\n  {said}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "expected and answered:\n{}", failures.join("\n"));
}

fn steps_of(script: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in script.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        if let Some(command) = line.strip_prefix("> ") {
            let (resp2, resp3) = Default::default();
            steps.push(Step { line: number + 1, command: command.to_owned(), resp2, resp3 });
            continue;
        }
        let step = steps.last_mut().expect("a script begins with a command");
        match (line.strip_prefix("2: "), line.strip_prefix("3: ")) {
            (Some(reply), _) => step.resp2 = reply.to_owned(),
            (_, Some(reply)) => step.resp3 = reply.to_owned(),
            _ => (step.resp2, step.resp3) = (line.to_owned(), line.to_owned()),
        }
    }
    steps
}

fn answer(connection: &mut Connection, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let mut said = String::new();
    show(&connection.command(&words).expect("an answer"), &mut said);
    said
}

fn show(reply: &Reply, out: &mut String) {
    match reply {
        Reply::Bulk(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Reply::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                show(item, out);
            }
            out.push(']');
        }
        Reply::Map(pairs) => {
            out.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                show(key, out);
                out.push_str(": ");
                show(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&format!("{other:?}")),
    }
}

/// Whether a reply is as expected; `?` is anything up to the end of a value.
fn matches(expected: &str, said: &str) -> bool {
    let mut rest = said;
    let mut parts = expected.split('?');
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        let end = rest.find([' ', ',', ']', '}']).unwrap_or(rest.len());
        let Some(after) = rest[end..].strip_prefix(part) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn a_question_mark_is_one_value() {
    for (expected, said, is_match) in [
        ("[a ? b]", "[a 17 b]", true),
        ("[a :?]", "[a :17]", true),
        ("?", "17-1", true),
        ("[a ? b]", "[a 1 7 b]", false),
        ("[a ?", "[a 1]", false),
        ("[a 1]", "[a 12]", false),
        ("{a: ?, b: :?}", "{a: 1, b: :2}", true),
    ] {
        assert_eq!(matches(expected, said), is_match, "{expected} {said}");
    }
}
