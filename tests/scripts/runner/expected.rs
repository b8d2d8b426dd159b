//! Replies as scripts write them: the notation of tests/scripts/README.md, parsed and shown.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::words::{double_quoted, quote};

/// What a reply is to be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// `+OK`, to the end of the line.
    Simple(String),
    /// `-ERR …`, to the end of the line.
    Error(String),
    /// `-/…/`: an error whose whole text matches.
    ErrorLike(Regex),
    /// `12`.
    Integer(i64),
    /// `"…"`.
    Bulk(Vec<u8>),
    /// `/…/`: a bulk or simple string whose whole text matches.
    TextLike(Regex),
    /// `nil`: the null bulk string of RESP2, the null of RESP3.
    Nil,
    /// `nil-array`: the null array of RESP2, the null of RESP3.
    NilArray,
    /// `#t`, `#f`: 1 and 0 in RESP2.
    Boolean(bool),
    /// `,1.5`: a bulk string in RESP2.
    Double(String),
    /// `[…]`, and the other sequences.
    Sequence(SequenceKind, Vec<Expected>, Rest),
    /// `{…: …}` and `{… => …}`.
    Map(MapKind, Vec<(Expected, Expected)>, Rest),
    /// `<kind name>`.
    Pattern(Pattern, Option<String>),
    /// `$name`: a bulk string or integer equal to what was captured.
    Variable(String),
}

/// How items follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceKind {
    /// `[…]`.
    Array,
    /// `~[…]`: a set in RESP3, an array in RESP2, in any order.
    Set,
    /// `?[…]`: an array whose order is nobody's business.
    AnyOrder,
    /// `push[…]`: a push of RESP3, an array in RESP2.
    Push,
}

/// How RESP2 shows a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// `{a: b}`: name, value, name, value in one array.
    Flat,
    /// `{a => b}`: an array of arrays of two.
    Pairs,
}

/// Whether there may be more than is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// No.
    None,
    /// `...` at the end: more items; in a map other names, anywhere.
    Any,
}

/// A value that differs between runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// `<id>`: an id made from the clock.
    Id,
    /// `<integer>`.
    Integer,
    /// `<5..10>`: an integer, both ends included; either end may be missing.
    Range(i64, i64),
    /// `<unix-ms>`: within an hour of now.
    UnixMs,
    /// `<unix-s>`: within an hour of now.
    UnixSeconds,
    /// `<text>`: a bulk or simple string.
    Text,
    /// `<any>`.
    Any,
}

const WIDTH_MAX: usize = 100;

impl Expected {
    /// Takes one reply from the text; what follows stays.
    ///
    /// # Errors
    /// It does not begin with a reply.
    pub fn take(rest: &mut Text) -> Result<Self> {
        reply(rest)
    }

    /// As scripts write it.
    pub fn show(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, out: &mut String, indent: usize) {
        let line = self.on_one_line();
        if let Some(line) = line.filter(|line| indent + line.chars().count() <= WIDTH_MAX) {
            out.push_str(&line);
            return;
        }
        let inner = " ".repeat(indent + 2);
        let rest = |rest: &Rest| if *rest == Rest::Any { format!("{inner}...\n") } else { String::new() };
        match self {
            Self::Sequence(kind, items, more) => {
                out.push_str(&format!("{}\n", kind.opening()));
                if let Some(filled) = filled(items, &inner) {
                    out.push_str(&filled);
                    out.push_str(&format!("{}{}]", rest(more), " ".repeat(indent)));
                    return;
                }
                for item in items {
                    out.push_str(&inner);
                    item.write(out, indent + 2);
                    out.push('\n');
                }
                out.push_str(&format!("{}{}]", rest(more), " ".repeat(indent)));
            }
            Self::Map(kind, pairs, more) => {
                out.push_str("{\n");
                for (name, value) in pairs {
                    let name = name.on_one_line().unwrap_or_else(|| name.show());
                    let _ = write!(out, "{inner}{name}{} ", kind.separator());
                    value.write(out, indent + 2);
                    out.push('\n');
                }
                out.push_str(&format!("{}{}}}", rest(more), " ".repeat(indent)));
            }
            Self::Simple(text) => out.push_str(&format!("+{text}")),
            Self::Error(text) => out.push_str(&format!("-{text}")),
            Self::ErrorLike(regex) => out.push_str(&format!("-/{}/", shown_regex(regex))),
            other => out.push_str(&other.on_one_line().unwrap_or_default()),
        }
    }

    /// `None` for what reaches to the end of its line, and for all that holds such.
    fn on_one_line(&self) -> Option<String> {
        Some(match self {
            Self::Simple(_) | Self::Error(_) | Self::ErrorLike(_) => return None,
            Self::Integer(value) => value.to_string(),
            Self::Bulk(bytes) => quote(bytes),
            Self::TextLike(regex) => format!("/{}/", shown_regex(regex)),
            Self::Nil => "nil".to_owned(),
            Self::NilArray => "nil-array".to_owned(),
            Self::Boolean(value) => format!("#{}", if *value { "t" } else { "f" }),
            Self::Double(text) => format!(",{text}"),
            Self::Sequence(kind, items, more) => {
                let mut shown: Vec<String> = items.iter().map(Self::on_one_line).collect::<Option<_>>()?;
                shown.extend((*more == Rest::Any).then(|| "...".to_owned()));
                format!("{}{}]", kind.opening(), shown.join(" "))
            }
            Self::Map(kind, pairs, more) => {
                let pair = |(name, value): &(Self, Self)| {
                    Some(format!("{}{} {}", name.on_one_line()?, kind.separator(), value.on_one_line()?))
                };
                let mut shown: Vec<String> = pairs.iter().map(pair).collect::<Option<_>>()?;
                shown.extend((*more == Rest::Any).then(|| "...".to_owned()));
                format!("{{{}}}", shown.join(" "))
            }
            Self::Pattern(pattern, name) => {
                format!(
                    "<{}{}>",
                    pattern.show(),
                    name.iter().map(|name| format!(" {name}")).collect::<String>()
                )
            }
            Self::Variable(expression) => format!("${expression}"),
        })
    }
}

impl SequenceKind {
    fn opening(self) -> &'static str {
        match self {
            Self::Array => "[",
            Self::Set => "~[",
            Self::AnyOrder => "?[",
            Self::Push => "push[",
        }
    }
}

impl MapKind {
    fn separator(self) -> &'static str {
        match self {
            Self::Flat => ":",
            Self::Pairs => " =>",
        }
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

    fn show(&self) -> String {
        match self {
            Self::Id => "id".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::UnixMs => "unix-ms".to_owned(),
            Self::UnixSeconds => "unix-s".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Any => "any".to_owned(),
            Self::Range(low, high) => {
                let end = |value: i64, open| if value == open { String::new() } else { value.to_string() };
                format!("{}..{}", end(*low, i64::MIN), end(*high, i64::MAX))
            }
        }
    }
}

/// Items that hold no others, as many on a line as there is room for.
fn filled(items: &[Expected], indentation: &str) -> Option<String> {
    let (mut filled, mut line) = (String::new(), indentation.to_owned());
    for item in items {
        if matches!(item, Expected::Sequence(..) | Expected::Map(..)) {
            return None;
        }
        let word = item.on_one_line()?;
        if line.len() > indentation.len() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH_MAX {
                filled.push_str(&(std::mem::replace(&mut line, indentation.to_owned()) + "\n"));
            } else {
                line.push(' ');
            }
        }
        line.push_str(&word);
    }
    Some(filled + &line + "\n")
}

fn shown_regex(regex: &Regex) -> &str {
    regex.as_str().trim_start_matches("(?s)^(?:").trim_end_matches(")$")
}

fn whole(regex: &str) -> Result<Regex> {
    Regex::new(&format!("(?s)^(?:{regex})$")).context("a pattern")
}

/// What is left to parse.
pub type Text<'a> = Peekable<Chars<'a>>;

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
