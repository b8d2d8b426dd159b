//! The words of a command line, as redis-cli splits it, and the strings of replies: both quote alike.

use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Context, Result, bail};

use crate::variables::Variables;

/// One argument of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// Bytes as they are sent.
    Literal(Vec<u8>),
    /// `$name`, `$name.ms`, `$name+5`: what was captured under the name.
    Variable(String),
    /// `($name`: an interval's open end.
    Exclusive(String),
}

impl Word {
    /// The bytes to send.
    ///
    /// # Errors
    /// The variable has no value, or none of the form asked for.
    pub fn bytes(&self, variables: &Variables) -> Result<Vec<u8>> {
        match self {
            Self::Literal(bytes) => Ok(bytes.clone()),
            Self::Variable(expression) => variables.evaluate(expression),
            Self::Exclusive(expression) => Ok([b"(", &variables.evaluate(expression)?[..]].concat()),
        }
    }
}

/// Splits a command line. `"…"` knows `\n`, `\r`, `\t`, `\a`, `\b`, `\\`, `\"` and `\xHH`, `'…'` only `\'`; an
/// unquoted word that begins with `$` and a letter is a variable; `"x"*1000` is the string a thousand times.
///
/// # Errors
/// A quote is not closed, or something follows it.
pub fn split(line: &str) -> Result<Vec<Word>> {
    let mut rest = line.chars().peekable();
    let mut words = Vec::new();
    while let Some(first) = skip_blanks(&mut rest) {
        words.push(match first {
            '"' => repeated(double_quoted(&mut rest)?, &mut rest)?,
            '\'' => repeated(single_quoted(&mut rest)?, &mut rest)?,
            _ => bare(&mut rest),
        });
    }
    Ok(words)
}

fn skip_blanks(rest: &mut Peekable<Chars>) -> Option<char> {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    rest.peek().copied()
}

fn bare(rest: &mut Peekable<Chars>) -> Word {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        word.push(c);
    }
    let name =
        |prefix| word.strip_prefix(prefix).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    match (name("$"), name("($")) {
        (Some(name), _) => Word::Variable(name.to_owned()),
        (_, Some(name)) => Word::Exclusive(name.to_owned()),
        _ => Word::Literal(word.into_bytes()),
    }
}

fn repeated(bytes: Vec<u8>, rest: &mut Peekable<Chars>) -> Result<Word> {
    let mut suffix = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        suffix.push(c);
    }
    if suffix.is_empty() {
        return Ok(Word::Literal(bytes));
    }
    let times = suffix.strip_prefix('*').context("a blank must follow a closing quote")?;
    Ok(Word::Literal(bytes.repeat(times.parse().context("a number of times must follow the asterisk")?)))
}

/// A string in double quotes, the opening one not yet taken.
///
/// # Errors
/// It is not closed.
pub fn double_quoted(rest: &mut Peekable<Chars>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    rest.next();
    loop {
        match rest.next().context("a quote is not closed")? {
            '"' => return Ok(bytes),
            '\\' => bytes.push(escaped(rest)?),
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

fn escaped(rest: &mut Peekable<Chars>) -> Result<u8> {
    Ok(match rest.next().context("a quote is not closed")? {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'a' => 7,
        'b' => 8,
        'x' => {
            let digits: String = rest.take(2).collect();
            u8::from_str_radix(&digits, 16).with_context(|| format!("\\x{digits}"))?
        }
        c @ ('\\' | '"') => c as u8,
        c => bail!("\\{c} is no escape"),
    })
}

fn single_quoted(rest: &mut Peekable<Chars>) -> Result<Vec<u8>> {
    let mut text = String::new();
    rest.next();
    loop {
        match rest.next().context("a quote is not closed")? {
            '\'' => return Ok(text.into_bytes()),
            '\\' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            c => text.push(c),
        }
    }
}

/// A string as scripts write it in replies.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", c as u32)),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text + "\""
}
