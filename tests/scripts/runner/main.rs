//! Scripts as specification: every folder beside this one holds what a command promises, as commands and
//! replies. They run against a cluster of three nodes, in RESP2 and RESP3, with all commands on one node and
//! with each on the next; and against a real redis-server where it is old enough to know. README.md there
//! explains the notation.
//!
//! `cargo test -p rivermark-tests --test scripts -- xadd` runs those whose name holds the word;
//! `UPDATE_SCRIPTS=1` before it writes the replies that came into the files.

mod expected;
mod matching;
mod notation_trials;
mod parse;
mod run;
mod script;
mod target;
mod update;
mod variables;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use similar::TextDiff;

use crate::matching::Protocol;
use crate::run::{Got, expectation};
use crate::script::{Outcome, Script, Section, Step};
use crate::target::{Servers, Target};

const EXTENSION: &str = "script";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Every script empties the servers it runs against.
    arguments.test_threads = Some(1);
    let servers = Servers::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let updates = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let trials = files(&folder).and_then(|files| {
        let trials = files.into_iter().map(|(name, path)| match updates {
            true => Ok(vec![update_of(&name, path, &servers)]),
            false => trials_of(&name, &path, &servers),
        });
        trials.collect::<Result<Vec<_>>>()
    });
    match trials {
        Ok(trials) => {
            let all = notation_trials::trials().into_iter().chain(trials.into_iter().flatten());
            libtest_mimic::run(&arguments, all.collect()).exit_code()
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The scripts, by `<command>/<name>`, in order.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for command in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let command = command?.path();
        if !command.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&command)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                let name = path.strip_prefix(folder)?.with_extension("");
                found.push((name.display().to_string(), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn update_of(name: &str, path: PathBuf, servers: &Servers) -> Trial {
    let servers = servers.clone();
    Trial::test(format!("{name} [update]"), move || {
        let script = Script::read(&path).map_err(failed)?;
        update::update(&script, &servers).map_err(failed)
    })
}

/// One trial for each place a script can run in.
fn trials_of(name: &str, path: &Path, servers: &Servers) -> Result<Vec<Trial>> {
    let script = Script::read(path)?;
    let mut trials = Vec::new();
    for target in [Target::Redis, Target::OneNode, Target::EveryNode] {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            if !script.sections.iter().any(|section| holds(section, target, protocol)) {
                continue;
            }
            let (path, servers) = (path.to_owned(), servers.clone());
            let name = format!("{name} [{target}, RESP{}]", protocol.number());
            trials.push(Trial::test(name, move || {
                let script = Script::read(&path).map_err(failed)?;
                check(&script, target, protocol, &servers)
            }));
        }
    }
    Ok(trials)
}

fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}

fn holds(section: &Section, target: Target, protocol: Protocol) -> bool {
    let scope = &section.scope;
    let in_place = match target {
        Target::Redis => scope.holds_on_judge(),
        Target::OneNode => true,
        Target::EveryNode => !scope.one_node,
    };
    in_place && scope.protocol.is_none_or(|only| only == protocol)
}

/// Runs a script in one place; the first failure of each section is told.
fn check(script: &Script, target: Target, protocol: Protocol, servers: &Servers) -> Result<(), Failed> {
    let mut failures = Vec::new();
    for section in script.sections.iter().filter(|section| holds(section, target, protocol)) {
        let met = run::run(section, target, servers.ports(target), protocol).map_err(failed)?;
        let failing = section.steps.iter().zip(&met).find(|(_, got)| !matches!(got, Got::Expected));
        if let Some((step, got)) = failing {
            failures.push(report(script, section, step, got, (target, protocol)));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n\n").into()) }
}

fn report(script: &Script, section: &Section, step: &Step, got: &Got, place: (Target, Protocol)) -> String {
    let path = script.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&script.path);
    let line = &script.lines[step.line - 1];
    let expected = match &step.outcome {
        Outcome::Unwritten => "nothing is written".to_owned(),
        Outcome::Waits => "(waits)".to_owned(),
        Outcome::NoReply => "(no reply)".to_owned(),
        Outcome::Closed => "(closed)".to_owned(),
        Outcome::Reply(alternatives) => expectation(alternatives, place.0, place.1)
            .map_or_else(|| "nothing is written for this place".to_owned(), expected::Expected::show),
    };
    let got = match got {
        Got::Reply(reply) => update::shown(reply),
        Got::Closed => "(closed)".to_owned(),
        Got::Trouble(text) => text.clone(),
        Got::Expected => String::new(),
    };
    let head = format!("tests/{}:{}: {}\n{line}", path.display(), step.line, section.title);
    if expected.contains('\n') && got.contains('\n') {
        let diff = TextDiff::from_lines(&expected, &got);
        return format!("{head}\n{}", diff.unified_diff().context_radius(3).header("expected", "got"));
    }
    format!("{head}\n  expected  {expected}\n  got       {got}")
}
