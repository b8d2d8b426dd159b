//! Counting replies without keeping them.

/// What stands at the front of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A whole reply of so many bytes.
    Reply(usize),
    /// An error reply of so many bytes.
    Error(usize),
    /// More bytes are needed.
    Incomplete,
}

/// Measures the reply at the front of `bytes`: RESP2 types, which is all that writes answer.
pub fn front(bytes: &[u8]) -> Front {
    match measure(bytes) {
        None => Front::Incomplete,
        Some(length) if bytes[0] == b'-' => Front::Error(length),
        Some(length) => Front::Reply(length),
    }
}

fn measure(bytes: &[u8]) -> Option<usize> {
    let line_end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let after_line = line_end + 2;
    let number = || -> i64 {
        std::str::from_utf8(&bytes[1..line_end]).ok().and_then(|t| t.parse().ok()).unwrap_or(-1)
    };
    match bytes[0] {
        b'$' => match usize::try_from(number()) {
            Err(_) => Some(after_line),
            Ok(length) => Some(after_line + length + 2).filter(|end| *end <= bytes.len()),
        },
        b'*' => (0..number().max(0)).try_fold(after_line, |at, _| Some(at + measure(bytes.get(at..)?)?)),
        _ => Some(after_line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_measured_whole() {
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Front::Reply(5)),
            (b"-ERR x\r\n+OK\r\n", Front::Error(8)),
            (b"$3\r\nabc\r\n", Front::Reply(9)),
            (b"$3\r\nabc", Front::Incomplete),
            (b"$-1\r\n", Front::Reply(5)),
            (b"*2\r\n:1\r\n$1\r\na\r\n", Front::Reply(15)),
            (b"*2\r\n:1\r\n", Front::Incomplete),
            (b"*-1\r\n", Front::Reply(5)),
            (b"", Front::Incomplete),
        ] {
            assert_eq!(front(bytes), expected, "{:?}", bytes.escape_ascii().to_string());
        }
    }
}
