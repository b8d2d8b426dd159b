//! Parses the notation of replies.

use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::expected::{Expected, MapKind, Pattern, Rest, SequenceKind};
use crate::words::double_quoted;

/// What is left to parse.
pub type Text<'a> = Peekable<Chars<'a>>;

impl Expected {
    /// Takes one reply from the text; what follows stays.
    ///
    /// # Errors
    /// It does not begin with a reply.
    pub fn take(rest: &mut Text) -> Result<Self> {
        reply(rest)
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "id" => Self::Id,
            "integer" => Self::Integer,
            "unix-ms" => Self::UnixMs,
            "unix-s" => Self::UnixSeconds,
            "text" => Self::Text,
            "any" => Self::Any,
            _ => {
                let (low, high) = text.split_once("..").with_context(|| format!("<{text}> is no pattern"))?;
                let end = |text: &str, open| if text.is_empty() { Ok(open) } else { text.parse() };
                Self::Range(end(low, i64::MIN)?, end(high, i64::MAX)?)
            }
        })
    }
}

fn whole(regex: &str) -> Result<Regex> {
    Regex::new(&format!("(?s)^(?:{regex})$")).context("a pattern")
}

/// The next character that is no blank, not taken.
pub fn skip_blanks(rest: &mut Text) -> Option<char> {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    rest.peek().copied()
}

fn line(rest: &mut Text) -> String {
    let mut line = String::new();
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        line.push(c);
    }
    line.trim_end().to_owned()
}

/// Takes what reaches to the next blank, bracket or colon.
pub fn word(rest: &mut Text) -> String {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace() && !"[]{}:".contains(*c)) {
        word.push(c);
    }
    word
}

fn reply(rest: &mut Text) -> Result<Expected> {
    match skip_blanks(rest).context("a reply is missing")? {
        '"' => double_quoted(rest).map(Expected::Bulk),
        '[' => sequence(rest, SequenceKind::Array),
        '{' => map(rest),
        '~' | '?' => {
            let kind = if rest.next() == Some('~') { SequenceKind::Set } else { SequenceKind::AnyOrder };
            ensure!(rest.peek() == Some(&'['), "a bracket must follow");
            sequence(rest, kind)
        }
        '+' => Ok(Expected::Simple(line(rest)[1..].to_owned())),
        '/' => regex(rest).map(Expected::TextLike),
        '<' => pattern(rest),
        '$' => Ok(Expected::Variable(word(rest)[1..].to_owned())),
        '-' => dash(rest),
        _ => keyword(rest),
    }
}

/// An error or a negative number.
fn dash(rest: &mut Text) -> Result<Expected> {
    rest.next();
    match rest.peek() {
        Some('0'..='9') => Ok(Expected::Integer(format!("-{}", word(rest)).parse()?)),
        Some('/') => {
            let line = line(rest);
            let inner = line[1..].strip_suffix('/').context("the pattern is not closed")?;
            whole(inner).map(Expected::ErrorLike)
        }
        _ => Ok(Expected::Error(line(rest))),
    }
}

fn keyword(rest: &mut Text) -> Result<Expected> {
    let word = word(rest);
    Ok(match word.as_str() {
        "nil" => Expected::Nil,
        "nil-array" => Expected::NilArray,
        "#t" => Expected::Boolean(true),
        "#f" => Expected::Boolean(false),
        "push" => return sequence(rest, SequenceKind::Push),
        _ => match word.strip_prefix(',') {
            Some(double) => Expected::Double(double.to_owned()),
            None => Expected::Integer(word.parse().with_context(|| format!("{word:?} is no reply"))?),
        },
    })
}

fn regex(rest: &mut Text) -> Result<Regex> {
    let mut text = String::new();
    rest.next();
    loop {
        match rest.next().context("the pattern is not closed")? {
            '/' => return whole(&text),
            '\\' if rest.next_if_eq(&'/').is_some() => text.push('/'),
            c => text.push(c),
        }
    }
}

fn pattern(rest: &mut Text) -> Result<Expected> {
    let mut text = String::new();
    rest.next();
    loop {
        match rest.next().context("< is not closed")? {
            '>' => break,
            c => text.push(c),
        }
    }
    let (kind, name) = match text.split_once(' ') {
        Some((kind, name)) => (kind, Some(name.to_owned())),
        None => (text.as_str(), None),
    };
    Ok(Expected::Pattern(Pattern::parse(kind)?, name))
}

fn take_rest(rest: &mut Text) -> Rest {
    let mut ahead = rest.clone();
    if (0..3).all(|_| ahead.next() == Some('.')) {
        *rest = ahead;
        return Rest::Any;
    }
    Rest::None
}

fn sequence(rest: &mut Text, kind: SequenceKind) -> Result<Expected> {
    rest.next();
    let mut items = Vec::new();
    loop {
        match skip_blanks(rest).context("[ is not closed")? {
            ']' => {
                rest.next();
                return Ok(Expected::Sequence(kind, items, Rest::None));
            }
            '.' if take_rest(rest) == Rest::Any => {
                ensure!(skip_blanks(rest) == Some(']'), "... must come last");
                rest.next();
                return Ok(Expected::Sequence(kind, items, Rest::Any));
            }
            _ => items.push(reply(rest)?),
        }
    }
}

fn map(rest: &mut Text) -> Result<Expected> {
    rest.next();
    let (mut kind, mut pairs) = (MapKind::Flat, Vec::new());
    loop {
        match skip_blanks(rest).context("{ is not closed")? {
            '}' => {
                rest.next();
                return Ok(Expected::Map(kind, pairs, Rest::None));
            }
            '.' if take_rest(rest) == Rest::Any => {
                ensure!(skip_blanks(rest) == Some('}'), "... must come last");
                rest.next();
                return Ok(Expected::Map(kind, pairs, Rest::Any));
            }
            _ => {
                let name = reply(rest)?;
                kind = separator(rest)?;
                pairs.push((name, reply(rest)?));
            }
        }
    }
}

fn separator(rest: &mut Text) -> Result<MapKind> {
    match skip_blanks(rest) {
        Some(':') => {
            rest.next();
            Ok(MapKind::Flat)
        }
        Some('=') => {
            rest.next();
            ensure!(rest.next() == Some('>'), "=> separates name and value");
            Ok(MapKind::Pairs)
        }
        other => bail!("a colon or => must follow the name, not {other:?}"),
    }
}
