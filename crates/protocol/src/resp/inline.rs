//! Splits an inline request into words, as Redis' `sdssplitargs` does: blanks separate, `"..."` knows
//! escapes, `'...'` knows only `\'`, and after a closing quote a blank or the end must follow.

use bytes::Bytes;

use super::request::Span;

/// A quote was left open, or something followed a closing one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnbalancedQuotes;

/// The words of a line without its end, one after the other in a buffer, and where each lies.
pub(super) fn split(line: &[u8]) -> Result<(Vec<u8>, Vec<Span>), UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut spans = Vec::new();
    // The reference works on C strings: a NUL ends the line.
    let mut rest = line.split(|byte| *byte == 0).next().unwrap_or_default();
    loop {
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok((words, spans));
        }
        let start = words.len();
        rest = word(rest, &mut words)?;
        spans.push(Span::new(start, words.len() - start));
    }
}

/// The words of a text split like an inline request; `None` if its quotes are unbalanced. ACL selectors are
/// written so.
pub fn split_words(text: &[u8]) -> Option<Vec<Bytes>> {
    let (words, spans) = split(text).ok()?;
    let words = Bytes::from(words);
    Some(spans.into_iter().map(|span| words.slice(span.range())).collect())
}

/// Appends the word `rest` begins with and returns what follows it.
fn word<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return closed(double_quoted(after, out)?),
            b'\'' => return closed(single_quoted(after, out)?),
            _ => out.push(byte),
        }
        rest = after;
    }
    Ok(rest)
}

fn closed(rest: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    let ends = rest.first().is_none_or(|byte| is_blank(*byte));
    if ends { Ok(rest) } else { Err(UnbalancedQuotes) }
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Err(UnbalancedQuotes),
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Err(UnbalancedQuotes),
            [b'\'', after @ ..] => return Ok(after),
            [b'\\', b'\'', after @ ..] => {
                out.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::*;

    fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (words, spans) = split(line).ok()?;
        if spans.is_empty() {
            return Some(Vec::new());
        }
        Some(Request::from_spans(words.into(), spans).iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn words_quotes_and_escapes() {
        let check = |line: &str, expected: &[&[u8]]| {
            let expected = expected.iter().map(|word| word.to_vec()).collect();
            assert_eq!(words(line.as_bytes()), Some(expected), "{line:?}");
        };
        check("", &[]);
        check(" \t\x0b ", &[]);
        check("PING", &[b"PING"]);
        check("  set  a\tb\r", &[b"set", b"a", b"b"]);
        check(r#"a"b c""#, &[b"ab c"]);
        check(r#""" ''"#, &[b"", b""]);
        check(r#""\x41\n\r\t\b\a\\\"\q""#, &[b"A\n\r\t\x08\x07\\\"q"]);
        check(r#""\xZ1""#, &[b"xZ1"]);
        check(r#"'it\'s \n'"#, &[b"it's \\n"]);
        check("a\0b c", &[b"a"]);
    }

    #[test]
    fn quotes_must_balance_and_end_the_word() {
        for line in [r#"""#, "'", r#""a"#, "'a", r#""a"b"#, "'a'b", r#""\""#, r#""a\"#] {
            assert_eq!(words(line.as_bytes()), None, "{line:?}");
        }
    }
}
