//! A script file: sections of steps. README.md beside the scripts is the description for authors.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::expected::Expected;
use crate::matching::Protocol;
use crate::parse::{skip_blanks, word};
use crate::words::{Word, split};

/// One file.
#[derive(Debug)]
pub struct Script {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text, as lines.
    pub lines: Vec<String>,
    /// Its sections. Each begins on an empty server.
    pub sections: Vec<Section>,
}

/// A story of its own.
#[derive(Debug)]
pub struct Section {
    /// What it shows.
    pub title: String,
    /// Where, and since when, it holds.
    pub scope: Scope,
    /// In order.
    pub steps: Vec<Step>,
}

/// Where a script or section holds.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The first version of Redis of which it is true; `None` if it is true of Rivermark only.
    pub since: Option<Version>,
    /// The protocol its connections speak, if it is about one.
    pub protocol: Option<Protocol>,
    /// Whether it is about one node, so that its commands must not go to several.
    pub one_node: bool,
}

/// A version of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// Something done, and what comes of it.
#[derive(Debug)]
pub struct Step {
    /// The line of the command, from 1.
    pub line: usize,
    /// The name of the connection; empty for the one without a name.
    pub connection: String,
    /// What is done.
    pub action: Action,
    /// What is to come.
    pub outcome: Outcome,
    /// The lines of the reply in the file, from 0.
    pub outcome_lines: Range<usize>,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// `> …`: sends a command.
    Send(Vec<Word>),
    /// `until> …`: sends a command again and again until the reply is the one expected.
    SendUntil(Vec<Word>),
    /// `name<`: reads the reply of a command sent before.
    Read,
}

/// What a step is to meet.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is written yet.
    Unwritten,
    /// `(waits)`: the server holds the connection back.
    Waits,
    /// `(no reply)`: there will be none.
    NoReply,
    /// `(closed)`: the server closes the connection.
    Closed,
    /// A reply, perhaps with others that hold in some place only.
    Reply(Vec<Alternative>),
}

/// A reply and where it holds.
#[derive(Debug)]
pub struct Alternative {
    /// Where; `None` wherever no other holds.
    pub only: Option<Place>,
    /// The reply.
    pub expected: Expected,
}

/// Where an alternative holds: `@7.0`, `@resp2`, `@resp3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the redis-server that judges.
    Redis,
    /// In one protocol.
    Protocol(Protocol),
}

/// The version of redis-server that judges.
pub const JUDGE: Version = Version(7, 0);

impl Scope {
    /// Whether the redis-server can judge.
    pub fn holds_on_judge(&self) -> bool {
        self.since.is_some_and(|since| since <= JUDGE)
    }
}

impl Script {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a line is not the notation; the error names the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut parser = Parser { scope: None, sections: Vec::new() };
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut at = 0;
        while at < lines.len() {
            at += parser.line(&lines, at).with_context(|| format!("{}:{}", path.display(), at + 1))?;
        }
        ensure!(!parser.sections.is_empty(), "{}: no section", path.display());
        Ok(Self { path: path.to_owned(), lines, sections: parser.sections })
    }
}

struct Parser {
    /// Of the file's head.
    scope: Option<Scope>,
    sections: Vec<Section>,
}

impl Parser {
    /// Parses what begins at a line; how many lines it takes.
    fn line(&mut self, lines: &[String], at: usize) -> Result<usize> {
        let line = lines[at].trim_end();
        if line.is_empty() || line.starts_with('#') {
            return Ok(1);
        }
        if let Some(title) = line.strip_prefix("== ") {
            let scope = self.scope.clone().context("the file must say since which Redis it holds")?;
            self.sections.push(Section { title: title.to_owned(), scope, steps: Vec::new() });
            return Ok(1);
        }
        let Some((connection, action)) = action(line)? else {
            self.header(line)?;
            return Ok(1);
        };
        let section = self.sections.last_mut().context("a section must begin before the first command")?;
        let first = at + 1;
        let count = lines[first..].iter().take_while(|line| !begins_anew(line)).count();
        let outcome_lines = first..first + count;
        let outcome = outcome(&lines[outcome_lines.clone()])?;
        section.steps.push(Step { line: at + 1, connection, action, outcome, outcome_lines });
        Ok(1 + count)
    }

    fn header(&mut self, line: &str) -> Result<()> {
        let scope = match self.sections.last_mut() {
            Some(section) if section.steps.is_empty() => &mut section.scope,
            Some(_) => bail!("neither a command nor the beginning of a section: {line}"),
            None => self.scope.get_or_insert(Scope { since: None, protocol: None, one_node: false }),
        };
        match line {
            "rivermark only" => scope.since = None,
            "one node" => scope.one_node = true,
            "protocol 2" => scope.protocol = Some(Protocol::Resp2),
            "protocol 3" => scope.protocol = Some(Protocol::Resp3),
            _ => {
                let version =
                    line.strip_prefix("since ").with_context(|| format!("{line:?} says nothing"))?;
                let (major, minor) = version.split_once('.').context("a version is two numbers")?;
                scope.since = Some(Version(major.parse()?, minor.parse()?));
            }
        }
        Ok(())
    }
}

fn begins_anew(line: &str) -> bool {
    line.trim_end().is_empty()
        || line.starts_with('#')
        || line.starts_with("== ")
        || action(line.trim_end()).is_ok_and(|action| action.is_some())
}

/// The connection and the action of a line that is one.
fn action(line: &str) -> Result<Option<(String, Action)>> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if let Some(name) = line.strip_suffix('<').filter(|name| !name.is_empty() && is_name(name)) {
        return Ok(Some((name.to_owned(), Action::Read)));
    }
    let Some((prompt, command)) = line.split_once("> ") else { return Ok(None) };
    let (prompt, until) = match prompt.strip_prefix("until") {
        Some(prompt) => (prompt.trim_start(), true),
        None => (prompt, false),
    };
    if !is_name(prompt) {
        return Ok(None);
    }
    let words = split(command)?;
    let action = if until { Action::SendUntil(words) } else { Action::Send(words) };
    Ok(Some((prompt.to_owned(), action)))
}

fn outcome(lines: &[String]) -> Result<Outcome> {
    match lines {
        [] => return Ok(Outcome::Unwritten),
        [line] => match line.trim_end() {
            "(waits)" => return Ok(Outcome::Waits),
            "(no reply)" => return Ok(Outcome::NoReply),
            "(closed)" => return Ok(Outcome::Closed),
            _ => {}
        },
        _ => {}
    }
    alternatives(&lines.join("\n")).map(Outcome::Reply)
}

fn alternatives(text: &str) -> Result<Vec<Alternative>> {
    let mut rest = text.chars().peekable();
    let mut found: Vec<Alternative> = Vec::new();
    while let Some(first) = skip_blanks(&mut rest) {
        let only = match first {
            '@' => Some(place(&word(&mut rest))?),
            _ => None,
        };
        ensure!(found.iter().all(|other| other.only != only), "two replies for the same place");
        found.push(Alternative { only, expected: Expected::take(&mut rest)? });
    }
    Ok(found)
}

fn place(label: &str) -> Result<Place> {
    Ok(match label {
        "@7.0" => Place::Redis,
        "@resp2" => Place::Protocol(Protocol::Resp2),
        "@resp3" => Place::Protocol(Protocol::Resp3),
        _ => bail!("{label} is no place"),
    })
}
