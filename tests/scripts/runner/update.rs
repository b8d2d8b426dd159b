//! `UPDATE_SCRIPTS=1`: writes into a script the replies that came, where they are not those written, for
//! somebody to read before they are kept. The redis-server is asked where it can judge, else the cluster.

use std::fs;

use anyhow::Result;
use rivermark_tests::Reply;

use crate::expected::{Expected, MapKind, Pattern, Rest, SequenceKind};
use crate::matching::{Protocol, is_generated_id, is_near};
use crate::run::{Got, run};
use crate::script::{Outcome, Script, Section, Step};
use crate::target::{Servers, Target};

/// Rewrites a script where replies differ.
///
/// # Errors
/// A server does not answer, or the file cannot be written.
pub fn update(script: &Script, servers: &Servers) -> Result<()> {
    let mut lines = script.lines.clone();
    for section in script.sections.iter().rev() {
        let target = if section.scope.holds_on_judge() { Target::Redis } else { Target::OneNode };
        let protocols = section.scope.protocols();
        let met: Vec<Vec<Got>> = protocols
            .iter()
            .map(|protocol| run(section, target, servers.ports(target), *protocol))
            .collect::<Result<_>>()?;
        for (index, step) in section.steps.iter().enumerate().rev() {
            let got: Vec<&Got> = met.iter().map(|met| &met[index]).collect();
            if let Some(text) = rewritten(section, step, &got) {
                lines.splice(step.outcome_lines.clone(), text.lines().map(str::to_owned));
            }
        }
    }
    fs::write(&script.path, lines.join("\n") + "\n")?;
    Ok(())
}

/// The reply to write in the place of what is there; `None` if that holds.
fn rewritten(section: &Section, step: &Step, got: &[&Got]) -> Option<String> {
    if got.iter().all(|got| matches!(got, Got::Expected)) {
        return None;
    }
    match got {
        [Got::Closed, ..] => Some("(closed)".to_owned()),
        [Got::Reply(one)] => merge(one, one).map(|expected| expected.show()),
        [Got::Reply(two), Got::Reply(three)] => Some(match merge(two, three) {
            Some(expected) => expected.show(),
            None => format!("@resp2 {}\n@resp3 {}", exactly(two), exactly(three)),
        }),
        _ if matches!(step.outcome, Outcome::Waits) => None,
        _ => {
            eprintln!("{}, line {}: not rewritten: {got:?}", section.title, step.line);
            None
        }
    }
}

fn exactly(reply: &Reply) -> String {
    merge(reply, reply).map(|expected| expected.show()).unwrap_or_default()
}

/// One notation for the replies of both protocols.
fn merge(two: &Reply, three: &Reply) -> Option<Expected> {
    Some(match (two, three) {
        (Reply::Simple(two), Reply::Simple(three)) if two == three => Expected::Simple(two.clone()),
        (Reply::Error(two), Reply::Error(three)) if two == three => {
            Expected::Error(two.trim_end().to_owned())
        }
        (Reply::Integer(two), Reply::Boolean(three)) if *two == i64::from(*three) => {
            Expected::Boolean(*three)
        }
        (Reply::Boolean(value), Reply::Boolean(_)) => Expected::Boolean(*value),
        (Reply::Bulk(_), Reply::Double(text)) | (Reply::Double(text), Reply::Double(_)) => {
            Expected::Double(text.clone())
        }
        (Reply::Integer(two), Reply::Integer(three)) => integer(*two, *three),
        (Reply::Bulk(two), Reply::Bulk(three)) => bulk(two, three),
        (Reply::NilBulk, Reply::Null | Reply::NilBulk) | (Reply::Null, Reply::Null) => Expected::Nil,
        (Reply::NilArray, Reply::Null | Reply::NilArray) => Expected::NilArray,
        (Reply::Array(two), Reply::Array(three)) => sequence(SequenceKind::Array, two, three)?,
        (Reply::Array(two) | Reply::Set(two), Reply::Set(three)) => sequence(SequenceKind::Set, two, three)?,
        (Reply::Array(two) | Reply::Push(two), Reply::Push(three)) => {
            sequence(SequenceKind::Push, two, three)?
        }
        (Reply::Map(pairs), Reply::Map(_)) => {
            let both = pairs.iter().map(|(name, value)| Some((merge(name, name)?, merge(value, value)?)));
            Expected::Map(MapKind::Flat, both.collect::<Option<_>>()?, Rest::None)
        }
        (Reply::Array(two), Reply::Map(three)) => map(two, three)?,
        _ => return None,
    })
}

fn integer(two: i64, three: i64) -> Expected {
    let pattern = match (is_near(two) && is_near(three), near_seconds(two) && near_seconds(three)) {
        (true, _) => Pattern::UnixMs,
        (_, true) => Pattern::UnixSeconds,
        _ if two == three => return Expected::Integer(two),
        _ => Pattern::Integer,
    };
    Expected::Pattern(pattern, None)
}

fn near_seconds(value: i64) -> bool {
    value.checked_mul(1000).is_some_and(is_near)
}

fn bulk(two: &[u8], three: &[u8]) -> Expected {
    if is_generated_id(two) && is_generated_id(three) {
        return Expected::Pattern(Pattern::Id, None);
    }
    match two == three {
        true => Expected::Bulk(two.to_vec()),
        false => Expected::Pattern(Pattern::Text, None),
    }
}

fn sequence(kind: SequenceKind, two: &[Reply], three: &[Reply]) -> Option<Expected> {
    let items = || two.iter().zip(three).map(|(two, three)| merge(two, three)).collect::<Option<_>>();
    (two.len() == three.len()).then(items)?.map(|items| Expected::Sequence(kind, items, Rest::None))
}

fn map(two: &[Reply], three: &[(Reply, Reply)]) -> Option<Expected> {
    let pair = |name: &Reply, value: &Reply, (name3, value3): &(Reply, Reply)| {
        Some((merge(name, name3)?, merge(value, value3)?))
    };
    if two.len() == three.len() * 2 && !two.is_empty() || three.is_empty() {
        let pairs = two.chunks(2).zip(three).map(|(two, three)| pair(&two[0], &two[1], three));
        return Some(Expected::Map(MapKind::Flat, pairs.collect::<Option<_>>()?, Rest::None));
    }
    let pairs = two.iter().zip(three).map(|(two, three)| match two.items() {
        [name, value] => pair(name, value, three),
        _ => None,
    });
    let pairs = (two.len() == three.len()).then(|| pairs.collect::<Option<_>>()).flatten()?;
    Some(Expected::Map(MapKind::Pairs, pairs, Rest::None))
}

/// A reply as a failure shows it.
pub fn shown(reply: &Reply) -> String {
    exactly(reply)
}

impl crate::script::Scope {
    /// The protocols to run in.
    pub fn protocols(&self) -> Vec<Protocol> {
        self.protocol.map_or_else(|| vec![Protocol::Resp2, Protocol::Resp3], |protocol| vec![protocol])
    }
}
