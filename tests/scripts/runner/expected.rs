//! Replies as scripts write them: the notation of tests/scripts/README.md, and how it is shown.

use std::fmt::Write;

use regex::Regex;

use crate::words::quote;

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
