//! Whether a reply is the one expected.

use rivermark_tests::Reply;

use crate::expected::{Expected, MapKind, Pattern, Rest, SequenceKind};
use crate::variables::{Variables, unix_ms};

/// The protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    Resp2,
    /// RESP3.
    Resp3,
}

impl Protocol {
    /// The argument of HELLO.
    pub fn number(self) -> &'static str {
        match self {
            Self::Resp2 => "2",
            Self::Resp3 => "3",
        }
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Compares, and captures what the expectation names. Captures of an attempt that failed may remain.
pub fn matches(expected: &Expected, reply: &Reply, protocol: Protocol, variables: &mut Variables) -> bool {
    let resp3 = protocol == Protocol::Resp3;
    match (expected, reply) {
        (Expected::Simple(text), Reply::Simple(got)) => text == got,
        (Expected::Error(text), Reply::Error(got)) => text == got.trim_end(),
        (Expected::ErrorLike(regex), Reply::Error(got)) => regex.is_match(got),
        (Expected::Integer(value), Reply::Integer(got)) => value == got,
        (Expected::Bulk(bytes), Reply::Bulk(got)) => bytes == got,
        (Expected::TextLike(regex), got) => got.text().is_some_and(|text| regex.is_match(&text)),
        (Expected::Nil | Expected::NilArray, Reply::Null) => resp3,
        (Expected::Nil, Reply::NilBulk) | (Expected::NilArray, Reply::NilArray) => !resp3,
        (Expected::Boolean(value), Reply::Boolean(got)) => resp3 && value == got,
        (Expected::Boolean(value), Reply::Integer(got)) => !resp3 && i64::from(*value) == *got,
        (Expected::Double(text), Reply::Double(got)) => resp3 && text == got,
        (Expected::Double(text), Reply::Bulk(got)) => !resp3 && text.as_bytes() == got,
        (Expected::Sequence(kind, items, rest), _) => {
            sequence(*kind, reply, resp3).is_some_and(|got| match kind {
                SequenceKind::Array | SequenceKind::Push => in_order(items, got, *rest, protocol, variables),
                SequenceKind::Set | SequenceKind::AnyOrder => {
                    in_any_order(items, got, *rest, protocol, variables)
                }
            })
        }
        (Expected::Map(kind, pairs, rest), _) => {
            entries(*kind, reply, resp3).is_some_and(|got| map(pairs, &got, *rest, protocol, variables))
        }
        (Expected::Pattern(pattern, name), _) => {
            let holds = pattern_holds(pattern, reply);
            if let (true, Some(name), Some(value)) = (holds, name, scalar(reply)) {
                variables.set(name, value);
            }
            holds
        }
        (Expected::Variable(expression), _) => {
            let value = variables.evaluate(expression).ok();
            value.is_some() && scalar(reply) == value
        }
        _ => false,
    }
}

/// An id whose milliseconds are of this age.
pub fn is_generated_id(bytes: &[u8]) -> bool {
    let parts = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once('-'));
    parts.is_some_and(|(ms, seq)| {
        seq.parse::<u64>().is_ok() && ms.parse().is_ok_and(|ms: i64| ms.abs_diff(unix_ms()) < HOUR_MS as u64)
    })
}

/// Whether an integer is a time in milliseconds near now.
pub fn is_near(value: i64) -> bool {
    value.abs_diff(unix_ms()) < HOUR_MS as u64
}

fn scalar(reply: &Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Integer(value) => Some(value.to_string().into_bytes()),
        Reply::Bulk(bytes) => Some(bytes.clone()),
        other => other.text().map(String::into_bytes),
    }
}

fn pattern_holds(pattern: &Pattern, reply: &Reply) -> bool {
    match (pattern, reply) {
        (Pattern::Any, _) | (Pattern::Integer, Reply::Integer(_)) => true,
        (Pattern::Text, _) => reply.text().is_some(),
        (Pattern::Id, Reply::Bulk(bytes)) => is_generated_id(bytes),
        (Pattern::Range(low, high), Reply::Integer(value)) => (low..=high).contains(&value),
        (Pattern::UnixMs, Reply::Integer(value)) => is_near(*value),
        (Pattern::UnixSeconds, Reply::Integer(value)) => value.checked_mul(1000).is_some_and(is_near),
        _ => false,
    }
}

fn sequence(kind: SequenceKind, reply: &Reply, resp3: bool) -> Option<&[Reply]> {
    match (kind, reply) {
        (SequenceKind::Array | SequenceKind::AnyOrder, Reply::Array(items)) => Some(items),
        (SequenceKind::Set | SequenceKind::Push, Reply::Array(items)) => (!resp3).then_some(items),
        (SequenceKind::Set, Reply::Set(items)) | (SequenceKind::Push, Reply::Push(items)) => {
            resp3.then_some(items)
        }
        _ => None,
    }
}

/// The pairs of a reply that is to be a map.
fn entries(kind: MapKind, reply: &Reply, resp3: bool) -> Option<Vec<(Reply, Reply)>> {
    match (reply, kind) {
        (Reply::Map(pairs), _) => resp3.then(|| pairs.clone()),
        (Reply::Array(_), _) if resp3 => None,
        (Reply::Array(items), MapKind::Flat) => {
            let pairs = items.chunks_exact(2);
            let whole = pairs.remainder().is_empty();
            whole.then(|| pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        (Reply::Array(items), MapKind::Pairs) => items
            .iter()
            .map(|item| match item {
                Reply::Array(pair) if pair.len() == 2 => Some((pair[0].clone(), pair[1].clone())),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn in_order(items: &[Expected], got: &[Reply], rest: Rest, protocol: Protocol, vars: &mut Variables) -> bool {
    let long_enough = if rest == Rest::Any { got.len() >= items.len() } else { got.len() == items.len() };
    long_enough && items.iter().zip(got).all(|(item, got)| matches(item, got, protocol, vars))
}

/// Each expected item takes the first that matches of those left; patterns are to come last.
fn in_any_order(
    items: &[Expected],
    got: &[Reply],
    rest: Rest,
    protocol: Protocol,
    variables: &mut Variables,
) -> bool {
    let mut left: Vec<&Reply> = got.iter().collect();
    for item in items {
        let Some(place) = left.iter().position(|reply| matches(item, reply, protocol, variables)) else {
            return false;
        };
        left.remove(place);
    }
    left.is_empty() || rest == Rest::Any
}

fn map(
    pairs: &[(Expected, Expected)],
    got: &[(Reply, Reply)],
    rest: Rest,
    protocol: Protocol,
    variables: &mut Variables,
) -> bool {
    let mut same = |expected: &(Expected, Expected), got: &(Reply, Reply)| {
        matches(&expected.0, &got.0, protocol, variables) && matches(&expected.1, &got.1, protocol, variables)
    };
    match rest {
        Rest::None => pairs.len() == got.len() && pairs.iter().zip(got).all(|(e, g)| same(e, g)),
        Rest::Any => pairs.iter().all(|expected| got.iter().any(|got| same(expected, got))),
    }
}
