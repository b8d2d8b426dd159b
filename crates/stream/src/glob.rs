//! Patterns of KEYS, SCAN MATCH and CONFIG GET, as Redis's `stringmatchlen` reads them.

/// Whether `text` as a whole matches `pattern`: `*` any run of bytes, `?` any byte, `[abc]`, `[a-z]` and
/// `[^a-z]` one byte of a set, `\` takes the next byte literally. A set that is not closed ends with
/// the pattern.
///
/// Only the last `*` is ever tried again, so the time is bounded by the product of both lengths.
pub fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern_at, mut text_at) = (0, 0);
    // Where to go on if the run the last `*` stands for has to grow: after the star, and at this text.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(pattern_at) == Some(&b'*') {
            pattern_at += 1;
            if pattern_at == pattern.len() {
                return true;
            }
            retry = Some((pattern_at, text_at));
            continue;
        }
        let step = text.get(text_at).and_then(|byte| match_one(&pattern[pattern_at..], *byte));
        if let Some(length) = step {
            pattern_at += length;
            text_at += 1;
        } else if pattern_at == pattern.len() && text_at == text.len() {
            return true;
        } else {
            match retry {
                Some((star, from)) if from < text.len() => {
                    retry = Some((star, from + 1));
                    pattern_at = star;
                    text_at = from + 1;
                }
                _ => return false,
            }
        }
    }
}

/// How much of the pattern stands for `byte`, if its first element does.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [b'[', ..] => {
            let (length, matches) = match_set(pattern, byte);
            matches.then_some(length)
        }
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The length of the set at the front of the pattern, and whether `byte` belongs to it.
fn match_set(pattern: &[u8], byte: u8) -> (usize, bool) {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= literal == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    }
    (at, found != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_redis_does() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(glob_matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        };
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("**", "abc", true);
        check("h?llo", "hello", true);
        check("h?llo", "hllo", false);
        check("h*llo", "heeeello", true);
        check("h*llo", "hell", false);
        check("*a*b*c", "xxaxxbxxc", true);
        check("*a*b*c", "xxaxxcxxb", false);
        check("h[ae]llo", "hallo", true);
        check("h[ae]llo", "hillo", false);
        check("h[^e]llo", "hallo", true);
        check("h[^e]llo", "hello", false);
        check("h[a-c]llo", "hbllo", true);
        check("h[c-a]llo", "hbllo", true);
        check("h[a-c]llo", "hdllo", false);
        check(r"h\*llo", "h*llo", true);
        check(r"h\*llo", "hxllo", false);
        check(r"[\]]", "]", true);
        check("[abc", "b", true);
        check("a*", "a", true);
        check("*a", "aaab", false);
        check(r"a\", r"a\", true);
        check("[]a", "a", false);
        check("stream:*:[0-9]", "stream:x:7", true);
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = b"a*".repeat(200);
        let text = [b"a".repeat(10_000), b"b".to_vec()].concat();
        assert!(glob_matches(&pattern, &text));
        assert!(!glob_matches(&[pattern, b"c".to_vec()].concat(), &text));
    }
}
