//! Files and functions stay readable.

use crate::sources::{Source, rust_files};

const FILE_LINES_MAX: usize = 700;
/// Without its tests a file longer than this needs a reason here.
const FILE_LINES_SMELL: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may be longer, with the reason. The list only shrinks.
const LONG_FILES: &[(&str, &str)] = &[];

fn sources() -> Vec<Source> {
    let mut sources = rust_files("crates");
    sources.extend(rust_files("tests"));
    sources.extend(rust_files("chaos"));
    sources
}

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for source in sources() {
        let (all, own) = (source.text.lines().count(), source.without_tests().lines().count());
        let excused = source.is_test() || LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if all > FILE_LINES_MAX || (own > FILE_LINES_SMELL && !excused) {
            found.push(format!("{}: {all} lines, {own} without tests", source.path));
        }
    }
    assert!(found.is_empty(), "too long:\n{}", found.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for source in sources() {
        for (line, name, length) in functions(&source.text) {
            if length > FUNCTION_LINES_MAX {
                found.push(format!("{}:{line}: {name} has {length} lines", source.path));
            }
        }
    }
    assert!(found.is_empty(), "too long:\n{}", found.join("\n"));
}

/// Start line, name and length of each function, by the indentation rustfmt gives its closing brace.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indentation}}}");
        if let Some(length) = lines[start..].iter().position(|l| *l == closing) {
            found.push((start + 1, name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.trim_start().split(' ');
    while let Some(word) = words.next() {
        match word {
            "fn" => return words.next().map(|rest| rest.split(['(', '<']).next().unwrap_or(rest).to_owned()),
            "pub" | "pub(crate)" | "pub(super)" | "async" | "const" => {}
            _ => return None,
        }
    }
    None
}

#[test]
fn module_maps_hold_no_code() {
    let mut found = Vec::new();
    for source in sources() {
        if source.path.ends_with("/mod.rs") && !functions(&source.text).is_empty() {
            found.push(source.path);
        }
    }
    assert!(found.is_empty(), "mod.rs is a map, not a place for code:\n{}", found.join("\n"));
}
